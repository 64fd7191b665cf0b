"""Dates, times and durations as the numbers that a contract declares.

A file stores a moment as a count of some unit, and which unit says nothing about the moment. The
number that a model is trained on is declared in days, seconds or the like, and comes out bit by bit
the same whatever unit a shard has.
"""

from typing import Literal, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
from pyarrow import Array, DataType
from pyarrow.types import (
    is_date,
    is_date32,
    is_date64,
    is_duration,
    is_time,
    is_time32,
    is_timestamp,
)

TimeUnit: TypeAlias = Literal["days", "hours", "minutes", "seconds", "milliseconds", "microseconds"]
_SECONDS_OF_A_DAY = 86_400
# Units of a second and more: the seconds of one.
_SECONDS = {
    "days": _SECONDS_OF_A_DAY,
    "hours": 3_600,
    "minutes": 60,
    "seconds": 1,
}
# Units of Arrow, and then of contracts: how many a second has.
_PER_SECOND = {
    "s": 1,
    "ms": 1_000,
    "us": 1_000_000,
    "ns": 1_000_000_000,
}
_SUBSECONDS = {
    "milliseconds": 1_000,
    "microseconds": 1_000_000,
}
_MOMENTS = (is_date, is_timestamp, is_time, is_duration)
# Of some part of a second, int64.
Counts: TypeAlias = np.ndarray


class Moments(NamedTuple):
    """Moments as counts (int64) of a part of a second, and how many of them a second has."""

    counts: Array
    per_second: int


def is_moment(dtype: DataType) -> bool:
    """Tell whether values are dates, timestamps, times or durations."""
    return any(check(dtype) for check in _MOMENTS)


def to_number(column: Array, unit: TimeUnit) -> Array:
    """Return moments as numbers (double) of a unit; a missing one stays missing.

    Args:
        column: dates and timestamps, counted from 1970-01-01 00:00; times of day, counted from
            midnight; or durations.
        unit: what is counted; fractions are kept.

    >>> to_number(pa.array([129_600], pa.timestamp("s")), "days").to_pylist()
    [1.5]
    >>> to_number(pa.array([1], pa.date32()), "hours").to_pylist()
    [24.0]
    """
    counts, per_second = count_moments(column)
    missing = column.is_null()
    # Booleans are bits in Arrow, which numpy cannot look at without a copy.
    is_missing = missing.to_numpy(zero_copy_only=False)
    # What stands in place of a missing one is not seen: the mask hides it again.
    present = counts.fill_null(0)
    numbers = present.to_numpy()
    if unit in _SUBSECONDS:
        wanted = _SUBSECONDS[unit]
        scaled = _scale(numbers, per_second, wanted)
    else:
        per_unit = per_second * _SECONDS[unit]
        scaled = _divide(numbers, per_unit)
    return pa.array(scaled, mask=is_missing)


def count_moments(column: Array) -> Moments:
    """Return moments as counts of the part of a second that their type counts."""
    dtype = column.type
    if is_date32(dtype):
        seconds = _count_seconds(column)
        return Moments(seconds, 1)
    # Arrow casts each to the integer of its own width alone.
    wide_type = pa.int64()
    own_type = pa.int32() if is_time32(dtype) else wide_type
    counts = column.cast(own_type)
    # A date64 counts milliseconds, and its type has no unit to say so.
    unit = "ms" if is_date64(dtype) else dtype.unit
    wide = counts.cast(wide_type)
    return Moments(wide, _PER_SECOND[unit])


def _count_seconds(dates: Array) -> Array:
    """Return days (date32) as seconds, int64; a missing one is 0."""
    # Arrow casts to the integer of its own width alone.
    narrow_type = pa.int32()
    narrow = dates.cast(narrow_type)
    # Wide before they are multiplied: 32 bits hold the seconds of 68 years alone.
    wide_type = pa.int64()
    wide = narrow.cast(wide_type)
    present = wide.fill_null(0)
    days = present.to_numpy()
    return pa.array(days * _SECONDS_OF_A_DAY)


def _divide(counts: Counts, divisor: int) -> np.ndarray:
    """Return counts / divisor (float64).

    The rest by itself: a double has no room for all digits of a count of nanoseconds, and the
    quotient of the same moment in seconds would then be another number.
    """
    whole, rest = np.divmod(counts, divisor)
    fractions = rest / divisor
    quotients: np.ndarray = whole + fractions
    return quotients


def _scale(counts: Counts, per_second: int, wanted: int) -> np.ndarray:
    """Return counts of one part of a second as counts of another (float64)."""
    if per_second >= wanted:
        divisor = per_second // wanted
        return _divide(counts, divisor)
    seconds, rest = np.divmod(counts, per_second)
    factor = wanted // per_second
    # As doubles: a product of large integers would wrap. The rest is less than a second.
    exact = seconds.astype(np.float64)
    whole = exact * wanted
    fractions = rest * factor
    scaled: np.ndarray = whole + fractions
    return scaled
