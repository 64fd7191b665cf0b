"""Steps `one_hot` and `ordinal`: numbers for the values of a column that are known from training."""

from typing import Any, Literal, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import model_validator

from configs.errors import InputError, RejectedRows, RowError
from model_zoo.steps.arrays import Column, Columns, Scalar, get_column, to_arrow
from model_zoo.steps.fitting import present_values, training_column
from model_zoo.steps.step import ColumnNames, Word, check_lengths

Categories = tuple[tuple[Scalar, ...], ...]


class OneHot(Word):
    """Each column becomes a (rows, categories) array of zeros and ones; fitted with OneHotEncoder.

    `unknown` says what a value outside `categories`, or a missing one, does: `error` stops the run,
    `reject` rejects the row, `zeros` gives a row of zeros.
    """

    step: Literal["one_hot"]
    columns: ColumnNames
    unknown: Literal["error", "reject", "zeros"]
    categories: Categories | None = None

    @property
    def is_fitted(self) -> bool:
        return self.categories is not None

    @model_validator(mode="after")
    def _one_list_each(self) -> "OneHot":
        check_lengths(self.columns, categories=self.categories)
        return self

    def apply(self, columns: Columns, rows: int) -> dict[str, Column]:
        """Return float32 arrays (rows, categories)."""
        result: dict[str, Column] = {}
        for name, categories in zip(self.columns, self.categories or (), strict=True):
            codes = _encode(name, get_column(columns, name, self.step), categories, self.unknown)
            # Each category's numbers lie side by side, which is the order that `stack` takes.
            transposed = np.zeros((len(categories), rows), dtype=np.float32)
            known = np.flatnonzero(codes >= 0)
            transposed[codes[known], known] = 1.0
            result[name] = transposed.T
        return result

    def fit(self, columns: Columns) -> Self:
        """Find the categories of each column."""
        from sklearn.preprocessing import OneHotEncoder

        found = _fit_categories(OneHotEncoder, self.step, self.columns, columns)
        return self.model_copy(update={"categories": found})


class Ordinal(Word):
    """Each column becomes the index of its value in `categories`; fitted with OrdinalEncoder.

    `unknown` is `error`, `reject`, or `code`: then the value becomes `unknown_code`.
    """

    step: Literal["ordinal"]
    columns: ColumnNames
    unknown: Literal["error", "reject", "code"]
    unknown_code: int = -1
    categories: Categories | None = None

    @property
    def is_fitted(self) -> bool:
        return self.categories is not None

    @model_validator(mode="after")
    def _one_list_each(self) -> "Ordinal":
        check_lengths(self.columns, categories=self.categories)
        return self

    def apply(self, columns: Columns, rows: int) -> dict[str, Column]:
        """Return int64 arrays (rows,)."""
        result: dict[str, Column] = {}
        for name, categories in zip(self.columns, self.categories or (), strict=True):
            codes = _encode(name, get_column(columns, name, self.step), categories, self.unknown)
            result[name] = np.where(codes < 0, self.unknown_code, codes)
        return result

    def fit(self, columns: Columns) -> Self:
        """Find the categories of each column."""
        from sklearn.preprocessing import OrdinalEncoder

        found = _fit_categories(OrdinalEncoder, self.step, self.columns, columns)
        return self.model_copy(update={"categories": found})


def _encode(name: str, column: Column, categories: tuple[Scalar, ...], unknown: str) -> np.ndarray:
    """Return the index of each value in `categories`, int64 (rows,); -1 where it is unknown.

    Raises:
        RejectedRows: `unknown` is `reject`, and some rows hold such a value.
        InputError: `unknown` is `error`, and a row does.
    """
    array = to_arrow(column)
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    known = pa.array(categories, type=array.type)
    found = pc.index_in(array, value_set=known, skip_nulls=True)
    codes: np.ndarray = found.fill_null(-1).to_numpy().astype(np.int64)
    unknown_rows = np.flatnonzero(codes < 0).tolist()
    if unknown_rows and unknown == "error":
        raise InputError(
            f"column {name!r} holds a value outside the {len(categories)} categories "
            "that the model knows"
        )
    if unknown_rows and unknown == "reject":
        reason = RowError(
            f"column {name!r}: not one of the {len(categories)} categories that the model knows"
        )
        raise RejectedRows(dict.fromkeys(unknown_rows, reason))
    return codes


def _fit_categories(
    encoder: Any, step: str, names: tuple[str, ...], columns: Columns
) -> Categories:
    """Return the distinct values of each column, sorted.

    A missing one is never a category: it follows the step's `unknown`.
    """
    categories = []
    for name in names:
        present = present_values(step, name, training_column(step, columns, name))
        table = np.array(present.to_pylist(), dtype=object).reshape(-1, 1)
        categories.append(tuple(encoder().fit(table).categories_[0].tolist()))
    return tuple(categories)
