"""Which types of a shard fit what a model's contract says, beyond other forms of the same type.

What is here holds for the model alone: what is copied to the output keeps its type. A narrower number
is one of the wider type, a `double` is rounded to a `float`, a list is a list whether or not the file
says that all are of one length, and a moment is the same moment whatever unit it is stored in.
"""

from collections.abc import Sequence
from typing import TypeAlias

import pyarrow as pa
from pyarrow import DataType
from pyarrow.types import (
    is_date,
    is_decimal,
    is_duration,
    is_floating,
    is_integer,
    is_null,
    is_signed_integer,
    is_time,
    is_timestamp,
)

from model_zoo.steps.lists import is_list
from model_zoo.steps.moments import is_moment
from transforms.logical_types import decoded_type

Types: TypeAlias = Sequence[DataType]
# From the coarsest to the finest.
_UNITS = ("s", "ms", "us", "ns")
_UNZONED = (is_time, is_duration, is_date)
# Finer ones take 64 bits.
_UNITS_OF_TIME32 = ("s", "ms")
# Of Arrow's widest decimal, and of its usual one.
_MOST_DIGITS = 76
_MOST_DIGITS_OF_128 = 38


def has_forms(dtype: DataType) -> bool:
    """Tell whether steps take values in every form that fits: lists, moments and decimals."""
    if is_list(dtype) or is_moment(dtype):
        return True
    return bool(is_decimal(dtype))


def fits_exactly(actual: DataType, wanted: DataType) -> bool:
    """Tell whether every value of a type is one of the type that a contract states.

    Args:
        actual: the shard's.
        wanted: the contract's.

    >>> fits_exactly(pa.int32(), pa.int64()), fits_exactly(pa.int64(), pa.int32())
    (True, False)
    >>> fits_exactly(pa.list_(pa.int8(), 3), pa.list_(pa.int64()))
    True
    """
    if actual == wanted or is_null(actual):
        return True
    if is_list(actual) and is_list(wanted):
        items = actual.value_type
        wanted_items = wanted.value_type
        return fits_exactly(items, wanted_items)
    if is_decimal(actual) and is_decimal(wanted):
        return _widens_decimal(actual, wanted)
    if is_moment(wanted):
        return _is_same_moment(actual, wanted)
    return _widens_number(actual, wanted)


def fits_rounded(actual: DataType, wanted: DataType) -> bool:
    """Tell whether values may be rounded: models are trained in float32 on tables in float64.

    Args:
        actual, wanted: as for `fits_exactly`.
    """
    if is_list(actual) and is_list(wanted):
        items = actual.value_type
        wanted_items = wanted.value_type
        return fits_rounded(items, wanted_items)
    is_double = actual == pa.float64()
    is_single = wanted == pa.float32()
    return bool(is_double and is_single)


def may_be_dates(actual: DataType, wanted: DataType) -> bool:
    """Tell whether values of a type may be those of a date, as moments at midnight.

    pandas writes dates so. Each value is looked at when it is read. Of a moment with a zone nobody
    knows whose midnight is meant.

    Args:
        actual: the shard's.
        wanted: the contract's.
    """
    if not is_date(wanted):
        return False
    if not is_timestamp(actual):
        return False
    return actual.tz is None


def widens(actual: DataType, wanted: DataType) -> bool:
    """Tell whether every value of a narrower number is one of the wider type, for plain numbers alone.

    Args:
        actual, wanted: as for `fits_exactly`.
    """
    return _widens_number(actual, wanted)


def join_decimals(found: Types) -> DataType | None:
    """Return the decimal that has all digits of some decimals; None where no decimal has so many.

    >>> join_decimals([pa.decimal128(4, 2), pa.decimal128(6, 1)])
    Decimal128Type(decimal128(7, 2))
    """
    # The longest part before the point and the longest behind it may be of two types.
    scale = max(dtype.scale for dtype in found)
    whole_digits = max(map(_count_whole_digits, found))
    precision = whole_digits + scale
    if precision > _MOST_DIGITS:
        return None
    if precision > _MOST_DIGITS_OF_128:
        return pa.decimal256(precision, scale)
    return pa.decimal128(precision, scale)


def join_if_decimals(first: DataType, second: DataType) -> DataType | None:
    """Return the decimal that has all digits of two; None where one of them is no decimal.

    Args:
        first, second: any types.
    """
    if is_decimal(first) and is_decimal(second):
        return join_decimals([first, second])
    return None


def take_most_digits(wanted: DataType, found: Types) -> DataType:
    """Return the type in which decimals of some shards come out, so that none of their digits is cut.

    Args:
        wanted: the contract's type.
        found: those of the shards, which it may be taken for.
    """
    decoded = map(decoded_type, found)
    wider = [dtype for dtype in decoded if not fits_exactly(dtype, wanted)]
    if not wider:
        return wanted
    joined = join_decimals([wanted, *wider])
    # No decimal has so many digits.
    if joined is None:
        return wanted
    return joined


def take_finest_unit(wanted: DataType, found: Types) -> DataType:
    """Return the type in which moments of some shards come out, so that none of their digits is cut.

    Args:
        wanted: the contract's type.
        found: those of the shards, which fit it.
    """
    if is_date(wanted):
        return wanted
    decoded = map(decoded_type, found)
    # Of a column without a value there is none.
    units = [dtype.unit for dtype in decoded if not is_null(dtype)]
    if not units:
        return wanted
    unit = max(units, key=_UNITS.index)
    if is_timestamp(wanted):
        zone = wanted.tz
        return pa.timestamp(unit, tz=zone)
    if is_duration(wanted):
        return pa.duration(unit)
    if unit in _UNITS_OF_TIME32:
        return pa.time32(unit)
    return pa.time64(unit)


def _is_same_moment(actual: DataType, wanted: DataType) -> bool:
    """Tell whether two types are of the same moments: a zone tells how a moment is shown, not which it is."""
    if is_timestamp(actual) and is_timestamp(wanted):
        # Without any zone, nobody knows which moment is meant.
        has_zone = actual.tz is not None
        wants_zone = wanted.tz is not None
        return has_zone == wants_zone
    return any(check(actual) and check(wanted) for check in _UNZONED)


def _widens_decimal(actual: DataType, wanted: DataType) -> bool:
    # On both sides of the point: a digit more behind it takes none from before it.
    whole_digits = _count_whole_digits(actual)
    whole_places = _count_whole_digits(wanted)
    if whole_places < whole_digits:
        return False
    digits_behind = actual.scale
    places_behind = wanted.scale
    return bool(places_behind >= digits_behind)


def _count_whole_digits(dtype: DataType) -> int:
    """Return how many digits a decimal has before its point."""
    digits: int = dtype.precision - dtype.scale
    return digits


def _widens_number(actual: DataType, wanted: DataType) -> bool:
    if not _is_number(actual) or not _is_number(wanted):
        return False
    if actual.bit_width >= wanted.bit_width:
        return False
    was_floating: bool = is_floating(actual)
    wants_floating: bool = is_floating(wanted)
    # Integers and floats are not taken for each other, whatever their widths.
    if was_floating or wants_floating:
        return was_floating and wants_floating
    was_signed: bool = is_signed_integer(actual)
    wants_signed: bool = is_signed_integer(wanted)
    # A wider signed type holds every unsigned value, but not the other way round.
    return wants_signed or not was_signed


def _is_number(dtype: DataType) -> bool:
    return bool(is_integer(dtype) or is_floating(dtype))
