"""A word in place of a step's list of columns: `columns: all`.

Which columns that are is known where a step is fitted. A package holds their names, never the word.
"""

from collections.abc import Callable, Mapping
from typing import TypeAlias

import pyarrow as pa
from pyarrow import DataType
from pyarrow.types import is_dictionary
from pydantic import ValidatorFunctionWrapHandler

ArrowTypes: TypeAlias = Mapping[str, DataType]


def _is_any(_: DataType) -> bool:
    return True


def _is_quantity(dtype: DataType) -> bool:
    # Not booleans, as in pandas' and scikit-learn's selectors: nobody standardises those.
    is_integer = pa.types.is_integer(dtype)
    is_floating = pa.types.is_floating(dtype)
    return bool(is_integer or is_floating)


def _is_text(dtype: DataType) -> bool:
    # A text that repeats is often kept in a dictionary.
    if is_dictionary(dtype):
        return _is_text(dtype.value_type)
    is_string = pa.types.is_string(dtype)
    is_large_string = pa.types.is_large_string(dtype)
    is_string_view = pa.types.is_string_view(dtype)
    return bool(is_string or is_large_string or is_string_view)


def _is_date(dtype: DataType) -> bool:
    is_date = pa.types.is_date(dtype)
    is_timestamp = pa.types.is_timestamp(dtype)
    return bool(is_date or is_timestamp)


# Of each word, whether a column of a type is meant.
_WORDS: dict[str, Callable[[DataType], bool]] = {
    "all": _is_any,
    "numbers": _is_quantity,
    "texts": _is_text,
    "dates": _is_date,
}


class ChosenColumns(tuple[str, ...]):
    """A word, as a tuple of itself, in place of the names that it stands for."""

    __slots__ = ()

    def choose(self, types: ArrowTypes) -> tuple[str, ...]:
        """Return the names of the columns that the word stands for, in their order.

        >>> ChosenColumns(("numbers",)).choose({"age": pa.int64(), "city": pa.string()})
        ('age',)
        """
        (word,) = self
        is_meant = _WORDS[word]
        names = [name for name, dtype in types.items() if is_meant(dtype)]
        return tuple(names)


def read_columns(value: object, read_names: ValidatorFunctionWrapHandler) -> tuple[str, ...]:
    """Return the columns that a step names.

    Args:
        value: as it is written: names, or a word.
        read_names: checks names.

    Raises:
        ValueError: it is a text, and none of the words. A list of one may name a column so called.
    """
    if not isinstance(value, str):
        names: tuple[str, ...] = read_names(value)
        return names
    if value not in _WORDS:
        words = ", ".join(_WORDS)
        raise ValueError(f"must be a list of columns, or one of the words {words}")
    return ChosenColumns((value,))
