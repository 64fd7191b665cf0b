"""A trained network and its training rows -> the content of a model package."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from safetensors.torch import save
from torch import nn

from model_zoo.arrays import Arrays
from model_zoo.evaluation.data_profile import profile_table
from model_zoo.evaluation.metrics import Evaluation
from model_zoo.package.package import PROFILE, SMOKE, write_package
from model_zoo.steps.table import AnyStep
from model_zoo.tensor_columns import to_column
from pipelines.planning.jobs import FittingJob
from pipelines.training.held_out import to_parquet
from storage import files
from transforms.score_columns import ScoreColumns, score_columns

# Enough that every kind of row may be among them, few enough that loading a model stays quick.
_SMOKE_ROWS = 16
# What trains the model: other versions of it may round otherwise.
_LIBRARIES = ("numpy", "pandas", "pillow", "pyarrow", "scikit-learn", "torch")
# By name of the part of the split.
Evaluations: TypeAlias = Mapping[str, Evaluation]
Columns: TypeAlias = dict[str, pa.Array]
# As YAML holds them.
Fields: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class TrainingRows:
    """Rows of the data set with what the network takes and gives for them.

    Attributes:
        rows: the features, first to last as the contract names them.
        inputs, outputs: arrays (rows, ...) by name.
    """

    rows: pa.Table
    inputs: Arrays
    outputs: Arrays


def pack(
    job: FittingJob,
    network: nn.Module,
    steps: tuple[AnyStep, ...],
    training: TrainingRows,
    evaluations: Evaluations,
) -> str:
    """Write `model/` below the job's output, and return the package's digest.

    Args:
        job: the job.
        network: the trained network.
        steps: fitted preprocessing.
        training: the rows that the network was trained on.
        evaluations: by name of the part of the split.
    """
    weights = {}
    for name, tensor in network.state_dict().items():
        # safetensors takes no tensor that is a view of another.
        weights[name] = tensor.contiguous()
    smoke = make_smoke_table(training, _SMOKE_ROWS)
    features = _list_features(training.rows)
    scores = _list_scores(job, training.outputs)
    profile = profile_table(features, scores)
    contents = {
        "weights.safetensors": save(weights),
        SMOKE: to_parquet(smoke),
        PROFILE: to_parquet(profile),
    }
    card = make_card(job, training, evaluations)
    folder = files.join(job.output, "model")
    return write_package(folder, card, steps, contents)


def make_card(job: FittingJob, training: TrainingRows, evaluations: Evaluations) -> Fields:
    """Return the fields of `model.yaml`.

    What the network takes and gives is read off what it took and gave.

    Args:
        job: the job.
        training: the rows that the network was trained on.
        evaluations: by name of the part of the split.
    """
    network = job.network
    columns = [_describe_column(job, field) for field in training.rows.schema]
    metrics = {name: evaluation.as_dict() for name, evaluation in evaluations.items()}
    # The digest of a package depends on the order of these keys.
    return {
        "name": job.name,
        "version": job.version,
        "builder": network.builder,
        "parameters": network.parameters,
        "columns": columns,
        "inputs": _describe_arrays(training.inputs),
        "outputs": _describe_arrays(training.outputs),
        "activation": network.activation,
        "labels": list(job.data.labels),
        "metrics": metrics,
        "libraries": {name: version(name) for name in _LIBRARIES},
    }


def make_smoke_table(training: TrainingRows, rows: int) -> pa.Table:
    """Return the first rows: the contract's columns, then `input.<name>` and `output.<name>`.

    Args:
        training: the rows that the network was trained on.
        rows: how many.
    """
    table = training.rows.slice(0, rows)
    table = _append_arrays(table, "input", training.inputs, rows)
    return _append_arrays(table, "output", training.outputs, rows)


def _append_arrays(table: pa.Table, prefix: str, arrays: Arrays, rows: int) -> pa.Table:
    for name, array in arrays.items():
        column = to_column(array[:rows])
        table = table.append_column(f"{prefix}.{name}", column)
    return table


def _describe_column(job: FittingJob, field: pa.Field) -> Fields:
    name = field.name
    fill = job.data.fill
    column: Fields = {"name": name, "type": str(field.type)}
    if name in fill:
        column["missing"] = "fill"
        column["fill"] = fill[name]
    else:
        column["missing"] = job.data.missing
    return column


def _describe_arrays(arrays: Arrays) -> Fields:
    tensors: Fields = {}
    for name, array in arrays.items():
        dtype = str(array.dtype)
        row_shape = list(array.shape[1:])
        tensors[name] = {"dtype": dtype, "shape": row_shape}
    return tensors


def _list_features(rows: pa.Table) -> Columns:
    features: Columns = {}
    for name in rows.column_names:
        column = rows.column(name)
        features[name] = column.combine_chunks()
    return features


def _list_scores(job: FittingJob, outputs: Arrays) -> Columns:
    """Return the scores that a reader sees, and the raw outputs, one column per class."""
    how = ScoreColumns(job.network.activation, job.data.labels)
    scores = score_columns(outputs, how, ("probability", "label"))
    for name, array in outputs.items():
        # (rows, ...) -> (rows, numbers of a row)
        wide = array.reshape(len(array), -1)
        numbers = wide.shape[1]
        for number in range(numbers):
            column = name
            if numbers > 1:
                column = f"{name}[{number}]"
            # Arrow takes over only what lies side by side in memory.
            values = np.ascontiguousarray(wide[:, number])
            scores[column] = pa.array(values)
    return scores
