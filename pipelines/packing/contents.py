"""What any model package holds beside its weights, read off a model and rows that it scored."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from model_zoo.arrays import Arrays
from model_zoo.evaluation.data_profile import profile_table
from model_zoo.tensor_columns import to_column
from transforms.score_columns import ScoreColumns, score_columns

# Enough that every kind of row may be among them, few enough that loading a model stays quick.
_SMOKE_ROWS = 16
Columns: TypeAlias = dict[str, pa.Array]
# As YAML holds them.
Fields: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class ScoredRows:
    """Rows with what the network takes and gives for them.

    Attributes:
        rows: the model's columns, first to last as the contract names them.
        inputs, outputs: arrays (rows, ...) by name.
    """

    rows: pa.Table
    inputs: Arrays
    outputs: Arrays


def make_smoke_table(scored: ScoredRows, rows: int = _SMOKE_ROWS) -> pa.Table:
    """Return the first rows: the contract's columns, then `input.<name>` and `output.<name>`.

    Args:
        scored: the rows.
        rows: how many.
    """
    table = scored.rows.slice(0, rows)
    table = _append_arrays(table, "input", scored.inputs, rows)
    return _append_arrays(table, "output", scored.outputs, rows)


def make_profile(scored: ScoredRows, activation: str, labels: Sequence[str]) -> pa.Table:
    """Return the profile of the model's columns and of its scores.

    Args:
        scored: the rows.
        activation: what makes probabilities of the outputs.
        labels: class names by class number.
    """
    features: Columns = {}
    for name in scored.rows.column_names:
        column = scored.rows.column(name)
        features[name] = column.combine_chunks()
    scores = _list_scores(scored.outputs, ScoreColumns(activation, tuple(labels)))
    return profile_table(features, scores)


def describe_arrays(arrays: Arrays) -> Fields:
    """Return dtype, and shape without the rows, of arrays by name."""
    tensors: Fields = {}
    for name, array in arrays.items():
        dtype = str(array.dtype)
        row_shape = list(array.shape[1:])
        tensors[name] = {"dtype": dtype, "shape": row_shape}
    return tensors


def list_versions(libraries: Sequence[str]) -> dict[str, str]:
    """Return the versions of libraries that are installed here."""
    return {name: version(name) for name in libraries}


def _append_arrays(table: pa.Table, prefix: str, arrays: Arrays, rows: int) -> pa.Table:
    for name, array in arrays.items():
        column = to_column(array[:rows])
        table = table.append_column(f"{prefix}.{name}", column)
    return table


def _list_scores(outputs: Arrays, how: ScoreColumns) -> Columns:
    """Return the scores that a reader sees, and the raw outputs, one column per class."""
    scores: Columns = {}
    if how.activation != "none":
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
