"""Texts of which steps ask the category alone, kept in a dictionary: each text once, and its number in every row.

    fiction           fiction, poetry       the dictionary
    poetry      ->    0, 1, 0               indices
    fiction

Files mostly keep such columns so. Where nothing but steps that fill and encode takes a column, the
dictionary is looked at, and no text is made for every row.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import Array, DataType, Scalar
import pyarrow.compute as pc
from pyarrow.types import is_dictionary, is_int32, is_large_string, is_string

_ENCODE = ("one_hot", "ordinal")


def find_categories(steps: Sequence[Any]) -> frozenset[str]:
    """Return the columns of which steps ask the category alone.

    Args:
        steps: complete ones.
    """
    encoded: set[str] = set()
    others: set[str] = set()
    for step in steps:
        names = getattr(step, "columns", None)
        # A step that says otherwise what it takes, or a user's function, which is given all columns.
        if names is None:
            break
        met_first = set(names) - encoded - others
        if step.step in _ENCODE:
            encoded |= met_first
        elif step.step != "fill":
            others |= met_first
    return frozenset(encoded)


def is_kept_in_dictionary(column: Array | np.ndarray) -> bool:
    """Tell whether a column is texts in a dictionary that the functions below take."""
    if isinstance(column, np.ndarray) or not has_dictionary_type(column.type):
        return False
    # Arrow's own files may hold a missing value there, too.
    return not column.dictionary.null_count


def has_dictionary_type(dtype: DataType) -> bool:
    """Tell whether a type is that of texts as Parquet's reader keeps them in a dictionary."""
    if not is_dictionary(dtype) or not is_int32(dtype.index_type):
        return False
    text_type = dtype.value_type
    return bool(is_string(text_type) or is_large_string(text_type))


def fill_indices(column: Array, fill: Scalar) -> Array:
    """Return texts in a dictionary with one in place of those that are missing.

    Args:
        column: texts in a dictionary.
        fill: a text, which may be in the dictionary already.
    """
    if not column.null_count:
        return column
    dictionary = column.dictionary
    text = fill.as_py()
    value = pa.array([text], dictionary.type)
    longer = pa.concat_arrays([dictionary, value])
    # Behind all others.
    number = pa.scalar(len(dictionary), column.type.index_type)
    indices = pc.fill_null(column.indices, number)
    return pa.DictionaryArray.from_arrays(indices, longer, safe=False)


def look_up(column: Array, known: Array) -> np.ndarray:
    """Return the index of each text in `known`, int64 (rows,); -1 where it is not there, or missing.

    Args:
        column: texts in a dictionary.
        known: the categories, plain texts.
    """
    of_dictionary = find_codes(column.dictionary, known)
    # The last one is of missing texts.
    codes = np.append(of_dictionary, -1)
    indices = column.indices
    if indices.null_count:
        last = pa.scalar(len(of_dictionary), indices.type)
        indices = pc.fill_null(indices, last)
    rows = indices.to_numpy()
    return codes[rows]


def find_codes(values: Array, known: Array) -> np.ndarray:
    """Return the index of each value in `known`, int64 (values,); -1 where it is not there, or missing.

    Args:
        values: of any type.
        known: the categories, in the same type.
    """
    # A missing value is never a category.
    indices = pc.index_in(values, value_set=known, skip_nulls=True)
    numbers = indices.fill_null(-1).to_numpy()
    codes: np.ndarray = numbers.astype(np.int64)
    return codes
