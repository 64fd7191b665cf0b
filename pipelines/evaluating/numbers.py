"""Columns of numbers, and of lists of them, as metrics take them."""

import numpy as np
import pyarrow as pa

from configs.errors import InputError


def to_numbers(column: pa.ChunkedArray, what: str) -> np.ndarray:
    """Return a column as float64 (rows,).

    Args:
        column: numbers, or texts of them.
        what: its file and name, for an error.

    Raises:
        InputError: it holds no numbers.
    """
    try:
        numbers: np.ndarray = column.cast(pa.float64()).to_numpy()
    except pa.ArrowException as error:
        raise InputError(
            f"{what}: a column of type {column.type} holds no numbers to compare; "
            "name another, or another --task"
        ) from error
    return numbers


def to_wide_numbers(
    column: pa.ChunkedArray, what: str, like: np.ndarray | None = None
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
    while pa.types.is_nested(values.type) and not pa.types.is_struct(values.type):
        values = _flatten(values, what)
    wide = to_numbers(values, what).reshape(rows, -1)
    if like is not None and like.shape != wide.shape:
        raise InputError(
            f"{what}: has {wide.shape[1]} numbers a row, and is compared with {like.shape[1]}"
        )
    return wide


def number_groups(column: pa.ChunkedArray | None, name: str) -> np.ndarray:
    """Return a number for each row's group, int64 (rows,).

    Args:
        column: of groups, of any type.
        name: of the column, for an error.

    Raises:
        InputError: a row has none.
    """
    assert column is not None  # noqa: S101 - whoever ranks has named it
    if column.null_count:
        raise InputError(f"{column.null_count} rows have no {name!r}, so no group to rank them in")
    encoded = column.combine_chunks()
    if not pa.types.is_dictionary(encoded.type):
        encoded = encoded.dictionary_encode()
    numbers: np.ndarray = encoded.indices.to_numpy(zero_copy_only=False)
    return numbers.astype(np.int64)


def _flatten(column: pa.ChunkedArray, what: str) -> pa.ChunkedArray:
    """Return what the lists of a column hold, one after the other.

    Raises:
        InputError: they are not all of one length, so that no list is like the next.
    """
    whole = column.combine_chunks()
    lengths = set(whole.value_lengths().to_pylist())
    if len(lengths) > 1 or None in lengths:
        raise InputError(f"{what}: its lists are of several lengths, so they cannot be compared")
    return pa.chunked_array([whole.flatten()])
