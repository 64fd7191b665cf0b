"""Missing values of columns, null or NaN, of lists too: which they are, and what takes their place."""

from functools import lru_cache

import numpy as np
import pyarrow as pa
from pyarrow import Array, DataType
import pyarrow.compute as pc
from pyarrow.types import is_float16, is_floating, is_large_string, is_string

from configs.errors import JobError
from model_zoo.steps.categories import fill_indices, is_kept_in_dictionary
from model_zoo.steps.columns import Column, Scalar, is_number, to_arrow
from model_zoo.steps.lists import fill_items, find_item_type, find_lists_with_missing, is_list


def find_missing(column: Array) -> np.ndarray | None:
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


def missing_mask(column: Array) -> Array | None:
    """Return which values are missing, or None when it is cheap to see that none is.

    A list that holds a missing item counts as missing.
    """
    if is_list(column.type):
        return find_lists_with_missing(column)
    if _is_complete(column):
        return None
    return pc.is_null(column, nan_is_null=True)


def fill_missing(column: Column, value: Scalar) -> Array:
    """Return a column with `value` in place of null and NaN; its type stays.

    Args:
        column: Arrow array or numpy array, (rows,).
        value: what takes the place of a missing one, or of a missing item of a list; a list that is
            missing as a whole becomes an empty one.

    Raises:
        JobError: the value does not fit the column's type.
    """
    array = to_arrow(column)
    if is_kept_in_dictionary(array):
        fill = _make_fill(value, array.type.value_type)
        return fill_indices(array, fill)
    fill = _make_fill(value, array.type)
    # Most batches have none, and are not copied.
    if _is_complete(array):
        return array
    if is_list(array.type):
        return fill_items(array, fill)
    # Half as long, where nulls alone are missing, as in files they are.
    if _has_plain_values(array.type):
        filled = pc.fill_null(array, fill)
        if not _has_nan(filled):
            return filled
    missing = pc.is_null(array, nan_is_null=True)
    return pc.if_else(missing, fill, array)


# It takes as long as to fill some thousand rows. By type, as True equals 1.
@lru_cache(maxsize=1024, typed=True)
def _make_fill(value: Scalar, dtype: DataType) -> pa.Scalar:
    """Return a value in the type of a column, or of the items of its lists.

    Raises:
        JobError: it does not fit.
    """
    try:
        # Not pa.scalar(value, type): that would cut 0.5 down to 0 for an integer column, in silence.
        exact = pa.scalar(value)
        item_type = find_item_type(dtype)
        return exact.cast(item_type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        kind = type(value).__name__
        raise JobError(
            f"fill value of type {kind} does not fit a column of type {dtype}"
        ) from error


def _is_complete(column: Array) -> bool:
    """Tell whether it is cheap to see that no value of a column is missing."""
    if is_list(column.type):
        return find_lists_with_missing(column) is None
    return column.null_count == 0 and not _has_nan(column)


def _has_plain_values(dtype: DataType) -> bool:
    """Tell whether Arrow puts a value in place of nulls as fast as it copies."""
    if is_float16(dtype):
        return False
    return is_number(dtype) or is_string(dtype) or is_large_string(dtype)


def _has_nan(column: Array) -> bool:
    """Tell whether a column without nulls has a NaN."""
    if not is_floating(column.type):
        return False
    values = column.to_numpy(zero_copy_only=False)
    # The largest of values with a NaN among them is NaN: four times as fast as their sum.
    largest = np.maximum.reduce(values, initial=-np.inf)
    return bool(np.isnan(largest))
