"""Which types of a shard fit what a model's contract says, beyond other forms of the same type.

What is here holds for the model alone: what is copied to the output keeps its type. A narrower number
is one of the wider type, a `double` is rounded to a `float`, a list is a list whether or not the file
says that all are of one length, and a moment is the same moment whatever unit it is stored in.
"""

from collections.abc import Sequence

import pyarrow as pa
from pyarrow import types

from model_zoo.steps.lists import is_list
from model_zoo.steps.moments import is_moment
from transforms.logical_types import decoded_type

# From the coarsest to the finest.
_UNITS = ("s", "ms", "us", "ns")
# Finer ones take 64 bits.
_UNITS_OF_TIME32 = ("s", "ms")
# Of Arrow's widest decimal, and of its usual one.
_MOST_DIGITS = 76
_MOST_DIGITS_OF_128 = 38


def has_forms(dtype: pa.DataType) -> bool:
    """Tell whether steps take values in every form that fits: lists, moments and decimals."""
    if is_list(dtype) or is_moment(dtype):
        return True
    return bool(types.is_decimal(dtype))


def fits_exactly(actual: pa.DataType, wanted: pa.DataType) -> bool:
    """Tell whether every value of a type is one of the type that a contract states.

    Args:
        actual: the shard's.
        wanted: the contract's.

    >>> fits_exactly(pa.int32(), pa.int64()), fits_exactly(pa.int64(), pa.int32())
    (True, False)
    >>> fits_exactly(pa.list_(pa.int8(), 3), pa.list_(pa.int64()))
    True
    """
    if actual == wanted or types.is_null(actual):
        return True
    if is_list(actual) and is_list(wanted):
        return fits_exactly(actual.value_type, wanted.value_type)
    if types.is_decimal(actual) and types.is_decimal(wanted):
        return _widens_decimal(actual, wanted)
    if is_moment(wanted):
        return _is_same_moment(actual, wanted)
    return _widens_number(actual, wanted)


def fits_rounded(actual: pa.DataType, wanted: pa.DataType) -> bool:
    """Tell whether values may be rounded: models are trained in float32 on tables in float64.

    Args:
        actual, wanted: as for `fits_exactly`.
    """
    if is_list(actual) and is_list(wanted):
        return fits_rounded(actual.value_type, wanted.value_type)
    is_double = actual == pa.float64()
    is_single = wanted == pa.float32()
    return bool(is_double and is_single)


def may_be_dates(actual: pa.DataType, wanted: pa.DataType) -> bool:
    """Tell whether values of a type may be those of a date, as moments at midnight.

    pandas writes dates so. Each value is looked at when it is read. Of a moment with a zone nobody
    knows whose midnight is meant.

    Args:
        actual: the shard's.
        wanted: the contract's.
    """
    if not types.is_date(wanted):
        return False
    return types.is_timestamp(actual) and actual.tz is None


def widens(actual: pa.DataType, wanted: pa.DataType) -> bool:
    """Tell whether every value of a narrower number is one of the wider type, for plain numbers alone.

    Args:
        actual, wanted: as for `fits_exactly`.
    """
    return _widens_number(actual, wanted)


def join_decimals(found: Sequence[pa.DataType]) -> pa.DataType | None:
    """Return the decimal that has all digits of some decimals; None where no decimal has so many.

    >>> join_decimals([pa.decimal128(4, 2), pa.decimal128(6, 1)])
    Decimal128Type(decimal128(7, 2))
    """
    # The longest part before the point and the longest behind it may be of two types.
    scale = max(dtype.scale for dtype in found)
    whole_digits = max(_count_whole_digits(dtype) for dtype in found)
    precision = whole_digits + scale
    if precision > _MOST_DIGITS:
        return None
    if precision > _MOST_DIGITS_OF_128:
        return pa.decimal256(precision, scale)
    return pa.decimal128(precision, scale)


def join_if_decimals(first: pa.DataType, second: pa.DataType) -> pa.DataType | None:
    """Return the decimal that has all digits of two; None where one of them is no decimal.

    Args:
        first, second: any types.
    """
    if types.is_decimal(first) and types.is_decimal(second):
        return join_decimals([first, second])
    return None


def take_most_digits(wanted: pa.DataType, found: Sequence[pa.DataType]) -> pa.DataType:
    """Return the type in which decimals of some shards come out, so that none of their digits is cut.

    Args:
        wanted: the contract's type.
        found: those of the shards, which it may be taken for.
    """
    decoded = [decoded_type(dtype) for dtype in found]
    wider = [dtype for dtype in decoded if not fits_exactly(dtype, wanted)]
    if not wider:
        return wanted
    joined = join_decimals([wanted, *wider])
    # No decimal has so many digits.
    if joined is None:
        return wanted
    return joined


def take_finest_unit(wanted: pa.DataType, found: Sequence[pa.DataType]) -> pa.DataType:
    """Return the type in which moments of some shards come out, so that none of their digits is cut.

    Args:
        wanted: the contract's type.
        found: those of the shards, which fit it.
    """
    decoded = [decoded_type(dtype) for dtype in found]
    stored = [dtype for dtype in decoded if not types.is_null(dtype)]
    if not stored or types.is_date(wanted):
        return wanted
    units = [dtype.unit for dtype in stored]
    unit = max(units, key=_UNITS.index)
    if types.is_timestamp(wanted):
        return pa.timestamp(unit, tz=wanted.tz)
    if types.is_duration(wanted):
        return pa.duration(unit)
    if unit in _UNITS_OF_TIME32:
        return pa.time32(unit)
    return pa.time64(unit)


def _is_same_moment(actual: pa.DataType, wanted: pa.DataType) -> bool:
    """Tell whether two types are of the same moments: a zone tells how a moment is shown, not which it is."""
    if types.is_timestamp(actual) and types.is_timestamp(wanted):
        # Without any zone, nobody knows which moment is meant.
        return (actual.tz is None) == (wanted.tz is None)
    if types.is_time(actual) and types.is_time(wanted):
        return True
    if types.is_duration(actual) and types.is_duration(wanted):
        return True
    return types.is_date(actual) and types.is_date(wanted)


def _widens_decimal(actual: pa.DataType, wanted: pa.DataType) -> bool:
    whole_digits = _count_whole_digits(actual)
    # On both sides of the point: a digit more behind it takes none from before it.
    if _count_whole_digits(wanted) < whole_digits:
        return False
    return bool(wanted.scale >= actual.scale)


def _count_whole_digits(dtype: pa.DataType) -> int:
    """Return how many digits a decimal has before its point."""
    digits: int = dtype.precision - dtype.scale
    return digits


def _widens_number(actual: pa.DataType, wanted: pa.DataType) -> bool:
    if not _is_number(actual) or not _is_number(wanted):
        return False
    if actual.bit_width >= wanted.bit_width:
        return False
    was_floating = types.is_floating(actual)
    is_floating = types.is_floating(wanted)
    # Integers and floats are not taken for each other, whatever their widths.
    if was_floating or is_floating:
        return bool(was_floating and is_floating)
    was_signed = types.is_signed_integer(actual)
    is_signed = types.is_signed_integer(wanted)
    # A wider signed type holds every unsigned value, but not the other way round.
    return bool(was_signed == is_signed or is_signed)


def _is_number(dtype: pa.DataType) -> bool:
    is_integer = types.is_integer(dtype)
    is_floating = types.is_floating(dtype)
    return bool(is_integer or is_floating)
