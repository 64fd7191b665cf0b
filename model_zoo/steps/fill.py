"""Step `fill`: one value per column in place of those that are missing."""

from typing import ClassVar, Literal, Self

import numpy as np
import pyarrow as pa
from pyarrow import Array
from pyarrow.types import is_floating
from pydantic import model_validator

from configs.errors import JobError
from model_zoo.steps.arrays import get_column
from model_zoo.steps.columns import Columns, NewColumns, Scalar, is_number, to_arrow
from model_zoo.steps.fitting import present_values, training_column
from model_zoo.steps.missing import fill_missing
from model_zoo.steps.step import ColumnNames, StepModel

_OF_NUMBERS = ("mean", "median")


class Fill(StepModel):
    """Replace missing values (null; in floating columns NaN too) by one value per column.

    `strategy` is what training fits with scikit-learn's SimpleImputer; `constant` takes `values` as
    written. Integers whose mean or median has a fraction become float64, as scikit-learn makes them.
    """

    is_column_wise: ClassVar = True
    step: Literal["fill"]
    columns: ColumnNames
    strategy: Literal["constant", "mean", "median", "most_frequent"] = "constant"
    values: tuple[Scalar, ...] | None = None

    @property
    def is_fitted(self) -> bool:
        return super().is_fitted and self.values is not None

    @property
    def per_column(self) -> tuple[str, ...]:
        return ("values",)

    @model_validator(mode="after")
    def _one_value_each(self) -> "Fill":
        if self.values is None:
            if self.strategy == "constant":
                raise ValueError("values is required when strategy is constant")
            return self
        # Not in `fitted`, whose message speaks of entries: people write these values themselves.
        wanted = len(self.columns)
        given = len(self.values)
        if given != wanted:
            raise ValueError(
                f"values must hold one value per column: {wanted} columns, {given} values"
            )
        return self

    def apply(self, columns: Columns, rows: int) -> NewColumns:
        """Return the columns without missing values."""
        result: NewColumns = {}
        values = self.values or ()
        for name, value in zip(self.columns, values, strict=True):
            given = get_column(columns, name, self.step)
            column = to_arrow(given)
            if self.strategy in _OF_NUMBERS and _has_fraction(value):
                column = _widen(column)
            try:
                result[name] = fill_missing(column, value)
            except JobError as error:
                raise JobError(f"preprocess step fill: column {name!r}: {error}") from error
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
        given = get_column(columns, name, self.step)
        column = training_column(given, name, self.step)
        present = present_values(column, name, self.step)
        if self.strategy in _OF_NUMBERS and not is_number(column.type):
            raise JobError(
                f"preprocess step fill: strategy {self.strategy} is for numbers, and column "
                f"{name!r} is of type {column.type}; columns: numbers stands for those that are, "
                "and strategy most_frequent suits any type"
            )
        try:
            value = _impute(self.strategy, present)
            return _to_column_type(value, column.type)
        except (ValueError, TypeError, pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise JobError(
                f"preprocess step fill: strategy {self.strategy} does not suit column {name!r} "
                f"of type {column.type}: {error}"
            ) from error


def _impute(strategy: str | None, present: Array) -> object:
    """Return the value by which scikit-learn fills gaps.

    Args:
        strategy: of SimpleImputer.
        present: the values that are there.
    """
    # Training alone needs scikit-learn, which takes a second to import.
    from sklearn.impute import SimpleImputer

    dtype: type = np.float64
    missing: float | None = np.nan
    # Any value may be the most frequent one, texts too; means and medians are of numbers.
    if strategy == "most_frequent":
        dtype = object
        missing = None
    imputer = SimpleImputer(strategy=strategy, missing_values=missing)
    values: np.ndarray = np.array(present.to_pylist(), dtype=dtype)
    imputer.fit(values.reshape(-1, 1))
    found: object = imputer.statistics_[0]
    return found


def _to_column_type(value: object, dtype: pa.DataType) -> Scalar:
    """Return a value in a column's own type."""
    # 1.5 takes no place in a column of integers, which `apply` widens for it.
    if isinstance(value, float) and _has_fraction(value) and not is_floating(dtype):
        return float(value)
    # Not pa.scalar(value, type): that cuts 1.5 down to an integer column's 1, in silence.
    exact = pa.scalar(value)
    scalar: Scalar = exact.cast(dtype).as_py()
    return scalar


def _has_fraction(value: object) -> bool:
    return isinstance(value, float) and not value.is_integer()


def _widen(column: Array) -> Array:
    """Return integers and booleans as float64, and other columns as they are."""
    if is_floating(column.type):
        return column
    # Integers beyond 2**53 are rounded, as `standardise` and scikit-learn round them.
    return column.cast(pa.float64(), safe=False)
