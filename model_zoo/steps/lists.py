"""Columns of lists: which rows lack something, what takes its place, and the numbers in their places.

    [[1, 2], [3], None, [4, 5, 6]]     lengths 2, 1, 0, 3; numbers 1 2 3 4 5 6 side by side

Arrow keeps the numbers of all lists in one buffer, so nothing here looks at a row by itself.
"""

from typing import TypeAlias

import numpy as np
import pyarrow as pa
from pyarrow import Array, DataType, types
import pyarrow.compute as pc
from pyarrow.types import is_fixed_size_list, is_floating, is_large_list

_LISTS = (types.is_list, is_large_list, is_fixed_size_list)
# Of each list, int64.
Lengths: TypeAlias = np.ndarray


def is_list(dtype: DataType) -> bool:
    """Tell whether values are lists, of whatever length."""
    return any(check(dtype) for check in _LISTS)


def find_item_type(dtype: DataType) -> DataType:
    """Return the type of what is inside all lists, and any other type as it is."""
    while is_list(dtype):
        dtype = dtype.value_type
    return dtype


def count_levels(dtype: DataType) -> int:
    """Return how deep lists are: 1 for lists of numbers, 2 for lists of such lists."""
    levels = 0
    while is_list(dtype):
        dtype = dtype.value_type
        levels += 1
    return levels


def find_lists_with_missing(lists: Array) -> Array | None:
    """Return (bool) which lists are missing, or hold something missing; None where that is cheap to see.

    Args:
        lists: of numbers or other lists; NaN among floats is missing, too.
    """
    if not lists.null_count and not _has_missing_items(lists):
        return None
    missing = lists.is_null()
    found = missing.to_numpy(zero_copy_only=False)
    # A copy: what Arrow gives may be read-only, and more rows are marked below.
    is_bad = found.copy()
    # Of each value, the outermost list that it is in.
    count = len(lists)
    rows = np.arange(count, dtype=np.int64)
    values = lists
    while is_list(values.type):
        indices = pc.list_parent_indices(values)
        parents = indices.to_numpy()
        rows = rows[parents]
        values = values.flatten()
        missing = pc.is_null(values, nan_is_null=True)
        is_missing = missing.to_numpy(zero_copy_only=False)
        bad_rows = rows[is_missing]
        is_bad[bad_rows] = True
    return pa.array(is_bad)


def _has_missing_items(lists: Array) -> bool:
    """Tell whether anything is missing inside lists, without asking which list it is in."""
    # One list may have a hundred million items, and to number them takes many times their memory.
    values = lists
    while is_list(values.type):
        values = values.flatten()
        if values.null_count:
            return True
    if not is_floating(values.type):
        return False
    # The largest of values with a NaN among them is NaN.
    numbers = values.to_numpy(zero_copy_only=False)
    largest = np.maximum.reduce(numbers, initial=-np.inf)
    return bool(np.isnan(largest))


def fill_items(lists: Array, fill: pa.Scalar) -> Array:
    """Return lists with a value in place of their missing items; a missing list becomes an empty one.

    Args:
        lists: of numbers or of other lists.
        fill: a value of the type of the items.
    """
    if not is_list(lists.type):
        is_missing = pc.is_null(lists, nan_is_null=True)
        return pc.if_else(is_missing, fill, lists)
    items = lists.flatten()
    filled = fill_items(items, fill)
    lengths = list_lengths(lists)
    begins = _list_offsets(lengths)
    offsets = pa.array(begins)
    # Large: offsets are int64, whatever kind of lists they are of.
    return pa.LargeListArray.from_arrays(offsets, filled)


def list_lengths(lists: Array) -> Lengths:
    """Return the length of each list; 0 of one that is missing."""
    # Arrow gives int32 or int64, by the kind of lists.
    lengths = pc.list_value_length(lists)
    wide_type = pa.int64()
    wide = lengths.cast(wide_type)
    present = wide.fill_null(0)
    numbers: Lengths = present.to_numpy()
    return numbers


def place_items(lengths: Lengths) -> np.ndarray:
    """Return the place (int64) of each item within its list, of all lists one after the other.

    >>> place_items(np.array([2, 0, 3])).tolist()
    [0, 1, 0, 1, 2]
    """
    offsets = _list_offsets(lengths)
    starts = offsets[:-1]
    total = lengths.sum()
    count = int(total)
    items = np.arange(count, dtype=np.int64)
    start_of_each = np.repeat(starts, lengths)
    return items - start_of_each


def _list_offsets(lengths: Lengths) -> np.ndarray:
    """Return where each list begins among all items, and where the last one ends."""
    size = len(lengths) + 1
    offsets = np.zeros(size, dtype=np.int64)
    ends = offsets[1:]
    np.cumsum(lengths, out=ends)
    return offsets
