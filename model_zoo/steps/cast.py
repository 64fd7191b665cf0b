"""Step `cast`: numbers in another dtype."""

from typing import ClassVar, Literal

import numpy as np

from model_zoo.steps.arrays import cast_array, get_numbers
from model_zoo.steps.columns import Columns, NewColumns
from model_zoo.steps.step import ColumnNames, StepModel


class Cast(StepModel):
    """Make each column a numpy array of `dtype`; a value that does not fit rejects its row."""

    is_column_wise: ClassVar = True
    step: Literal["cast"]
    columns: ColumnNames
    dtype: Literal[
        "bool", "int8", "int16", "int32", "int64", "uint8", "float16", "float32", "float64"
    ]  # fmt: skip

    def apply(self, columns: Columns, rows: int) -> NewColumns:
        """Return the columns in the dtype.

        Raises:
            RejectedRows: rows with a value that the dtype cannot hold.
        """
        dtype = np.dtype(self.dtype)
        result: NewColumns = {}
        for name in self.columns:
            values = get_numbers(columns, name, self.step)
            result[name] = cast_array(name, values, dtype)
        return result
