"""A trained network and its training rows -> the content of a model package."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

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
_LIBRARIES = ("numpy", "pandas", "pillow", "pyarrow", "scikit-learn", "torch")


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
    evaluations: Mapping[str, Evaluation],
) -> str:
    """Write `model/` below the job's output, and return the package's digest.

    Args:
        job: the job.
        network: the trained network.
        steps: fitted preprocessing.
        training: the rows that the network was trained on.
        evaluations: by name of the part of the split.
    """
    # safetensors takes no tensor that is a view of another.
    weights = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    smoke = make_smoke_table(training, _SMOKE_ROWS)
    profile = profile_table(_list_features(training.rows), _list_scores(job, training.outputs))
    contents = {
        "weights.safetensors": save(weights),
        SMOKE: to_parquet(smoke),
        PROFILE: to_parquet(profile),
    }
    card = make_card(job, training, evaluations)
    return write_package(files.join(job.output, "model"), card, steps, contents)


def make_card(
    job: FittingJob, training: TrainingRows, evaluations: Mapping[str, Evaluation]
) -> dict[str, Any]:
    """Return the fields of `model.yaml`.

    What the network takes and gives is read off what it took and gave.

    Args:
        job: the job.
        training: the rows that the network was trained on.
        evaluations: by name of the part of the split.
    """
    return {
        "name": job.name,
        "version": job.version,
        "builder": job.network.builder,
        "parameters": job.network.parameters,
        "columns": [_describe_column(job, field) for field in training.rows.schema],
        "inputs": _describe_arrays(training.inputs),
        "outputs": _describe_arrays(training.outputs),
        "activation": job.network.activation,
        "labels": list(job.data.labels),
        "metrics": {name: evaluation.as_dict() for name, evaluation in evaluations.items()},
        "libraries": {name: version(name) for name in _LIBRARIES},
    }


def make_smoke_table(training: TrainingRows, rows: int) -> pa.Table:
    """Return the first rows: the contract's columns, then `input.<name>` and `output.<name>`.

    Args:
        training: the rows that the network was trained on.
        rows: how many.
    """
    table = training.rows.slice(0, rows)
    for prefix, arrays in (("input", training.inputs), ("output", training.outputs)):
        for name, array in arrays.items():
            table = table.append_column(f"{prefix}.{name}", to_column(array[:rows]))
    return table


def _describe_column(job: FittingJob, field: pa.Field) -> dict[str, Any]:
    column: dict[str, Any] = {"name": field.name, "type": str(field.type)}
    if field.name not in job.data.fill:
        return {**column, "missing": job.data.missing}
    return {**column, "missing": "fill", "fill": job.data.fill[field.name]}


def _describe_arrays(arrays: Arrays) -> dict[str, Any]:
    return {
        name: {"dtype": str(array.dtype), "shape": list(array.shape[1:])}
        for name, array in arrays.items()
    }


def _list_features(rows: pa.Table) -> dict[str, pa.Array]:
    return {name: rows.column(name).combine_chunks() for name in rows.column_names}


def _list_scores(job: FittingJob, outputs: Arrays) -> dict[str, pa.Array]:
    """Return the scores that a reader sees, and the raw outputs, one column per class."""
    how = ScoreColumns(job.network.activation, job.data.labels)
    scores = score_columns(outputs, how, ("probability", "label"))
    for name, array in outputs.items():
        wide = array.reshape(len(array), -1)
        classes = wide.shape[1]
        for number in range(classes):
            # Arrow takes over only what lies side by side in memory.
            values = np.ascontiguousarray(wide[:, number])
            column = name if classes == 1 else f"{name}[{number}]"
            scores[column] = pa.array(values)
    return scores
