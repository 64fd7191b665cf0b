"""Comparisons of Arrow values that are true of the values themselves, whatever their types.

Arrow brings both sides to one type first. Where that is a float, large integers and decimals are
rounded, and whether a value can be rounded at all decides row by row whether the comparison fails.
"""

from collections.abc import Callable
from decimal import Decimal
import math
from typing import Any, NamedTuple, TypeAlias

import pyarrow as pa
from pyarrow import Array, DataType, Scalar
import pyarrow.compute as pc
from pyarrow.types import is_decimal, is_floating, is_integer, is_unsigned_integer

Values: TypeAlias = Array | Scalar
Compare: TypeAlias = Callable[[Any, Any], Values]

# The same comparison with its sides exchanged.
_MIRRORED: dict[Compare, Compare] = {
    pc.equal: pc.equal,
    pc.not_equal: pc.not_equal,
    pc.less: pc.greater,
    pc.less_equal: pc.greater_equal,
    pc.greater: pc.less,
    pc.greater_equal: pc.less_equal,
}
# What an integer has to do with the whole number below a number that is between two of them.
_WITH_FLOOR: dict[Compare, Compare] = {
    pc.less: pc.less_equal,
    pc.less_equal: pc.less_equal,
    pc.greater: pc.greater,
    pc.greater_equal: pc.greater,
}
# What is true of a number that is below, or above, the one that it is compared with.
_TRUE_BELOW = (pc.less, pc.less_equal, pc.not_equal)
_TRUE_ABOVE = (pc.greater, pc.greater_equal, pc.not_equal)
# A double holds every integer of so many bits.
_EXACT_BITS = 32


def compare_exactly(compare: Compare, left: Values, right: Values) -> Values:
    """Compare two values, a column of values with one, or two columns; null where a side is null.

    Args:
        compare: a comparison of `pyarrow.compute`.
        left, right: arrays of one length, or scalars.

    Raises:
        pyarrow.ArrowInvalid: an integer of 64 bits, or a decimal, beside a column of floats.
        pyarrow.ArrowNotImplementedError: types that have nothing in common.
    """
    if _is_turned(left, right):
        left, right = right, left
        compare = _MIRRORED[compare]
    if not _would_round(left, right):
        return _compare_alike(compare, left, right)
    if isinstance(right, Scalar):
        number = right.as_py()
        return _compare_with_float(compare, left, number)
    if not _is_small_integer(left.type):
        raise pa.ArrowInvalid(
            f"values of type {left.type} with those of a column of type {right.type}, which would "
            "be rounded"
        )
    double = pa.float64()
    left_doubles = left.cast(double)
    right_doubles = right.cast(double)
    return compare(left_doubles, right_doubles)


def _is_turned(left: Values, right: Values) -> bool:
    """Tell whether to exchange the sides, so that what must stay exact is a column on the left."""
    if isinstance(right, Scalar):
        return False
    if isinstance(left, Scalar):
        return True
    return _would_round(right, left)


def _would_round(exact: Values, other: Values) -> bool:
    """Tell whether Arrow would make floats of the first, to compare it with the other."""
    if not is_floating(other.type):
        return False
    dtype = exact.type
    return bool(is_integer(dtype) or is_decimal(dtype))


def _is_small_integer(dtype: DataType) -> bool:
    if not is_integer(dtype):
        return False
    return bool(dtype.bit_width <= _EXACT_BITS)


def _compare_with_float(
    compare: Compare,
    column: Values,
    number: float | None,
) -> Values:
    """Compare integers or decimals with one float."""
    if number is None or not math.isfinite(number):
        # No integer is one of these, and a double tells on which side it is.
        double_type = pa.float64()
        doubles = column.cast(double_type, safe=False)
        double = pa.scalar(number, double_type)
        return compare(doubles, double)
    if is_decimal(column.type):
        # As it is written, and not the binary fraction that is nearest to it.
        text = str(number)
        written = Decimal(text)
        return _compare_with_decimal(compare, column, written)
    below = math.floor(number)
    if below == number:
        return _compare_with_integer(compare, column, below)
    if compare in _WITH_FLOOR:
        with_floor = _WITH_FLOOR[compare]
        return _compare_with_integer(with_floor, column, below)
    # No integer is equal to it.
    answer = compare is pc.not_equal
    return _answer_all(column, answer)


def _compare_with_decimal(
    compare: Compare,
    column: Values,
    number: Decimal,
) -> Values:
    """Compare decimals with one that may have more digits than any decimal of Arrow's."""
    dtype = column.type
    # In units of the column's last digit, of which there is a whole number below it.
    sign, digits, exponent = number.as_tuple()
    unsigned = Decimal((0, digits, 0))
    units = -int(unsigned) if sign else int(unsigned)
    shift = int(exponent) + dtype.scale
    # Whole numbers alone, of any length: no division rounds.
    multiplied = units * 10 ** max(shift, 0)
    divisor = 10 ** max(-shift, 0)
    below, rest = divmod(multiplied, divisor)
    if rest:
        # No value of the column is equal to it.
        if compare not in _WITH_FLOOR:
            return _answer_all(column, compare is pc.not_equal)
        compare = _WITH_FLOOR[compare]
    most = 10**dtype.precision - 1
    if -most <= below <= most:
        is_negative = int(below < 0)
        digits = Decimal(abs(below)).as_tuple().digits
        stored = Decimal((is_negative, digits, -dtype.scale))
        scalar = pa.scalar(stored, dtype)
        return compare(column, scalar)
    # Every value of the column is on one side of it.
    true_ones = _TRUE_BELOW if below > most else _TRUE_ABOVE
    return _answer_all(column, compare in true_ones)


def _compare_alike(compare: Compare, left: Values, right: Values) -> Values:
    """Compare values of which Arrow rounds none."""
    is_number = isinstance(right, Scalar) and right.is_valid
    # Arrow would need a decimal that holds both, which there may not be.
    if is_number and is_decimal(left.type) and is_decimal(right.type):
        return _compare_with_decimal(compare, left, right.as_py())
    types = (left.type, right.type)
    are_integers = all(map(is_integer, types))
    if not is_number or not are_integers:
        return compare(left, right)
    # It may be out of the column's range.
    number = right.as_py()
    return _compare_with_integer(compare, left, number)


def _compare_with_integer(
    compare: Compare,
    column: Values,
    number: int,
) -> Values:
    """Compare integers with one that may be out of their range."""
    dtype = column.type
    least, most = find_range(dtype)
    if least <= number <= most:
        scalar = pa.scalar(number, dtype)
        return compare(column, scalar)
    # Every integer of the column is on one side of it.
    true_ones = _TRUE_ABOVE
    if number > most:
        true_ones = _TRUE_BELOW
    answer = compare in true_ones
    return _answer_all(column, answer)


class Range(NamedTuple):
    """The smallest and the largest number of a type."""

    least: int
    most: int


def find_range(dtype: DataType) -> Range:
    """Return the smallest and the largest number of an integer type.

    >>> find_range(pa.int8())
    Range(least=-128, most=127)
    """
    bits = dtype.bit_width
    if is_unsigned_integer(dtype):
        count = 2**bits
        return Range(0, count - 1)
    # One bit is the sign.
    half = 2 ** (bits - 1)
    return Range(-half, half - 1)


def _answer_all(column: Values, answer: bool) -> Values:
    """Return one answer for every value, null where it is null."""
    is_known = pc.is_valid(column)
    known = pa.scalar(answer)
    truth = pa.bool_()
    unknown = pa.scalar(None, truth)
    return pc.if_else(is_known, known, unknown)
