"""Columns between steps: Arrow arrays by name, or numpy arrays (rows, ...) once a step made numbers.

What is here takes every column as it is; what may refuse one is in `arrays.py`.
"""

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
import pyarrow as pa
from pyarrow import Array, DataType, types
from pyarrow.types import is_dictionary

Column: TypeAlias = Array | np.ndarray
# What a step is given by name, and changes nothing in.
Columns: TypeAlias = Mapping[str, Column]
# What a step adds to them, or replaces.
NewColumns: TypeAlias = dict[str, Column]
Scalar = bool | int | float | str


def to_arrow(column: Column) -> Array:
    """Return a flat column as an Arrow array."""
    if isinstance(column, Array):
        return column
    return pa.array(column)


def to_arrow_type(column: Column) -> DataType:
    """Return the Arrow type of a column's values."""
    if isinstance(column, np.ndarray):
        return pa.from_numpy_dtype(column.dtype)
    return column.type


def decode_dictionary(array: Array) -> Array:
    """Return a dictionary-encoded array as plain values, and any other as it is."""
    if is_dictionary(array.type):
        return array.dictionary_decode()
    return array


def to_floats(values: np.ndarray) -> np.ndarray:
    """Return numbers as floats, which keep their width; integers and booleans become float64."""
    if values.dtype in (np.float32, np.float64):
        return values
    return values.astype(np.float64)


def is_number(dtype: DataType) -> bool:
    """Tell whether values of an Arrow type are integers, floats or booleans."""
    is_integer = types.is_integer(dtype)
    is_floating = types.is_floating(dtype)
    is_boolean = types.is_boolean(dtype)
    return bool(is_integer or is_floating or is_boolean)
