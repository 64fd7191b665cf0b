"""A trained network and its training rows -> the content of a model package."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import pyarrow as pa
from safetensors.torch import save
from torch import nn

from configs.steps import Step
from configs.training import TrainingJob
from model_zoo.evaluation import Evaluation
from model_zoo.package import PROFILE, SMOKE, write_package
from model_zoo.profile import profile_table
from pipelines.samples import parquet_bytes
from storage import files
from transforms.postprocess import ScoreColumns, score_columns

_SMOKE_ROWS = 16
_LIBRARIES = ("numpy", "pandas", "pillow", "pyarrow", "scikit-learn", "torch")

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Scored:
    """Rows of the data set with the network's inputs and raw outputs for them, arrays (rows, ...) by name."""

    rows: pa.Table
    inputs: Arrays
    outputs: Arrays


def pack(
    job: TrainingJob, network: nn.Module, steps: tuple[Step, ...], training: Scored, evaluations: Mapping[str, Evaluation]
) -> str:
    """Write `model/` below the job's output, and return the package's digest.

    Args:
        training: the rows that the network was trained on, features first to last as the contract names them.
        evaluations: by name of the part of the split.
    """
    weights = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    contents = {
        "weights.safetensors": save(weights),
        SMOKE: parquet_bytes(smoke_table(training, _SMOKE_ROWS)),
        PROFILE: parquet_bytes(profile_table(_columns(training.rows), _profiled_scores(job, training.outputs))),
    }
    return write_package(files.join(job.output, "model"), card_of(job, training, evaluations), steps, contents)


def card_of(job: TrainingJob, training: Scored, evaluations: Mapping[str, Evaluation]) -> dict[str, Any]:
    """The fields of `model.yaml`; what the network takes and gives is read off what it took and gave."""
    return {
        "name": job.name,
        "version": job.version,
        "builder": job.network.builder,
        "parameters": job.network.parameters,
        "columns": [_contract(job, field) for field in training.rows.schema],
        "inputs": _tensors(training.inputs),
        "outputs": _tensors(training.outputs),
        "activation": job.network.activation,
        "labels": list(job.data.labels),
        "metrics": {name: evaluation.as_dict() for name, evaluation in evaluations.items()},
        "libraries": {name: version(name) for name in _LIBRARIES},
    }


def smoke_table(training: Scored, rows: int) -> pa.Table:
    """The first rows: the contract's columns, then `input.<name>` and `output.<name>`; arrays (rows, ...) as fixed-size lists."""
    table = training.rows.slice(0, rows)
    for prefix, arrays in (("input", training.inputs), ("output", training.outputs)):
        for name, array in arrays.items():
            table = table.append_column(f"{prefix}.{name}", _as_column(array[:rows]))
    return table


def _contract(job: TrainingJob, field: pa.Field) -> dict[str, Any]:
    if field.name in job.data.fill:
        return {"name": field.name, "type": str(field.type), "missing": "fill", "fill": job.data.fill[field.name]}
    return {"name": field.name, "type": str(field.type), "missing": job.data.missing}


def _tensors(arrays: Arrays) -> dict[str, Any]:
    return {name: {"dtype": str(array.dtype), "shape": list(array.shape[1:])} for name, array in arrays.items()}


def _as_column(array: np.ndarray) -> pa.Array:
    flat = pa.array(np.ascontiguousarray(array).reshape(-1))
    return flat if array.ndim == 1 else pa.FixedSizeListArray.from_arrays(flat, int(np.prod(array.shape[1:])))


def _columns(rows: pa.Table) -> dict[str, pa.Array]:
    return {name: rows.column(name).combine_chunks() for name in rows.column_names}


def _profiled_scores(job: TrainingJob, outputs: Arrays) -> dict[str, pa.Array]:
    """The scores that a reader sees, and the raw outputs, one column per class."""
    raw: dict[str, pa.Array] = {}
    for name, array in outputs.items():
        wide = array.reshape(len(array), -1)
        for number in range(wide.shape[1]):
            raw[name if wide.shape[1] == 1 else f"{name}[{number}]"] = pa.array(np.ascontiguousarray(wide[:, number]))
    return score_columns(outputs, ScoreColumns(job.network.activation, job.data.labels), ("probability", "label")) | raw
