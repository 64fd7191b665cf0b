"""Numbers of a CSV text that pyarrow's parser may make itself, in the pass in which it finds the fields.

It spares a copy of every field as text, and a second look at it. pyarrow reads numbers as its casts do,
but for three things that a value of a declared type is not: blanks around a number, an integer in
hexadecimal, and a finite number that becomes infinite. A text in which one of them may stand is read
field by field instead (`csv_values.py`), and so is one with a value that is no number.
"""

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
from pyarrow import DataType, RecordBatch, Schema
from pyarrow.types import is_float32, is_float64, is_floating, is_integer

from transforms.formats.csv_dialect import CsvDialect

# By the name of its column.
NumberTypes: TypeAlias = Mapping[str, DataType]
# Of a text, uint8.
_Codes: TypeAlias = np.ndarray
# What pyarrow takes off the ends of a number.
_BLANKS = b" \t"
_LINE_ENDS = "\r\n"
_LINE_FEED = ord("\n")
_X = b"xX"
_POINT = "."


def list_number_types(schema: Schema, dialect: CsvDialect) -> NumberTypes:
    """Return the types of the columns that a parser may make numbers of.

    Args:
        schema: names and types of the columns to read.
        dialect: what their text means.
    """
    # Numbers with a comma are exchanged as texts.
    if dialect.decimal != _POINT:
        return {}
    types = {}
    for field in schema:
        dtype = field.type
        is_number = is_integer(dtype) or is_float32(dtype) or is_float64(dtype)
        if is_number:
            types[field.name] = dtype
    return types


def may_differ(text: bytes, dialect: CsvDialect, types: NumberTypes) -> bool:
    """Tell whether a parser may read a number in a text that is none.

    Args:
        text: whole records, and perhaps the beginning of one more.
        dialect: what they mean.
        types: of the columns that would be numbers.
    """
    codes = np.frombuffer(text, dtype=np.uint8)
    if _has_blank_at_end(text, codes, dialect):
        return True
    dtypes = types.values()
    has_integers = any(map(is_integer, dtypes))
    return has_integers and _has_hexadecimal(text, codes)


def holds_infinity(rows: RecordBatch, types: NumberTypes) -> bool:
    """Tell whether a number became infinite, whether or not its text says so.

    Args:
        rows: at least the columns of `types`.
        types: of the columns that are numbers.
    """
    for name, dtype in types.items():
        if not is_floating(dtype):
            continue
        column = rows.column(name)
        values = column.to_numpy(zero_copy_only=False)
        # The sum of infinities of both signs is NaN, and numpy would warn.
        with np.errstate(invalid="ignore", over="ignore"):
            total = values.sum()
        # The usual case, seen in one pass.
        if np.isfinite(total):
            continue
        is_infinite = np.isinf(values)
        if is_infinite.any():
            return True
    return False


def _has_blank_at_end(text: bytes, codes: _Codes, dialect: CsvDialect) -> bool:
    """Tell whether a field may begin or end with a blank."""
    places = _find_any(text, codes, _BLANKS)
    # Nearly always, of numbers alone.
    if not len(places):
        return False
    # A tab that separates fields is none of theirs.
    delimiter = dialect.delimiter
    found = codes[places]
    is_delimiter = found == ord(delimiter)
    blanks = places[~is_delimiter]
    quote = dialect.quote or ""
    around = f"{delimiter}{quote}{_LINE_ENDS}"
    ends = list(around.encode())
    # Before the first byte a field begins, and behind the last one it may end.
    padded = np.pad(codes, 1, constant_values=_LINE_FEED)
    before = padded[blanks]
    behind = padded[blanks + 2]
    parts = [before, behind]
    neighbours = np.concatenate(parts)
    is_end = np.isin(neighbours, ends)
    return bool(is_end.any())


def _has_hexadecimal(text: bytes, codes: _Codes) -> bool:
    """Tell whether there is a 0x, in capitals or not."""
    places = _find_any(text, codes, _X)
    # Before the first byte stands no 0.
    places = places[places > 0]
    before_places = places - 1
    before = codes[before_places]
    is_zero = before == ord("0")
    return bool(is_zero.any())


def _find_any(text: bytes, codes: _Codes, values: bytes) -> np.ndarray:
    """Return the places (int64) of bytes that have one of some values."""
    nowhere = np.empty(0, dtype=np.int64)
    places = [nowhere]
    for value in values:
        # Looked for at once: to compare each byte takes far longer.
        if value not in text:
            continue
        is_value = codes == value
        found = np.flatnonzero(is_value)
        places.append(found)
    return np.concatenate(places)
