"""Comparisons of Arrow values that are true of the values themselves, whatever their types.

Arrow brings both sides to one type first. Where that is a float, large integers and decimals are
rounded, and whether a value can be rounded at all decides row by row whether the comparison fails.
"""

from collections.abc import Callable
from decimal import Decimal
import math
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

Values: TypeAlias = pa.Array | pa.Scalar
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
    is_turned = isinstance(left, pa.Scalar) and isinstance(right, pa.Array)
    both_columns = isinstance(left, pa.Array) and isinstance(right, pa.Array)
    if is_turned or (both_columns and _would_round(right, left)):
        left, right = right, left
        compare = _MIRRORED[compare]
    if not _would_round(left, right):
        return _compare_alike(compare, left, right)
    if isinstance(right, pa.Scalar):
        return _compare_with_float(compare, left, right.as_py())
    is_small = pa.types.is_integer(left.type) and left.type.bit_width <= _EXACT_BITS
    if not is_small:
        raise pa.ArrowInvalid(
            f"values of type {left.type} with those of a column of type {right.type}, which would "
            "be rounded"
        )
    return compare(left.cast(pa.float64()), right.cast(pa.float64()))


def _would_round(exact: Values, other: Values) -> bool:
    """Tell whether Arrow would make floats of the first, to compare it with the other."""
    is_exact = pa.types.is_integer(exact.type) or pa.types.is_decimal(exact.type)
    return bool(is_exact and pa.types.is_floating(other.type))


def _compare_with_float(compare: Compare, column: Values, number: float | None) -> Values:
    """Compare integers or decimals with one float."""
    if number is None or not math.isfinite(number):
        # No integer is one of these, and a double tells on which side it is.
        return compare(column.cast(pa.float64(), safe=False), pa.scalar(number, pa.float64()))
    if pa.types.is_decimal(column.type):
        # As it is written, and not the binary fraction that is nearest to it.
        return compare(column, pa.scalar(Decimal(str(number))))
    below = math.floor(number)
    if below == number:
        return _compare_with_integer(compare, column, below)
    if compare in _WITH_FLOOR:
        return _compare_with_integer(_WITH_FLOOR[compare], column, below)
    # No integer is equal to it.
    return _answer_all(column, compare is pc.not_equal)


def _compare_alike(compare: Compare, left: Values, right: Values) -> Values:
    """Compare values of which Arrow rounds none."""
    is_number = isinstance(right, pa.Scalar) and pa.types.is_integer(right.type)
    if is_number and right.is_valid and pa.types.is_integer(left.type):
        return _compare_with_integer(compare, left, right.as_py())
    return compare(left, right)


def _compare_with_integer(compare: Compare, column: Values, number: int) -> Values:
    """Compare integers with one that may be out of their range."""
    least, most = find_range(column.type)
    if least <= number <= most:
        return compare(column, pa.scalar(number, column.type))
    is_below = compare in (pc.less, pc.less_equal, pc.not_equal)
    is_above = compare in (pc.greater, pc.greater_equal, pc.not_equal)
    return _answer_all(column, is_below if number > most else is_above)


def find_range(dtype: pa.DataType) -> tuple[int, int]:
    """Return the smallest and the largest number of an integer type.

    >>> find_range(pa.int8())
    (-128, 127)
    """
    bits = dtype.bit_width
    if pa.types.is_unsigned_integer(dtype):
        return 0, 2**bits - 1
    return -(2 ** (bits - 1)), 2 ** (bits - 1) - 1


def _answer_all(column: Values, answer: bool) -> Values:
    """Return one answer for every value, null where it is null."""
    unknown = pa.scalar(None, pa.bool_())
    return pc.if_else(pc.is_valid(column), pa.scalar(answer), unknown)
