"""Train a model on a bundled data set and write everything that scoring needs: package, held-out shards, their labels.

For example `python -m pipelines.train --config configs/train_breast_cancer.yaml --overwrite`.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
import sys
from typing import Any

import numpy as np
import pyarrow as pa
from sklearn.model_selection import train_test_split
from torch import nn
from tqdm import tqdm

from configs.errors import InputError, JobError
from configs.load import load, nearest, parse_set
from configs.steps import Step
from configs.training import TrainingJob
from model_zoo.datasets import DATASETS
from model_zoo.evaluation import Evaluation, evaluate, render
from model_zoo.fitting import fit_steps
from model_zoo.package import read_package
from model_zoo.scorer import load_scorer
from model_zoo.settings import Settings
from model_zoo.training import Epoch, Examples, Recipe, forward, train
from pipelines.command_line import Parser, run_program, stop_on_terminate
from pipelines.leaving import leave
from pipelines.packing import Arrays, Scored, pack
from pipelines.samples import write_held_out
from storage import files
from transforms.batches import BadRows
from transforms.columns import apply_steps, fill_missing
from transforms.postprocess import ScoreColumns, score_columns
from transforms.preprocess import Missing, ModelInput, preprocess_rows

_WRITTEN = ("model", "shards", "shards_csv", "labels.parquet")
_EPOCHS_PER_LINE = 10


@dataclass(frozen=True)
class Part:
    """One part of the split: its rows (all columns), the network's inputs (rows, ...), and class numbers int64 (rows,)."""

    rows: pa.Table
    examples: Examples


def main(argv: Sequence[str]) -> int:
    """Train as the command line says, and return the exit status."""
    arguments = _parse(argv)
    overrides = [parse_set(text) for text in arguments.set]
    if arguments.output:
        overrides.append(("output", "'" + arguments.output.replace("'", "''") + "'"))
    job = load(TrainingJob, arguments.config, overrides)
    _refuse_overwriting(job.output, arguments.overwrite)
    table = _checked_table(job)
    parts, steps = prepare(job, table)
    with _progress(job.training.epochs, arguments.quiet) as on_epoch:
        network, epochs = _train(job, parts[0], parts[1], on_epoch)
    evaluations = {name: _evaluate(job, network, part) for name, part in zip(("validation", "test"), parts[1:], strict=True)}
    digest = _write(job, network, steps, parts, evaluations)
    if not arguments.quiet:
        _report(job, epochs, evaluations, digest)
    return 0


def prepare(job: TrainingJob, table: pa.Table) -> tuple[list[Part], tuple[Step, ...]]:
    """Split the rows into training, validation and test; fit preprocessing on the training rows alone, and apply it to all.

    Raises:
        InputError: rows that preprocessing does not take.
    """
    tables = split(job, table)
    try:
        steps, columns = fit_steps(job.preprocess, _feature_columns(job, tables[0]), tables[0].num_rows, apply_steps)
        inputs = _model_inputs(job, columns)
        return [_part(job, rows, steps, inputs) for rows in tables], steps
    except BadRows as bad:
        position, reason = min(bad.reasons.items())
        raise InputError(
            f"data set {job.data.dataset}: preprocessing does not take {len(bad.reasons)} rows, the first at {position} of its part: "
            f"{reason}; clean the data, or add data.fill or a fill step"
        ) from bad


def split(job: TrainingJob, table: pa.Table) -> list[pa.Table]:
    """Training, validation and test rows, stratified by label, each in the order of the data set."""
    labels = np.array(table.column(job.data.label).to_pylist())
    seed, share = job.training.seed, job.split.validation / (1 - job.split.test)
    try:
        rest, test = train_test_split(np.arange(table.num_rows), test_size=job.split.test, stratify=labels, random_state=seed)
        training, validation = train_test_split(rest, test_size=share, stratify=labels[rest], random_state=seed)
    except ValueError as error:
        raise JobError(f"split does not suit the {table.num_rows} rows of {job.data.dataset}: {error}") from error
    return [table.take(pa.array(np.sort(part))).combine_chunks() for part in (training, validation, test)]


def _checked_table(job: TrainingJob) -> pa.Table:
    """The data set's key, features in the order of the job, and label."""
    table = DATASETS[job.data.dataset]()
    for name in (job.data.key, job.data.label, *(job.data.features or ()), *job.data.fill):
        if name not in table.column_names:
            raise JobError(f"data set {job.data.dataset} has no column {name!r}{nearest(name, table.column_names)}")
    found = set(table.column(job.data.label).to_pylist())
    if found != set(job.data.labels):
        raise JobError(f"data.labels must be the values of {job.data.label}: {sorted(found)}, got {list(job.data.labels)}")
    features = job.data.features or [n for n in table.column_names if n not in (job.data.key, job.data.label)]
    return table.select([job.data.key, *features, job.data.label])


def _features(job: TrainingJob, rows: pa.Table) -> pa.Table:
    return rows.drop_columns([job.data.key, job.data.label])


def _feature_columns(job: TrainingJob, rows: pa.Table) -> dict[str, pa.Array]:
    """Features with the contract's fills in place, as scoring hands them to the steps."""
    features = {name: rows.column(name).combine_chunks() for name in _features(job, rows).column_names}
    return features | {name: fill_missing(features[name], value) for name, value in job.data.fill.items()}


def _model_inputs(job: TrainingJob, columns: dict[str, Any]) -> dict[str, ModelInput]:
    """What the network takes, read off what preprocessing made of the training rows."""
    if absent := [name for name in job.network.inputs if name not in columns]:
        raise JobError(f"network.inputs names {absent[0]!r}, but preprocessing gives {sorted(columns)}")
    arrays = {name: np.asarray(columns[name]) for name in job.network.inputs}
    return {name: ModelInput(str(array.dtype), array.shape[1:]) for name, array in arrays.items()}


def _part(job: TrainingJob, rows: pa.Table, steps: Sequence[Step], inputs: dict[str, ModelInput]) -> Part:
    """Preprocessed by the very function that scoring uses, missing-value policy included."""
    features = _features(job, rows)
    missing = [Missing(n, "fill" if n in job.data.fill else job.data.missing, job.data.fill.get(n)) for n in features.column_names]
    arrays = preprocess_rows(features.to_batches()[0], missing, steps, inputs)
    numbers = {label: number for number, label in enumerate(job.data.labels)}
    classes = np.array([numbers[v] for v in rows.column(job.data.label).to_pylist()], dtype=np.int64)
    return Part(rows, Examples(arrays, classes))


def _train(
    job: TrainingJob, training: Part, validation: Part, on_epoch: Callable[[Epoch], None]
) -> tuple[nn.Module, tuple[Epoch, ...]]:
    network, recipe = job.network, Recipe(**job.training.model_dump())
    examples = (training.examples, validation.examples)
    return train(network.builder, network.parameters, *examples, network.activation, recipe, on_epoch)


def _evaluate(job: TrainingJob, network: nn.Module, part: Part) -> Evaluation:
    """Metrics of labels and probabilities that the postprocessing of scoring makes."""
    wanted = "probability" if job.network.activation == "sigmoid" else "probabilities"
    outputs: Arrays = forward(network, part.examples.inputs)
    columns = score_columns(outputs, ScoreColumns(job.network.activation, job.data.labels), [wanted, "label"])
    scores = columns[wanted].to_numpy() if wanted == "probability" else np.stack(columns[wanted].to_numpy(zero_copy_only=False))
    return evaluate(part.rows.column(job.data.label).to_pylist(), columns["label"].to_pylist(), job.data.labels, scores)


def _write(
    job: TrainingJob, network: nn.Module, steps: tuple[Step, ...], parts: Sequence[Part], evaluations: dict[str, Evaluation]
) -> str:
    """Replace what an earlier training left, then load the package as scoring will: it must pass its own smoke batch."""
    for name in _WRITTEN:
        files.remove(files.join(job.output, name))
    inputs = parts[0].examples.inputs
    digest = pack(job, network, steps, Scored(_features(job, parts[0].rows), inputs, forward(network, inputs)), evaluations)
    load_scorer(read_package(files.join(job.output, "model"), digest), "cpu", Settings(batch_rows=256), threads=1)
    write_held_out(parts[2].rows, job.output, job.data.key, job.data.label, job.shards)
    return digest


def _refuse_overwriting(output: str, overwrite: bool) -> None:
    standing = [name for name in _WRITTEN if files.exists(files.join(output, name))]
    if standing and not overwrite:
        raise JobError(f"{output} holds {standing[0]} already; choose another --output, or replace it with --overwrite")


@contextmanager
def _progress(epochs: int, quiet: bool) -> Iterator[Callable[[Epoch], None]]:
    """What to call after each epoch: a bar on a terminal, plain lines elsewhere."""
    with tqdm(total=epochs, unit=" epochs", desc="training", disable=quiet or not sys.stderr.isatty()) as bar:

        def show(epoch: Epoch) -> None:
            bar.update()
            bar.set_postfix(training=f"{epoch.training_loss:.4f}", validation=f"{epoch.validation_loss:.4f}")
            if bar.disable and not quiet and epoch.number % _EPOCHS_PER_LINE == 0:
                losses = f"training loss {epoch.training_loss:.4f}, validation loss {epoch.validation_loss:.4f}"
                print(f"epoch {epoch.number} of at most {epochs}: {losses}", file=sys.stderr)

        yield show


def _report(job: TrainingJob, epochs: Sequence[Epoch], evaluations: dict[str, Evaluation], digest: str) -> None:
    best = [e for e in epochs if e.best][-1]
    print(f"trained {len(epochs)} epochs; kept the weights of epoch {best.number}, validation loss {best.validation_loss:.4f}")
    for name, evaluation in evaluations.items():
        print(f"\n{name}\n{render(evaluation)}")
    print(f"\nmodel package  {files.join(job.output, 'model')}  (digest {digest[:12]})")
    print(f"held-out rows  {files.join(job.output, 'shards')}")


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = Parser("pipelines.train", "Train a model and write its package, the held-out rows as shards, and their labels.")
    parser.add_argument("--config", required=True, metavar="FILE", help="the training job, one YAML file")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="override one field: --set training.seed=1")
    parser.add_argument("--output", metavar="FOLDER", help="where to write (default: the job's output)")
    parser.add_argument("--overwrite", action="store_true", help="replace the package and shards that stand there")
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    arguments, unknown = parser.parse_known_args(list(argv))
    parser.refuse_unknown(unknown)
    return arguments


if __name__ == "__main__":
    stop_on_terminate()
    leave(run_program(main))
