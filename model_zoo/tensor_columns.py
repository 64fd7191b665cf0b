"""Arrays (rows, ...) as Arrow columns, and back."""

import numpy as np
import pyarrow as pa


def to_column(values: np.ndarray) -> pa.Array:
    """Return an array (rows, ...) as a column of numbers, or of fixed-size lists of them."""
    # Arrow reads numbers side by side in memory, and a network's outputs may be strided.
    contiguous = np.ascontiguousarray(values)
    if values.ndim == 1:
        return pa.array(contiguous)

    row_shape = values.shape[1:]
    numbers_per_row = int(np.prod(row_shape))
    flat = contiguous.reshape(-1)
    numbers = pa.array(flat)
    return pa.FixedSizeListArray.from_arrays(numbers, numbers_per_row)


def to_nested_column(values: np.ndarray) -> pa.Array:
    """Return an array (rows, ...) as a column of numbers, or of fixed-size lists of lists of them.

    Unlike `to_column` it keeps the shape of a row, for readers who know no other description of it.

    >>> str(to_nested_column(np.zeros((2, 4, 3))).type).count("list")
    2
    """
    contiguous = np.ascontiguousarray(values)
    flat = contiguous.reshape(-1)
    column = pa.array(flat)
    row_shape = values.shape[1:]
    # From the innermost list out.
    for size in reversed(row_shape):
        column = pa.FixedSizeListArray.from_arrays(column, size)
    return column


def from_column(column: pa.Array, shape: tuple[int, ...]) -> np.ndarray:
    """Return a column of numbers, or of lists of them, as an array (rows, *shape).

    Args:
        column: numbers, or lists of prod(shape) numbers each, of any numeric type.
        shape: of one row; () for a column of numbers.

    Raises:
        ValueError: the numbers do not make up the shape.
        AttributeError: a shape is wanted, and the column holds no lists.
    """
    flat = column
    if shape:
        flat = column.values
    numbers: np.ndarray = flat.to_numpy(zero_copy_only=False)
    rows = len(column)
    return numbers.reshape(rows, *shape)
