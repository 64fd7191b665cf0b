"""Train as a job says, and write the package and all that stands beside it.

A job comes in, and its package, its report and a job that scores with it are left.
"""

from dataclasses import replace
from pathlib import Path
import sys
import time

from pipelines.cli.command_line import say
from pipelines.cli.terminal import write_result
from pipelines.packing.asking.questions import Questions
from pipelines.packing.network_packing import pack_network
from pipelines.packing.networks.state import Weights, read_weights
from pipelines.training.checkpointing import make_checkpoints
from pipelines.training.continuing import (
    Before,
    cast_to_contract,
    open_before,
    take_over,
)
from pipelines.training.described import describe_job, name_model, to_packaging
from pipelines.training.fitting_job import FittingJob
from pipelines.training.learning import find_activation, learn
from pipelines.training.named_files import load_named_files
from pipelines.training.network_sizes import Outputs, add_usual
from pipelines.training.prepared import Packaging, Prepared
from pipelines.training.preparing import prepare
from pipelines.training.progress import shown_progress
from pipelines.training.reading import read_source
from pipelines.training.report import write_report
from pipelines.training.reporting import make_report
from pipelines.training.summary import describe_training, describe_understood
from pipelines.training.understanding import list_parts, understand
from pipelines.training.understood import Understood
from pipelines.training.writing import (
    locate_report,
    make_material,
    make_place,
    refuse_standing_output,
    write_job,
    write_test_rows,
    written_to,
)


def train_model(
    written: FittingJob,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Train, and write the package and all beside it; print the path of a job that scores with it.

    Args:
        written: the job as its author wrote it.
        overwrite: whether a package that stands there is replaced.
        quiet: whether nothing but that path is printed.
    """
    # Last, so that a file that happens to lie there takes no library's place.
    sys.path.append(str(Path.cwd()))
    job = name_model(written)
    # Before training, which may take hours.
    refuse_standing_output(str(job.output), overwrite)
    before = open_before(job)
    job, source = load_named_files(job, read_source(job.data, job.split))
    if before is not None:
        job = take_over(job, before)
        source = replace(source, rows=cast_to_contract(source.rows, before))
    understood = understand(job, source)
    prepared, packaging, job = _prepare(understood, before)
    if not quiet:
        for line in describe_understood(understood, prepared):
            say(line)
    understood = replace(understood, job=job)
    goes_on = before is not None
    _train(written, understood, prepared, packaging, goes_on, overwrite, quiet)


def _train(
    written: FittingJob,
    understood: Understood,
    prepared: Prepared,
    packaging: Packaging,
    goes_on: bool,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Train, and write the package and all beside it."""
    job = understood.job
    output = str(job.output)
    text = describe_job(job, written)
    make_place(output)
    checkpoints = make_checkpoints(job)
    started = time.monotonic()
    with (
        written_to(output),
        shown_progress(job.training.epochs, quiet) as progress,
    ):
        learned = learn(job, prepared, progress, checkpoints, goes_on)
    trained = time.monotonic()
    with written_to(output):
        write_test_rows(job, prepared.parts["test"])
        url = write_job(job, text)
        material = make_material(job, packaging, prepared, learned.figures, overwrite)
        packed = pack_network(material, Questions())
        if job.report:
            seconds = {"training": trained - started, "packing": time.monotonic() - trained}
            report = make_report(job, understood, prepared, learned, packed, text, seconds)
            write_report(locate_report(job), report)
        # Last: a training that was stopped before goes on, and ends here at once.
        checkpoints.remove()
    if not quiet:
        for line in describe_training(job, learned, packed, url):
            say(line)
    write_result(packed.written.starter, "the job's path")


def _prepare(
    understood: Understood,
    before: Before | None,
) -> tuple[Prepared, Packaging, FittingJob]:
    """Return the network and its rows, and both jobs with what was found out on the way."""
    job = understood.job
    tables = list_parts(understood)
    parts = understood.places.parts
    targets_of_all = understood.labelled.targets
    targets = {name: targets_of_all[rows] for name, rows in parts.items()}
    outputs = _count_outputs(job)
    weights = _find_weights(job, before)
    packing = to_packaging(job)
    prepared = prepare(packing, outputs, tables, targets, job.training.seed, weights)
    activation = job.network.activation
    found = find_activation(understood.labelled.task, prepared, len(job.data.labels))
    packaging = prepared.packaging.model_copy(update={"activation": activation or found})
    builder = packaging.network
    changes = {
        "builder": builder,
        # Without the sizes that the data tell: columns may be taken out of the file.
        "parameters": add_usual(builder, job.network.parameters),
        "activation": activation or found,
    }
    network = job.network.model_copy(update=changes)
    return prepared, packaging, job.model_copy(update={"network": network})


def _find_weights(job: FittingJob, before: Before | None) -> Weights | None:
    """Return what training begins with, where these are no fresh weights."""
    if before is not None:
        return before.weights
    return None if job.network.weights is None else read_weights(job.network.weights)


def _count_outputs(job: FittingJob) -> Outputs:
    """Return how many numbers a network is to give for a row."""
    labels = len(job.data.labels)
    is_of_two = job.task == "classification" and labels == 2
    activation = job.network.activation
    # Two classes may be one logit or two, whichever the network or the job speaks of.
    numbers = 1 if is_of_two and activation != "softmax" else labels
    classes = 1 if is_of_two and activation == "sigmoid" else labels
    return Outputs(numbers, classes)
