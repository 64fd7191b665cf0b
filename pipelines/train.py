"""Train a model on a bundled data set and write all that scoring needs.

That is a package, held-out rows as shards, and their labels. For example
`python -m pipelines.train --config configs/train_breast_cancer.yaml --overwrite`.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
import json
import sys
from typing import NamedTuple, TypeAlias

import numpy as np
from torch import nn
from tqdm import tqdm

from configs.errors import JobError
from configs.load import load, parse_set
from model_zoo.architectures.builders import build
from model_zoo.engines.settings import Settings
from model_zoo.evaluation.metrics import Evaluation, evaluate, render
from model_zoo.package.package import read_package
from model_zoo.scoring.scorer import load_scorer
from model_zoo.steps.table import AnyStep
from model_zoo.training.called_network import forward
from model_zoo.training.epoch import Epoch
from model_zoo.training.loop import train
from model_zoo.training.repeatable import repeatable
from pipelines.cli.command_line import Parser, run_program, say, say_aside, stop_on_terminate
from pipelines.cli.shutdown import end_process
from pipelines.cli.terminal import LenientStream
from pipelines.packing.contents import ScoredRows
from pipelines.planning.jobs import FittingJob
from pipelines.training.held_out import write_held_out
from pipelines.training.package_contents import Evaluations, pack
from pipelines.training.recipe import make_objective, make_recipe
from pipelines.training.split import Part, drop_key_and_label, prepare, read_data_set
from storage import files
from transforms.score_columns import ScoreColumns, score_columns

# What training leaves below its output, and what --overwrite removes: nothing else there is ours.
_WRITTEN = ("model", "shards", "shards_csv", "labels.parquet")
# In a log that nobody watches, a line per epoch would be noise.
_EPOCHS_PER_LINE = 10
# Any number will do: the smoke batch is scored without padding.
_SMOKE_BATCH_ROWS = 256
_DIGEST_CHARACTERS = 12
OnEpoch: TypeAlias = Callable[[Epoch], None]


class Trained(NamedTuple):
    """A network with the weights of its best epoch, and all epochs of its training."""

    network: nn.Module
    epochs: tuple[Epoch, ...]


def main(argv: Sequence[str]) -> int:
    """Train as the command line says, and return the exit status."""
    arguments = _parse(argv)
    job = _load_job(arguments)
    # Before training, which may take hours.
    _refuse_overwriting(job.output, arguments.overwrite)
    data_set = read_data_set(job)
    parts, steps = prepare(job, data_set)
    training, validation, test = parts
    with _shown_progress(job.training.epochs, arguments.quiet) as on_epoch:
        trained = _train(job, training, validation, on_epoch)

    network = trained.network
    evaluations = {
        "validation": _evaluate(job, network, validation),
        "test": _evaluate(job, network, test),
    }
    digest = _write(job, network, steps, training, evaluations)
    data = job.data
    write_held_out(
        rows=test.rows,
        output=job.output,
        key=data.key,
        label=data.label,
        shards=job.shards,
    )
    if not arguments.quiet:
        _say_result(job, trained.epochs, evaluations, digest)
    return 0


def _load_job(arguments: argparse.Namespace) -> FittingJob:
    overrides = [parse_set(text) for text in arguments.set]
    if arguments.output:
        # JSON is YAML too, in which a single-quoted text would lose its line breaks.
        output = json.dumps(arguments.output, ensure_ascii=False)
        overrides.append(("output", output))
    return load(FittingJob, arguments.config, overrides)


def _refuse_overwriting(output: str, overwrite: bool) -> None:
    standing = []
    for name in _WRITTEN:
        url = files.join(output, name)
        if files.exists(url):
            standing.append(name)
    if standing and not overwrite:
        raise JobError(
            f"{output} holds {standing[0]} already; "
            "choose another --output, or replace it with --overwrite"
        )


def _train(
    job: FittingJob,
    training: Part,
    validation: Part,
    on_epoch: OnEpoch,
) -> Trained:
    recipe = make_recipe(job.training)
    objective = make_objective(
        job.training,
        "classification",
        job.network.activation,
        job.data.labels,
        training.examples.targets,
    )
    with repeatable(recipe.seed):
        network = build(job.network.builder, job.network.parameters)
    epochs = train(
        network=network,
        training=training.examples,
        validation=validation.examples,
        objective=objective,
        recipe=recipe,
        on_epoch=on_epoch,
    )
    return Trained(network, epochs)


def _evaluate(job: FittingJob, network: nn.Module, part: Part) -> Evaluation:
    """Return metrics of labels and probabilities that the postprocessing of scoring makes."""
    data = job.data
    activation = job.network.activation
    is_of_two_classes = activation == "sigmoid"
    wanted = "probabilities"
    # A sigmoid's one number is about the second of two classes.
    if is_of_two_classes:
        wanted = "probability"

    outputs = forward(network, part.examples.inputs)
    how = ScoreColumns(activation, data.labels)
    columns = score_columns(outputs, how, [wanted, "label"])
    scores = columns[wanted].to_numpy(zero_copy_only=False)
    # Lists come as arrays in an array; the metrics take one of two dimensions.
    if not is_of_two_classes:
        scores = np.stack(scores)
    labels = part.rows.column(data.label)
    truth = labels.to_pylist()
    predicted = columns["label"].to_pylist()
    return evaluate(truth, predicted, data.labels, scores)


def _write(
    job: FittingJob,
    network: nn.Module,
    steps: tuple[AnyStep, ...],
    training: Part,
    evaluations: Evaluations,
) -> str:
    """Write the package in place of an earlier one, and return its digest."""
    for name in _WRITTEN:
        earlier = files.join(job.output, name)
        files.remove(earlier)

    inputs = training.examples.inputs
    features = drop_key_and_label(job, training.rows)
    outputs = forward(network, inputs)
    scored = ScoredRows(features, inputs, outputs)
    digest = pack(job, network, steps, scored, evaluations)
    # Loaded as scoring will: it must pass its own smoke batch.
    folder = files.join(job.output, "model")
    package = read_package(folder, digest)
    load_scorer(package, "cpu", Settings(_SMOKE_BATCH_ROWS), threads=1)
    return digest


@contextmanager
def _shown_progress(epochs: int, quiet: bool) -> Iterator[OnEpoch]:
    """Give what to call after each epoch: a bar on a terminal, plain lines elsewhere."""
    is_hidden = quiet or not sys.stderr.isatty()
    # A terminal that is closed meanwhile ends no training.
    stream = LenientStream(sys.stderr)
    with tqdm(total=epochs, unit=" epochs", desc="training", file=stream, disable=is_hidden) as bar:

        def show(epoch: Epoch) -> None:
            training = f"{epoch.training_loss:.4f}"
            validation = f"{epoch.validation_loss:.4f}"
            bar.update()
            bar.set_postfix(training=training, validation=validation)
            if not bar.disable or quiet:
                return
            if epoch.number % _EPOCHS_PER_LINE:
                return
            losses = f"training loss {training}, validation loss {validation}"
            say_aside(f"epoch {epoch.number} of at most {epochs}: {losses}")

        yield show


def _say_result(
    job: FittingJob,
    epochs: Sequence[Epoch],
    evaluations: Evaluations,
    digest: str,
) -> None:
    # The first one is the best so far, so there always is one.
    best_so_far = [epoch for epoch in epochs if epoch.best]
    best = best_so_far[-1]
    say(
        f"trained {len(epochs)} epochs; kept the weights of epoch {best.number}, "
        f"validation loss {best.validation_loss:.4f}"
    )
    for name, evaluation in evaluations.items():
        rendered = render(evaluation)
        say(f"\n{name}\n{rendered}")
    model = files.join(job.output, "model")
    shards = files.join(job.output, "shards")
    shown_digest = digest[:_DIGEST_CHARACTERS]
    say(f"\nmodel package  {model}  (digest {shown_digest})")
    say(f"held-out rows  {shards}")


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = Parser(
        "pipelines.train",
        "Train a model and write its package, the held-out rows as shards, and their labels.",
    )
    config = "the training job, one YAML file"
    parser.add_argument("--config", required=True, metavar="FILE", help=config)
    override = "override one field: --set training.seed=1"
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help=override)
    output = "where to write (default: the job's output)"
    parser.add_argument("--output", metavar="FOLDER", help=output)
    overwrite = "replace the package and shards that stand there"
    parser.add_argument("--overwrite", action="store_true", help=overwrite)
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    return parser.parse_whole(argv)


if __name__ == "__main__":
    stop_on_terminate()
    end_process(run_program(main))
