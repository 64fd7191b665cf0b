r"""Train a model on labelled rows and write all that scoring needs.

    python -m pipelines.train --data customers.parquet --label churned --key customer_id \\
        --output models/churn/1

What can be found is found in the data: columns, steps for their types, task, labels, split, network.
It is written beside the package, `models/churn/1.train.yaml`, to be edited and run with --config.
This is the moment of trust: the author trains on the author's own rows, with code of the author's.
Whoever scores loads data.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
import json
from pathlib import Path
import sys
import time
from typing import Any, TypeAlias

from configs.errors import JobError
from configs.load import Override, load, parse_set
from pipelines.cli.command_line import let_resume, run_program, say, stop_on_terminate
from pipelines.cli.parser import EXIT_STATUSES, Parser
from pipelines.cli.shutdown import end_process
from pipelines.cli.terminal import write_result
from pipelines.packing.asking.questions import Questions
from pipelines.packing.network_packing import pack_network
from pipelines.packing.networks.state import Weights, read_weights
from pipelines.training.checkpointing import make_checkpoints
from pipelines.training.continuing import (
    Before,
    cast_to_contract,
    find_job_beside,
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

# Of a parser: adds a flag.
Add: TypeAlias = Callable[..., Any]
# Flags that are one field of the job each.
_FIELDS = {
    "key": "data.key",
    "task": "task",
    "network": "network.builder",
    "name": "name",
    "output": "output",
}


def main(argv: Sequence[str]) -> int:
    """Train as the command line says, and return the exit status."""
    let_resume()
    arguments = _parse(argv)
    written = _load(arguments)
    # Last, so that a file that happens to lie there takes no library's place.
    sys.path.append(str(Path.cwd()))
    _ask_for_places(written)
    job = name_model(written)
    # Before training, which may take hours.
    refuse_standing_output(str(job.output), arguments.overwrite)
    before = open_before(job)
    job, source = load_named_files(job, read_source(job.data, job.split))
    if before is not None:
        job = take_over(job, before)
        source = replace(source, rows=cast_to_contract(source.rows, before))
    understood = understand(job, source)
    prepared, packaging, job = _prepare(understood, before)
    if not arguments.quiet:
        for line in describe_understood(understood, prepared):
            say(line)
    goes_on = before is not None
    _train(arguments, written, replace(understood, job=job), prepared, packaging, goes_on)
    return 0


def _train(
    arguments: argparse.Namespace,
    written: FittingJob,
    understood: Understood,
    prepared: Prepared,
    packaging: Packaging,
    goes_on: bool,
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
        shown_progress(job.training.epochs, arguments.quiet) as progress,
    ):
        learned = learn(job, prepared, progress, checkpoints, goes_on)
    trained = time.monotonic()
    with written_to(output):
        write_test_rows(job, prepared.parts["test"])
        url = write_job(job, text)
        material = make_material(job, packaging, prepared, learned.figures, arguments.overwrite)
        packed = pack_network(material, Questions())
        if job.report:
            seconds = {"training": trained - started, "packing": time.monotonic() - trained}
            report = make_report(job, understood, prepared, learned, packed, text, seconds)
            write_report(locate_report(job), report)
        # Last: a training that was stopped before goes on, and ends here at once.
        checkpoints.remove()
    if not arguments.quiet:
        for line in describe_training(job, learned, packed, url):
            say(line)
    write_result(packed.written.starter, "the job's path")


def _load(arguments: argparse.Namespace) -> FittingJob:
    """Return the job of the command line; of a package that is trained further, the one beside it."""
    config = arguments.config
    overrides: list[Override] = []
    if arguments.from_package is not None:
        beside, overrides = find_job_beside(arguments.from_package)
        if config is None:
            config = beside
        else:
            # The file says what it wants to be taken over.
            overrides = overrides[-1:]
    return load(FittingJob, config, [*overrides, *_list_overrides(arguments)])


def _ask_for_places(job: FittingJob) -> None:
    """Ask for rows and output, of which nothing else can tell.

    Raises:
        JobError: all that is missing of them.
    """
    data = job.data
    needed = []
    if not data.paths and data.dataset is None:
        needed.append("data.paths (--data): Parquet or CSV files with labelled rows")
    if not job.output:
        needed.append("output (--output): a folder for the package, models/churn/1 for example")
    # What only the rows could tell more of is asked with them.
    if needed and not data.label:
        needed.append("data.label (--label): the column that is learned")
    if needed and data.key is None:
        needed.append("data.key (--key): the column that names a row")
    if needed:
        raise JobError(f"is needed: {'; '.join(needed)}")


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


def _list_overrides(arguments: argparse.Namespace) -> list[Override]:
    said = [parse_set(text) for text in arguments.set]
    overrides = []
    fields = [field for field, _ in said]
    if arguments.output is not None or "output" in fields:
        # What stands in the file goes with the file's own output, whose test rows must stay.
        overrides.append(("held_out", "null"))
    if arguments.data:
        # Rows of one's own take the place of a bundled data set's.
        overrides.append(("data.dataset", "null"))
        overrides.append(("data.paths", json.dumps(arguments.data, ensure_ascii=False)))
    if arguments.label:
        overrides.append(("data.label", json.dumps(arguments.label, ensure_ascii=False)))
    for flag, field in _FIELDS.items():
        value = getattr(arguments, flag)
        if value is not None:
            # JSON is YAML too, in which a single-quoted text would lose its line breaks.
            overrides.append((field, json.dumps(value, ensure_ascii=False)))
    if arguments.version is not None:
        overrides.append(("version", json.dumps(arguments.version, ensure_ascii=False)))
    # Last: what is said in so many words counts most.
    return [*overrides, *said]


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = Parser(
        "pipelines.train",
        "Train a model on labelled rows; write its package, a job that scores with it, and held-out rows.",
        EXIT_STATUSES,
    )
    _add_data(parser.add_argument)
    _add_model(parser.add_argument)
    return parser.parse_whole(argv)


def _add_data(add: Add) -> None:
    """Add the flags that say which rows, and what is learned of them."""
    data = "labelled rows: Parquet or CSV files, folders, globs; may be repeated"
    add("--data", action="append", metavar="PATH", help=data)
    label = "column to predict; several of 0 and 1, or of numbers: repeat it"
    add("--label", action="append", metavar="COLUMN", help=label)
    add("--key", metavar="COLUMN", help="column that names a row")
    task = "classification, multi_label or regression (default: by the label)"
    add("--task", metavar="WORD", help=task)
    config = "the training job, one YAML file; flags can say it all"
    add("--config", metavar="FILE", help=config)
    override = "override one field: --set training.seed=1"
    add("--set", action="append", default=[], metavar="KEY=VALUE", help=override)


def _add_model(add: Add) -> None:
    """Add the flags that say which model, and where it goes."""
    network = "module:callable, library:name, or one of ours (default: by the columns)"
    add("--network", metavar="NAME", help=network)
    before = "a package to go on from, with new rows"
    add("--from", dest="from_package", metavar="PACKAGE", help=before)
    add("--name", metavar="NAME", help="of the model (default: by --output, models/NAME/VERSION)")
    add("--version", metavar="TEXT", help="of the model (default: by --output)")
    output = "where the package goes (default: the job's output)"
    add("--output", metavar="FOLDER", help=output)
    overwrite = "replace the package and held-out rows that stand there"
    add("--overwrite", action="store_true", help=overwrite)
    quiet = "print nothing but the starter job's path, and errors"
    add("--quiet", action="store_true", help=quiet)
    add("--debug", action="store_true", help="show tracebacks")


if __name__ == "__main__":
    stop_on_terminate()
    end_process(run_program(main))
