"""What steps do with columns that may refuse them, or rows of them: look up, cast, fill, reject."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from configs.errors import JobError, RejectedRows, RowError
from model_zoo.steps.columns import Column, Columns, Scalar, is_number, to_arrow
from model_zoo.steps.lists import fill_items, find_item_type, find_lists_with_missing, is_list


def get_column(columns: Columns, name: str, step: str) -> Column:
    """Return the column that a step names.

    Args:
        columns: all columns, by name.
        name: of the column.
        step: the word of the step, for the message.

    Raises:
        JobError: there is no such column.
    """
    if name not in columns:
        known = sorted(columns)
        raise JobError(f"preprocess step {step} names column {name!r}, but the columns are {known}")
    return columns[name]


def get_numbers(columns: Columns, name: str, step: str) -> np.ndarray:
    """Return a numeric column that a step names, (rows, ...), without a copy where that can be.

    Nulls become NaN. Booleans stay booleans; with nulls among them they are Python objects.

    Args:
        columns: all columns, by name.
        name: of the column.
        step: the word of the step, for the message.

    Raises:
        JobError: there is no such column, or it is not numeric.
    """
    column = get_column(columns, name, step)
    if isinstance(column, np.ndarray):
        return column
    if not is_number(column.type):
        raise JobError(
            f"preprocess step {step}: column {name!r} of type {column.type} is not a number; "
            "encode it (one_hot, ordinal) or decode it (image) first"
        )
    return column.to_numpy(zero_copy_only=False)


def holds_numbers(dtype: pa.DataType) -> bool:
    """Tell whether values are lists of integers, floats or booleans, however deep."""
    item_type = find_item_type(dtype)
    return is_list(dtype) and is_number(item_type)


def to_matrix(columns: Columns, names: Sequence[str], step: str) -> np.ndarray:
    """Return numeric columns side by side, float64 (rows, numbers); a missing value is NaN.

    Args:
        columns: all columns, by name.
        names: of those that are wanted, of one number a row or of several.
        step: the word of the step, for messages.

    Raises:
        JobError: there is no such column, or it is not numeric.
    """
    parts = []
    for name in names:
        numbers = get_numbers(columns, name, step)
        flat = numbers.reshape(len(numbers), -1)
        parts.append(flat.astype(np.float64))
    return np.concatenate(parts, axis=1)


def cast_array(
    name: str,
    values: np.ndarray,
    dtype: np.dtype[Any],
) -> np.ndarray:
    """Return an array (rows, ...) in another dtype.

    Args:
        name: of the column, for the message.
        values: any numeric array.
        dtype: what it becomes.

    Raises:
        RejectedRows: rows with a value that the dtype cannot hold.
    """
    # numpy warns about values that do not fit; here they are found and named instead.
    with np.errstate(invalid="ignore", over="ignore"):
        result = values.astype(dtype)
        is_changed = _find_changed(values, result)
    reject_where(is_changed, f"column {name!r}: value does not fit {dtype}")
    return result


def reject_where(is_bad: np.ndarray, why: str) -> None:
    """Reject the rows that have a bad value.

    Args:
        is_bad: bool (rows, ...).
        why: names the column, and no value.

    Raises:
        RejectedRows: there are such rows.
    """
    # A batch without any, as nearly all are, is looked at once.
    if not is_bad.any():
        return
    values_of_rows = is_bad.reshape(len(is_bad), -1)
    row_is_bad = values_of_rows.any(axis=1)
    rows = np.flatnonzero(row_is_bad)
    reason = RowError(why)
    positions = rows.tolist()
    raise RejectedRows(dict.fromkeys(positions, reason))


def find_missing(column: pa.Array) -> np.ndarray | None:
    """Return the positions (int64) of missing values: null and, in floating columns, NaN.

    None means that there are none, which is cheap to see.
    """
    missing = missing_mask(column)
    if missing is None:
        return None
    # Booleans are bits in Arrow, which numpy cannot look at without a copy.
    is_missing = missing.to_numpy(zero_copy_only=False)
    positions = np.flatnonzero(is_missing)
    if len(positions):
        return positions
    return None


def missing_mask(column: pa.Array) -> pa.Array | None:
    """Return which values are missing, or None when it is cheap to see that none is.

    A list that holds a missing item counts as missing.
    """
    if is_list(column.type):
        return find_lists_with_missing(column)
    if column.null_count == 0 and not _has_nan(column):
        return None
    return pc.is_null(column, nan_is_null=True)


def fill_missing(column: Column, value: Scalar) -> pa.Array:
    """Return a column with `value` in place of null and NaN; its type stays.

    Args:
        column: Arrow array or numpy array, (rows,).
        value: what takes the place of a missing one, or of a missing item of a list; a list that is
            missing as a whole becomes an empty one.

    Raises:
        JobError: the value does not fit the column's type.
    """
    array = to_arrow(column)
    try:
        # Not pa.scalar(value, type): that would cut 0.5 down to 0 for an integer column, in silence.
        fill = pa.scalar(value)
        item_type = find_item_type(array.type)
        fill = fill.cast(item_type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        kind = type(value).__name__
        raise JobError(
            f"fill value of type {kind} does not fit a column of type {array.type}"
        ) from error

    missing = missing_mask(array)
    # Most batches have none, and are not copied.
    if missing is None:
        return array
    if is_list(array.type):
        return fill_items(array, fill)
    return pc.if_else(missing, fill, array)


def _has_nan(column: pa.Array) -> bool:
    """Tell whether a column without nulls has a NaN."""
    if not pa.types.is_floating(column.type):
        return False
    values = column.to_numpy(zero_copy_only=False)
    # The largest of values with a NaN among them is NaN: four times as fast as their sum.
    largest = np.maximum.reduce(values, initial=-np.inf)
    return bool(np.isnan(largest))


def _find_changed(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Tell where a cast lost the value: an integer that differs, or a float that became infinite."""
    if after.dtype.kind == "f":
        is_infinite: np.ndarray = np.isinf(after)
        # Nearly always none is, and what it was before needs no look.
        if not is_infinite.any():
            return is_infinite
        was_finite = np.isfinite(before)
        return is_infinite & was_finite
    is_changed: np.ndarray = after != before
    # Only floats have NaN, which no integer can stand for.
    if before.dtype.kind == "f":
        was_nan = np.isnan(before)
        is_changed = is_changed | was_nan
    return is_changed
