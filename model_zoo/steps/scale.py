"""Steps `scale` and `standardise`: a factor and an offset per column."""

from typing import ClassVar, Literal, Self

import numpy as np

from model_zoo.steps.arrays import get_column, get_numbers
from model_zoo.steps.columns import Columns, NewColumns, to_floats
from model_zoo.steps.fitting import to_plain_floats, training_column, training_matrix
from model_zoo.steps.step import ColumnNames, StepModel


class Scale(StepModel):
    """`x * factor + offset`, column by column; fitted with scikit-learn's MinMaxScaler to `range`."""

    fitted: ClassVar = ("factor", "offset")
    is_column_wise: ClassVar = True
    step: Literal["scale"]
    columns: ColumnNames
    range: tuple[float, float] = (0.0, 1.0)
    factor: tuple[float, ...] | None = None
    offset: tuple[float, ...] | None = None

    def apply(self, columns: Columns, rows: int) -> NewColumns:
        """Return the scaled columns, floats (rows,)."""
        factors = self.factor or ()
        offsets = self.offset or ()
        result: NewColumns = {}
        for name, factor, offset in zip(self.columns, factors, offsets, strict=True):
            numbers = get_numbers(columns, name, self.step)
            values = to_floats(numbers)
            scaled = values * factor
            # In place, as the system clears the memory of each new array first.
            scaled += offset
            result[name] = scaled
        return result

    def fit(self, columns: Columns) -> Self:
        """Find factor and offset that bring each column's smallest and largest value to `range`."""
        # Training alone needs scikit-learn, which takes a second to import.
        from sklearn.preprocessing import MinMaxScaler

        matrix = _read_matrix(columns, self.columns, self.step)
        scaler = MinMaxScaler(feature_range=self.range)
        scaler.fit(matrix)
        # `min_` is what is added, and not the smallest value, which is `data_min_`.
        found = {
            "factor": to_plain_floats(scaler.scale_),
            "offset": to_plain_floats(scaler.min_),
        }
        return self.model_copy(update=found)


class Standardise(StepModel):
    """`(x - mean) / scale`, column by column; fitted with scikit-learn's StandardScaler."""

    fitted: ClassVar = ("mean", "scale")
    is_column_wise: ClassVar = True
    step: Literal["standardise"]
    columns: ColumnNames
    mean: tuple[float, ...] | None = None
    scale: tuple[float, ...] | None = None

    def apply(self, columns: Columns, rows: int) -> NewColumns:
        """Return the standardised columns, floats (rows,)."""
        means = self.mean or ()
        scales = self.scale or ()
        result: NewColumns = {}
        for name, mean, scale in zip(self.columns, means, scales, strict=True):
            numbers = get_numbers(columns, name, self.step)
            values = to_floats(numbers)
            # The fitted numbers as they are: a factor and an offset of them would round differently.
            centred = values - mean
            centred /= scale
            result[name] = centred
        return result

    def fit(self, columns: Columns) -> Self:
        """Find each column's mean and standard deviation."""
        from sklearn.preprocessing import StandardScaler

        matrix = _read_matrix(columns, self.columns, self.step)
        scaler = StandardScaler()
        scaler.fit(matrix)
        # `scale_` is 1 where a column does not vary, so that nothing is divided by zero.
        found = {
            "mean": to_plain_floats(scaler.mean_),
            "scale": to_plain_floats(scaler.scale_),
        }
        return self.model_copy(update=found)


def _read_matrix(
    columns: Columns,
    names: tuple[str, ...],
    step: str,
) -> np.ndarray:
    """Return the training columns of a step side by side, float64 (rows, columns)."""
    arrays = {}
    # All of them first: a column that is not there is named before one that does not suit.
    for name in names:
        column = get_column(columns, name, step)
        arrays[name] = training_column(column, name, step)
    return training_matrix(arrays, step)
