"""Train a model on a bundled data set and write everything that scoring needs: package, held-out shards, their labels.

python -m pipelines.train --config configs/train_breast_cancer.yaml
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
import sys

import numpy as np
import pyarrow as pa
from safetensors.torch import save
from torch import nn
from tqdm import tqdm

from configs.errors import JobError
from configs.load import load, parse_set
from configs.steps import Step
from configs.training import TrainingJob
from model_zoo.datasets import DATASETS
from model_zoo.evaluation import Evaluation, evaluate, render
from model_zoo.fitting import fit_steps
from model_zoo.package import PROFILE, SMOKE, write_package
from model_zoo.profile import profile_table
from model_zoo.training import Epoch, Examples, Recipe, forward, probabilities, train
from pipelines.command_line import Parser, leave, run_program, stop_on_terminate
from pipelines.samples import parquet_bytes, write_held_out
from storage import files
from transforms.columns import apply_steps

_SMOKE_ROWS = 16
_LIBRARIES = ("numpy", "pandas", "pillow", "pyarrow", "scikit-learn", "torch")


@dataclass(frozen=True)
class Part:
    """One part of the split: its rows, and what the network is trained or tested on."""

    rows: pa.Table
    examples: Examples


def main(argv: Sequence[str]) -> int:
    """Train as the command line says, and return the exit status."""
    arguments = _parse(argv)
    overrides = [parse_set(text) for text in arguments.set]
    if arguments.output:
        overrides.append(("output", "'" + arguments.output.replace("'", "''") + "'"))
    job = load(TrainingJob, arguments.config, overrides)
    _make_room(job.output, arguments.overwrite)
    train_part, validation_part, test_part, steps = _prepare(job)
    network = _train(job, train_part, validation_part, arguments.quiet)
    evaluations = {name: _evaluate(job, network, part) for name, part in (("validation", validation_part), ("test", test_part))}
    digest = _write_package(job, network, steps, train_part, evaluations)
    written = write_held_out(test_part.rows, job.output, job.data.key, job.data.label, job.shards)
    if not arguments.quiet:
        for name, evaluation in evaluations.items():
            print(f"{name}: \n{render(evaluation)}")
        print(f"model package: {files.join(job.output, 'model')} (digest {digest[:12]})")
        print("held-out rows: " + ", ".join(written))
    return 0


def _make_room(output: str, overwrite: bool) -> None:
    if files.exists(files.join(output, "model/model.yaml")):
        if not overwrite:
            raise JobError(
                f"{output}/model holds a model package, and packages never change; choose another --output, or --overwrite"
            )
        for name in ("model", "shards", "shards_csv", "labels.parquet"):
            files.remove(files.join(output, name))


def _prepare(job: TrainingJob) -> tuple[Part, Part, Part, tuple[Step, ...]]:
    """Split the data set, fit preprocessing on the training rows alone, and apply it to all."""
    table = DATASETS[job.data.dataset]()
    tables = _split(job, table)
    features = _features(job, table.schema)
    columns = _columns(tables[0], features)
    steps, _ = fit_steps(job.preprocess, columns, tables[0].num_rows, apply_steps)
    train_part, validation_part, test_part = (_part(job, t, features, steps) for t in tables)
    return train_part, validation_part, test_part, steps


def _split(job: TrainingJob, table: pa.Table) -> list[pa.Table]:
    from sklearn.model_selection import train_test_split

    labels = np.array(table.column(job.data.label).to_pylist())
    everything = np.arange(table.num_rows)
    rest, test = train_test_split(everything, test_size=job.split.test, stratify=labels, random_state=job.training.seed)
    share = job.split.validation / (1 - job.split.test)
    training, validation = train_test_split(rest, test_size=share, stratify=labels[rest], random_state=job.training.seed)
    return [table.take(pa.array(np.sort(part))).combine_chunks() for part in (training, validation, test)]


def _part(job: TrainingJob, rows: pa.Table, features: Sequence[str], steps: Sequence[Step]) -> Part:
    columns = apply_steps(steps, _columns(rows, features), rows.num_rows)
    if missing := [name for name in job.network.inputs if not isinstance(columns.get(name), np.ndarray)]:
        raise JobError(
            f"network.inputs names {missing[0]!r}, but preprocessing makes no such array; its columns are {sorted(columns)}"
        )
    inputs = {name: np.asarray(columns[name]) for name in job.network.inputs}
    numbers = {label: number for number, label in enumerate(job.data.labels)}
    classes = np.array([numbers[v] for v in rows.column(job.data.label).to_pylist()], dtype=np.int64)
    return Part(rows, Examples(inputs, classes))


def _features(job: TrainingJob, schema: pa.Schema) -> list[str]:
    return [name for name in schema.names if name not in (job.data.key, job.data.label)]


def _columns(rows: pa.Table, features: Sequence[str]) -> dict[str, pa.Array]:
    return {name: rows.column(name).combine_chunks() for name in features}


def _train(job: TrainingJob, training: Part, validation: Part, quiet: bool) -> nn.Module:
    how = job.training
    with tqdm(total=how.epochs, unit=" epochs", desc="training", disable=quiet or not sys.stderr.isatty()) as bar:

        def on_epoch(epoch: Epoch) -> None:
            bar.update()
            bar.set_postfix(train=f"{epoch.training_loss:.4f}", validation=f"{epoch.validation_loss:.4f}")
            if not quiet and bar.disable and epoch.number % 10 == 0:
                losses = f"loss {epoch.training_loss:.4f}, validation {epoch.validation_loss:.4f}"
                print(f"training: epoch {epoch.number}, {losses}", file=sys.stderr)

        network, _ = train(
            job.network.builder,
            job.network.parameters,
            training.examples,
            validation.examples,
            job.network.activation,
            Recipe(**how.model_dump()),
            on_epoch,
        )
    return network


def _evaluate(job: TrainingJob, network: nn.Module, part: Part) -> Evaluation:
    scores = probabilities(forward(network, part.examples.inputs), job.network.activation)
    predicted = (scores >= 0.5).astype(int) if scores.ndim == 1 else scores.argmax(axis=1)
    truth = part.rows.column(job.data.label).to_pylist()
    return evaluate(truth, [job.data.labels[c] for c in predicted], job.data.labels, scores)


def _write_package(
    job: TrainingJob, network: nn.Module, steps: tuple[Step, ...], training: Part, evaluations: dict[str, Evaluation]
) -> str:
    features = _features(job, training.rows.schema)
    smoke = {n: a[:_SMOKE_ROWS] for n, a in training.examples.inputs.items()}
    outputs = forward(network, smoke)
    card = {
        "name": job.name,
        "version": job.version,
        "builder": job.network.builder,
        "parameters": job.network.parameters,
        "columns": [{"name": n, "type": str(training.rows.schema.field(n).type), "missing": job.data.missing} for n in features],
        "inputs": {n: {"dtype": str(a.dtype), "shape": list(a.shape[1:])} for n, a in smoke.items()},
        "outputs": {n: {"dtype": str(a.dtype), "shape": list(a.shape[1:])} for n, a in outputs.items()},
        "activation": job.network.activation,
        "labels": list(job.data.labels),
        "metrics": {name: e.as_dict() for name, e in evaluations.items()},
        "libraries": {name: version(name) for name in _LIBRARIES},
    }
    tensors = {"input": smoke, "output": outputs}
    smoke_table = training.rows.select(features).slice(0, _SMOKE_ROWS)
    for prefix, arrays in tensors.items():
        for name, array in arrays.items():
            smoke_table = smoke_table.append_column(f"{prefix}.{name}", _as_column(array))
    contents = {
        "weights.safetensors": save({n: t.contiguous() for n, t in network.state_dict().items()}),
        SMOKE: parquet_bytes(smoke_table),
        PROFILE: parquet_bytes(profile_table(training.rows.select(features), forward(network, training.examples.inputs))),
    }
    return write_package(files.join(job.output, "model"), card, steps, contents)


def _as_column(array: np.ndarray) -> pa.Array:
    flat = pa.array(np.ascontiguousarray(array).reshape(-1))
    return flat if array.ndim == 1 else pa.FixedSizeListArray.from_arrays(flat, int(np.prod(array.shape[1:])))


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
