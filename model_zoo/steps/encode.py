"""Steps `one_hot` and `ordinal`: numbers for the values of a column that are known from training."""

from collections.abc import Iterator
from typing import Any, ClassVar, Literal, NamedTuple, Self, TypeAlias

import numpy as np
import pyarrow as pa

from configs.errors import InputError
from model_zoo.steps.arrays import get_column, reject_where
from model_zoo.steps.categories import find_codes, is_kept_in_dictionary, look_up
from model_zoo.steps.columns import Column, Columns, NewColumns, Scalar, decode_dictionary, to_arrow
from model_zoo.steps.fitting import present_values, training_column
from model_zoo.steps.step import ColumnNames, StepModel, Widths

# To compare each row with so many takes less time than to find the place of its 1.
_MOST_COMPARED = 64
# The values of a column, in the order of their codes.
_Values: TypeAlias = tuple[Scalar, ...]
# Those of each column.
Categories: TypeAlias = tuple[_Values, ...]


class OneHot(StepModel):
    """Make each column a (rows, categories) array of zeros and ones; fitted with OneHotEncoder.

    `unknown` says what a value outside `categories`, or a missing one, does: `error` stops the run,
    `reject` rejects the row, `zeros` gives a row of zeros.
    """

    fitted: ClassVar = ("categories",)
    is_column_wise: ClassVar = True
    step: Literal["one_hot"]
    columns: ColumnNames
    unknown: Literal["error", "reject", "zeros"]
    categories: Categories | None = None

    def apply(self, columns: Columns, rows: int) -> NewColumns:
        """Return float32 arrays (rows, categories).

        Raises:
            RejectedRows, InputError: an unknown value, as `unknown` says.
        """
        result: NewColumns = {}
        for encoded in _encode_columns(self, columns):
            result[encoded.name] = _mark_codes(encoded.codes, encoded.categories)
        return result

    def count_numbers(self, widths: Widths) -> dict[str, int]:
        # None before the step is fitted.
        categories = self.categories or ()
        sizes = map(len, categories)
        return dict(zip(self.columns, sizes, strict=True))

    def fit(self, columns: Columns) -> Self:
        """Find the categories of each column."""
        # Training alone needs scikit-learn, which takes a second to import.
        from sklearn.preprocessing import OneHotEncoder

        found = _fit_categories(OneHotEncoder, columns, self.columns, self.step)
        return self.model_copy(update={"categories": found})


class Ordinal(StepModel):
    """Make each column the index of its value in `categories`; fitted with OrdinalEncoder.

    `unknown` is `error`, `reject`, or `code`: then the value becomes `unknown_code`.
    """

    fitted: ClassVar = ("categories",)
    is_column_wise: ClassVar = True
    step: Literal["ordinal"]
    columns: ColumnNames
    unknown: Literal["error", "reject", "code"]
    unknown_code: int = -1
    categories: Categories | None = None

    def apply(self, columns: Columns, rows: int) -> NewColumns:
        """Return int64 arrays (rows,).

        Raises:
            RejectedRows, InputError: an unknown value, as `unknown` says.
        """
        result: NewColumns = {}
        for encoded in _encode_columns(self, columns):
            codes = encoded.codes
            is_unknown = codes < 0
            result[encoded.name] = np.where(is_unknown, self.unknown_code, codes)
        return result

    def fit(self, columns: Columns) -> Self:
        """Find the categories of each column."""
        from sklearn.preprocessing import OrdinalEncoder

        found = _fit_categories(OrdinalEncoder, columns, self.columns, self.step)
        return self.model_copy(update={"categories": found})


class _Encoded(NamedTuple):
    """A column whose values have become codes.

    Attributes:
        codes: the index of each value in the categories, int64 (rows,); -1 where it is unknown.
        categories: how many there are.
    """

    name: str
    codes: np.ndarray
    categories: int


def _encode_columns(step: OneHot | Ordinal, columns: Columns) -> Iterator[_Encoded]:
    """Yield the columns of a step, one after the other: not all codes are in memory at once.

    Raises:
        RejectedRows, InputError: an unknown value, as the step says.
    """
    known = step.categories or ()
    for name, categories in zip(step.columns, known, strict=True):
        column = get_column(columns, name, step.step)
        codes = _encode(name, column, categories, step.unknown)
        yield _Encoded(name, codes, len(categories))


def _encode(
    name: str,
    column: Column,
    categories: _Values,
    unknown: str,
) -> np.ndarray:
    """Return the index of each value in `categories`, int64 (rows,); -1 where it is unknown.

    Raises:
        RejectedRows: `unknown` is `reject`, and some rows hold such a value.
        InputError: `unknown` is `error`, and a row does.
    """
    array = to_arrow(column)
    if is_kept_in_dictionary(array):
        known = pa.array(categories, type=array.type.value_type)
        codes = look_up(array, known)
    else:
        # Codes of a dictionary are those of this file or batch alone.
        array = decode_dictionary(array)
        known = pa.array(categories, type=array.type)
        codes = find_codes(array, known)
    is_unknown = codes < 0
    # `zeros` and `code` let such rows pass.
    known_by_model = f"the {len(categories)} categories that the model knows"
    if unknown == "error" and is_unknown.any():
        raise InputError(f"column {name!r} holds a value outside {known_by_model}")
    if unknown == "reject":
        reject_where(is_unknown, f"column {name!r}: not one of {known_by_model}")
    return codes


def _mark_codes(codes: np.ndarray, categories: int) -> np.ndarray:
    """Return float32 (rows, categories): 1 at the code of each row, and no 1 where that is negative."""
    # Each category's numbers lie side by side, which is the order that `stack` takes.
    shape = (categories, len(codes))
    if categories <= _MOST_COMPARED:
        marks = np.empty(shape, dtype=np.float32)
        numbers = np.arange(categories, dtype=np.int16)[:, None]
        np.equal(codes.astype(np.int16), numbers, out=marks, casting="unsafe")
        return marks.T
    transposed = np.zeros(shape, dtype=np.float32)
    is_known = codes >= 0
    known_rows = np.flatnonzero(is_known)
    known_codes = codes[known_rows]
    transposed[known_codes, known_rows] = 1.0
    return transposed.T


def _fit_categories(
    encoder: Any,
    columns: Columns,
    names: tuple[str, ...],
    step: str,
) -> Categories:
    """Return the distinct values of each column, sorted.

    A missing one is never a category: it follows the step's `unknown`.

    Args:
        encoder: class of scikit-learn's that finds the categories.
        columns: training columns.
        names: of the columns.
        step: the word of the step, for messages.
    """
    categories = []
    for name in names:
        column = get_column(columns, name, step)
        array = training_column(column, name, step)
        present = present_values(array, name, step)
        # Of type object, so that the categories come back as Python's own values.
        plain_values = present.to_pylist()
        values = np.array(plain_values, dtype=object)
        # scikit-learn takes tables; this one has a single column.
        table = values.reshape(-1, 1)
        fitted = encoder().fit(table)
        found = fitted.categories_[0]
        categories.append(tuple(found.tolist()))
    return tuple(categories)
