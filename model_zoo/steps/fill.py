"""Step `fill`: one value per column in place of those that are missing."""

from typing import Literal, Self

import numpy as np
import pyarrow as pa
from pydantic import model_validator

from configs.errors import JobError
from model_zoo.steps.arrays import Column, Columns, Scalar, fill_missing, get_column
from model_zoo.steps.fitting import present_values, training_column
from model_zoo.steps.step import ColumnNames, Word


class Fill(Word):
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
        if self.values is not None and len(self.values) != len(self.columns):
            raise ValueError(
                "values must hold one value per column: "
                f"{len(self.columns)} columns, {len(self.values)} values"
            )
        if self.values is None and self.strategy == "constant":
            raise ValueError("values is required when strategy is constant")
        return self

    def apply(self, columns: Columns, rows: int) -> dict[str, Column]:
        """Return the columns without missing values; their types stay."""
        pairs = zip(self.columns, self.values or (), strict=True)
        return {
            name: fill_missing(get_column(columns, name, self.step), value) for name, value in pairs
        }

    def fit(self, columns: Columns) -> Self:
        """Find the value of each column by `strategy`."""
        values = tuple(self._fit_value(columns, name) for name in self.columns)
        return self.model_copy(update={"values": values})

    def _fit_value(self, columns: Columns, name: str) -> Scalar:
        """Return what SimpleImputer puts in place of a missing value, in the column's own type."""
        from sklearn.impute import (
            SimpleImputer,  # training alone needs it, and it takes a second to import
        )

        column = training_column(self.step, columns, name)
        present = present_values(self.step, name, column)
        of_any_type = self.strategy == "most_frequent"
        dtype, missing = (object, None) if of_any_type else (np.float64, np.nan)
        imputer = SimpleImputer(strategy=self.strategy, missing_values=missing)
        try:
            table = np.array(present.to_pylist(), dtype=dtype).reshape(-1, 1)
            value = imputer.fit(table).statistics_[0]
            # Not pa.scalar(value, type): that cuts 1.5 down to an integer column's 1, in silence.
            scalar: Scalar = pa.scalar(value).cast(column.type).as_py()
        except (ValueError, TypeError, pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise JobError(
                f"preprocess step fill: strategy {self.strategy} does not suit column {name!r} "
                f"of type {column.type}: {error}"
            ) from error
        return scalar
