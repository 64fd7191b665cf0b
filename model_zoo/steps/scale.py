"""Steps `scale` and `standardise`: a factor and an offset per column."""

from typing import Literal, Self

from pydantic import model_validator

from model_zoo.steps.arrays import Column, Columns, get_column, to_floats
from model_zoo.steps.fitting import to_plain_floats, training_matrix
from model_zoo.steps.step import ColumnNames, Word, check_lengths


class Scale(Word):
    """`x * factor + offset`, column by column; fitted with scikit-learn's MinMaxScaler to `range`."""

    step: Literal["scale"]
    columns: ColumnNames
    range: tuple[float, float] = (0.0, 1.0)
    factor: tuple[float, ...] | None = None
    offset: tuple[float, ...] | None = None

    @property
    def is_fitted(self) -> bool:
        return self.factor is not None and self.offset is not None

    @model_validator(mode="after")
    def _one_value_each(self) -> "Scale":
        check_lengths(self.columns, factor=self.factor, offset=self.offset)
        return self

    def apply(self, columns: Columns, rows: int) -> dict[str, Column]:
        """Return the scaled columns, floats (rows,)."""
        state = zip(self.columns, self.factor or (), self.offset or (), strict=True)
        return {
            name: to_floats(get_column(columns, name, self.step)) * factor + offset
            for name, factor, offset in state
        }

    def fit(self, columns: Columns) -> Self:
        """Find factor and offset that bring each column's smallest and largest value to `range`."""
        from sklearn.preprocessing import MinMaxScaler

        matrix = training_matrix(self.step, self.columns, columns)
        scaler = MinMaxScaler(feature_range=self.range).fit(matrix)
        return self.model_copy(
            update={
                "factor": to_plain_floats(scaler.scale_),
                "offset": to_plain_floats(scaler.min_),
            }
        )


class Standardise(Word):
    """`(x - mean) / scale`, column by column; fitted with scikit-learn's StandardScaler."""

    step: Literal["standardise"]
    columns: ColumnNames
    mean: tuple[float, ...] | None = None
    scale: tuple[float, ...] | None = None

    @property
    def is_fitted(self) -> bool:
        return self.mean is not None and self.scale is not None

    @model_validator(mode="after")
    def _one_value_each(self) -> "Standardise":
        check_lengths(self.columns, mean=self.mean, scale=self.scale)
        return self

    def apply(self, columns: Columns, rows: int) -> dict[str, Column]:
        """Return the standardised columns, floats (rows,)."""
        state = zip(self.columns, self.mean or (), self.scale or (), strict=True)
        return {
            name: (to_floats(get_column(columns, name, self.step)) - mean) / scale
            for name, mean, scale in state
        }

    def fit(self, columns: Columns) -> Self:
        """Find each column's mean and standard deviation."""
        from sklearn.preprocessing import StandardScaler

        scaler = StandardScaler().fit(training_matrix(self.step, self.columns, columns))
        return self.model_copy(
            update={
                "mean": to_plain_floats(scaler.mean_),
                "scale": to_plain_floats(scaler.scale_),
            }
        )
