"""Step `cast`: numbers in another dtype."""

from typing import Literal

import numpy as np

from model_zoo.steps.arrays import Column, Columns, cast_array, get_column, to_numpy
from model_zoo.steps.step import ColumnNames, Word


class Cast(Word):
    """Each column becomes a numpy array of `dtype`; a value that does not fit rejects its row."""

    step: Literal["cast"]
    columns: ColumnNames
    dtype: Literal["bool", "int8", "int16", "int32", "int64", "uint8", "float32", "float64"]

    def apply(self, columns: Columns, rows: int) -> dict[str, Column]:
        """Return the columns in the dtype."""
        dtype = np.dtype(self.dtype)
        return {
            name: cast_array(name, to_numpy(get_column(columns, name, self.step)), dtype)
            for name in self.columns
        }
