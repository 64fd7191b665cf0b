"""Arrays (rows, ...) as Arrow columns, and back."""

import numpy as np
import pyarrow as pa


def to_column(values: np.ndarray) -> pa.Array:
    """Return an array (rows, ...) as a column of numbers, or of fixed-size lists of them."""
    contiguous = np.ascontiguousarray(values)
    if values.ndim == 1:
        return pa.array(contiguous)
    width = int(np.prod(values.shape[1:]))
    return pa.FixedSizeListArray.from_arrays(pa.array(contiguous.reshape(-1)), width)


def from_column(column: pa.Array, shape: tuple[int, ...]) -> np.ndarray:
    """Return a column of numbers, or of lists of them, as an array (rows, *shape).

    Raises:
        ValueError: the numbers do not make up the shape.
        AttributeError: a shape is wanted, and the column holds no lists.
    """
    flat = column.values if shape else column
    numbers: np.ndarray = flat.to_numpy(zero_copy_only=False)
    return numbers.reshape(len(column), *shape)
