"""Columns of numbers, and of lists of them, as metrics take them."""

import numpy as np
import pyarrow as pa
from pyarrow import ChunkedArray, DataType
from pyarrow.types import is_dictionary, is_nested, is_struct

from configs.errors import InputError


def to_numbers(column: ChunkedArray, what: str) -> np.ndarray:
    """Return a column as float64 (rows,).

    Args:
        column: numbers, or texts of them.
        what: its file and name, for an error.

    Raises:
        InputError: it holds no numbers.
    """
    try:
        floats = column.cast(pa.float64())
    except pa.ArrowException as error:
        raise InputError(
            f"{what}: a column of type {column.type} holds no numbers to compare; "
            "name another, or another --task"
        ) from error
    numbers: np.ndarray = floats.to_numpy()
    return numbers


def to_wide_numbers(
    column: ChunkedArray,
    what: str,
    like: np.ndarray | None = None,
) -> np.ndarray:
    """Return a column of numbers, or of lists (of lists ...) of them, as float64 (rows, numbers).

    Args:
        column: numbers, or as many in each row.
        what: its file and name, for an error.
        like: what it is compared with, which must have as many a row.

    Raises:
        InputError: it holds no numbers, or not as many in each row.
    """
    rows = len(column)
    values = column
    while _holds_lists(values.type):
        values = _flatten(values, what)
    numbers = to_numbers(values, what)
    wide = numbers.reshape(rows, -1)
    if like is not None and like.shape != wide.shape:
        own_width = wide.shape[1]
        other_width = like.shape[1]
        raise InputError(
            f"{what}: has {own_width} numbers a row, and is compared with {other_width}"
        )
    return wide


def number_groups(column: ChunkedArray | None, name: str) -> np.ndarray:
    """Return a number for each row's group, int64 (rows,).

    Args:
        column: of groups, of any type.
        name: of the column, for an error.

    Raises:
        InputError: a row has none.
    """
    assert column is not None  # noqa: S101 - whoever ranks has named it
    missing_rows = column.null_count
    if missing_rows:
        raise InputError(f"{missing_rows} rows have no {name!r}, so no group to rank them in")
    encoded = column.combine_chunks()
    if not is_dictionary(encoded.type):
        encoded = encoded.dictionary_encode()
    # The place of a group in the dictionary is as good a number as any.
    numbers: np.ndarray = encoded.indices.to_numpy(zero_copy_only=False)
    return numbers.astype(np.int64)


def _holds_lists(dtype: DataType) -> bool:
    # Structs are nested, too, and have no lists to be flattened.
    return is_nested(dtype) and not is_struct(dtype)


def _flatten(column: ChunkedArray, what: str) -> ChunkedArray:
    """Return what the lists of a column hold, one after the other.

    Raises:
        InputError: they are not all of one length, so that no list is like the next.
    """
    whole = column.combine_chunks()
    lengths = whole.value_lengths().to_pylist()
    different = set(lengths)
    # None is the length of a list that is missing.
    if len(different) > 1 or None in different:
        raise InputError(f"{what}: its lists are of several lengths, so they cannot be compared")
    values = whole.flatten()
    return pa.chunked_array([values])
