"""Step `fill`: one value per column in place of those that are missing."""

from typing import Literal, Self

import numpy as np
import pyarrow as pa
from pydantic import model_validator

from configs.errors import JobError
from model_zoo.steps.arrays import fill_missing, get_column
from model_zoo.steps.columns import Columns, NewColumns, Scalar
from model_zoo.steps.fitting import present_values, training_column
from model_zoo.steps.step import ColumnNames, StepModel


class Fill(StepModel):
    """Replace missing values (null; in floating columns NaN too) by one value per column.

    `strategy` is what training fits with scikit-learn's SimpleImputer; `constant` takes `values` as
    written.
    """

    step: Literal["fill"]
    columns: ColumnNames
    strategy: Literal["constant", "mean", "median", "most_frequent"] = "constant"
    values: tuple[Scalar, ...] | None = None

    @property
    def is_fitted(self) -> bool:
        return self.values is not None

    @model_validator(mode="after")
    def _one_value_each(self) -> "Fill":
        if self.values is None:
            if self.strategy == "constant":
                raise ValueError("values is required when strategy is constant")
            return self
        # Not in `fitted`, whose message speaks of entries: people write these values themselves.
        if len(self.values) != len(self.columns):
            raise ValueError(
                "values must hold one value per column: "
                f"{len(self.columns)} columns, {len(self.values)} values"
            )
        return self

    def apply(self, columns: Columns, rows: int) -> NewColumns:
        """Return the columns without missing values; their types stay."""
        result: NewColumns = {}
        for name, value in zip(self.columns, self.values or (), strict=True):
            column = get_column(columns, name, self.step)
            result[name] = fill_missing(column, value)
        return result

    def fit(self, columns: Columns) -> Self:
        """Find the value of each column by `strategy`."""
        values: list[Scalar] = []
        for name in self.columns:
            value = self._fit_value(columns, name)
            values.append(value)
        return self.model_copy(update={"values": tuple(values)})

    def _fit_value(self, columns: Columns, name: str) -> Scalar:
        """Return what SimpleImputer puts in place of a missing value, in the column's own type."""
        # Training alone needs scikit-learn, which takes a second to import.
        from sklearn.impute import SimpleImputer

        given = get_column(columns, name, self.step)
        column = training_column(given, name, self.step)
        present = present_values(column, name, self.step)
        dtype: type = np.float64
        missing: float | None = np.nan
        # Any value may be the most frequent one, texts too; means and medians are of numbers.
        if self.strategy == "most_frequent":
            dtype = object
            missing = None
        imputer = SimpleImputer(strategy=self.strategy, missing_values=missing)
        try:
            plain_values = present.to_pylist()
            values: np.ndarray = np.array(plain_values, dtype=dtype)
            table = values.reshape(-1, 1)
            imputer.fit(table)
            value = imputer.statistics_[0]
            # Not pa.scalar(value, type): that cuts 1.5 down to an integer column's 1, in silence.
            exact = pa.scalar(value)
            scalar: Scalar = exact.cast(column.type).as_py()
        except (ValueError, TypeError, pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise JobError(
                f"preprocess step fill: strategy {self.strategy} does not suit column {name!r} "
                f"of type {column.type}: {error}"
            ) from error
        return scalar
