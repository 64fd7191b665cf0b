"""Bounds of a column's values in a data file, as the log of a table tells them.

A log may cut off what it tells: texts to a prefix, moments to milliseconds. Here bounds are made that
hold all the same: no value is outside of them.
"""

from datetime import timedelta

import pyarrow as pa
from pyarrow import DataType, Scalar
import pyarrow.compute as pc
from pyarrow.types import is_timestamp

from transforms.bounds import Bounds, make_bounds_of
from transforms.lakes.log_values import parse_value

# Logs cut off longer texts alone: Iceberg's at 16 letters, Delta's at 32, Parquet's at 64 bytes.
_WHOLE_LETTERS = 16
_LAST_LETTER = 0x10FFFF
# Halves of letters, which no text has.
_FIRST_HALF = 0xD800
_BEHIND_HALVES = 0xE000
_CUT_OFF = timedelta(milliseconds=1)


def make_log_bounds(
    least: Scalar | None,
    most: Scalar | None,
    nulls: int | None,
    rows: int | None,
) -> Bounds:
    """Return what is known of a column's values in a data file.

    Args:
        least, most: as the log tells them; None where it does not.
        nulls: how many rows have no value; None where the log does not tell.
        rows: how many rows there are; None where the log does not tell.
    """
    may_be_null = nulls != 0
    may_be_value = nulls is None or nulls != rows
    # One alone is of no use to anybody.
    if least is None or most is None:
        return Bounds(None, None, may_be_null, may_be_value)
    try:
        lower, upper = _widen(least, most)
    # So near to the end of its type that there is nothing behind it.
    except (pa.ArrowInvalid, OverflowError):
        lower = upper = None
    if upper is None:
        lower = None
    return Bounds(lower, upper, may_be_null, may_be_value)


def read_partition(text: str | None, dtype: DataType) -> Bounds | None:
    """Return what is known where all rows of a data file have one value; None where it is not readable.

    Args:
        text: the value, as the log says; None for null.
        dtype: its type in the table.
    """
    if text is None:
        return Bounds(may_be_value=False)
    try:
        (value,) = parse_value(text, dtype)
    # Told by name where the file is looked at.
    except (ValueError, pa.ArrowException):
        return None
    return make_bounds_of(value)


def _widen(
    least: Scalar,
    most: Scalar,
) -> tuple[Scalar | None, Scalar | None]:
    """Return bounds that hold although both may be cut off."""
    dtype = most.type
    if is_timestamp(dtype):
        unit = pa.duration(dtype.unit)
        milliseconds = pa.scalar(_CUT_OFF, pa.duration("ms"))
        cut_off = milliseconds.cast(unit)
        lower = pc.subtract_checked(least, cut_off)
        upper = pc.add_checked(most, cut_off)
        return lower, upper
    if dtype != pa.string():
        return least, most
    text = most.as_py()
    if len(text) < _WHOLE_LETTERS:
        return least, most
    behind = find_text_behind(text)
    if behind is None:
        return least, None
    # What is cut off at the end of the least one makes it smaller still.
    upper = pa.scalar(behind, dtype)
    return least, upper


def find_text_behind(text: str) -> str | None:
    """Return the first text behind all those that begin with a text; None where there is none.

    >>> find_text_behind("abc"), find_text_behind("a" + chr(0x10FFFF))
    ('abd', 'b')
    """
    # No letter is behind the last one.
    whole = text.rstrip(chr(_LAST_LETTER))
    if not whole:
        return None
    begin = whole[:-1]
    last = whole[-1]
    following = ord(last) + 1
    if following == _FIRST_HALF:
        following = _BEHIND_HALVES
    return begin + chr(following)
