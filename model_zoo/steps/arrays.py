"""Columns between steps: Arrow arrays by name at first, numpy arrays (rows, ...) once a step has made numbers of them."""

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from configs.errors import JobError, RejectedRows, RowError

Column: TypeAlias = pa.Array | np.ndarray
Columns: TypeAlias = Mapping[str, Column]
Scalar = bool | int | float | str


def get_column(columns: Columns, name: str, step: str) -> Column:
    """Return the column that a step names.

    Args:
        step: the word of the step, for the message.

    Raises:
        JobError: there is no such column.
    """
    if name not in columns:
        raise JobError(
            f"preprocess step {step} names column {name!r}, but the columns are {sorted(columns)}"
        )
    return columns[name]


def to_arrow(column: Column) -> pa.Array:
    """Return a flat column as an Arrow array."""
    return column if isinstance(column, pa.Array) else pa.array(column)


def to_numpy(column: Column) -> np.ndarray:
    """Return a numeric column as a numpy array, without a copy where its buffer allows that.

    Nulls become NaN; booleans stay booleans.

    Raises:
        JobError: the column is not numeric.
    """
    if isinstance(column, np.ndarray):
        return column
    if not is_number(column.type):
        raise JobError(
            f"a column of type {column.type} is not a number; encode it (one_hot, ordinal) or decode "
            "it (image) first"
        )
    return column.to_numpy(zero_copy_only=False)


def to_floats(column: Column) -> np.ndarray:
    """Return a numeric column as floats, which keep their width; whole numbers become float64."""
    values = to_numpy(column)
    return values if values.dtype in (np.float32, np.float64) else values.astype(np.float64)


def is_number(dtype: pa.DataType) -> bool:
    """Tell whether values of an Arrow type are integers, floats or booleans."""
    return bool(
        pa.types.is_integer(dtype) or pa.types.is_floating(dtype) or pa.types.is_boolean(dtype)
    )


def cast_array(name: str, values: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
    """Return an array (rows, ...) in another dtype.

    Args:
        name: of the column, for the message.
        values: any numeric array.
        dtype: what it becomes.

    Raises:
        RejectedRows: rows with a value that the dtype cannot hold.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        result = values.astype(dtype)
        changed = _changed_values(values, result)
    if changed.any():
        reason = RowError(f"column {name!r}: value does not fit {dtype}")
        rows = np.flatnonzero(changed.reshape(len(changed), -1).any(axis=1))
        raise RejectedRows(dict.fromkeys(rows.tolist(), reason))
    return result


def find_missing(column: pa.Array) -> np.ndarray | None:
    """Return the positions (int64) of missing values: null and, in floating columns, NaN.

    None means that there are none, which is cheap to see.
    """
    missing = missing_mask(column)
    if missing is None:
        return None
    positions = np.flatnonzero(missing.to_numpy(zero_copy_only=False))
    return positions if len(positions) else None


def missing_mask(column: pa.Array) -> pa.Array | None:
    """Return which values are missing, or None when it is cheap to see that none is."""
    if column.null_count == 0:
        if not pa.types.is_floating(column.type):
            return None
        # The largest of values with a NaN among them is NaN: four times as fast as their sum.
        values = column.to_numpy(zero_copy_only=False)
        if not np.isnan(np.maximum.reduce(values, initial=-np.inf)):
            return None
    return pc.is_null(column, nan_is_null=True)


def fill_missing(column: Column, value: Scalar) -> pa.Array:
    """Return a column with `value` in place of null and NaN; its type stays.

    Raises:
        JobError: the value does not fit the column's type.
    """
    array = to_arrow(column)
    try:
        # Not pa.scalar(value, type): that would cut 0.5 down to 0 for an integer column, in silence.
        fill = pa.scalar(value).cast(array.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise JobError(
            f"fill value of type {type(value).__name__} does not fit a column of type {array.type}"
        ) from error
    missing = missing_mask(array)
    return array if missing is None else pc.if_else(missing, fill, array)


def _changed_values(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Tell where a cast lost the value: an integer that differs, or a float that became infinite."""
    if after.dtype.kind == "f":
        return np.isinf(after) & np.isfinite(before)
    not_a_number = np.isnan(before) if before.dtype.kind == "f" else False
    return (after != before) | not_a_number
