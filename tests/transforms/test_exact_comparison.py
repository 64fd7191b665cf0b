"""Comparisons of numbers of any two types, against Python's own, which rounds none."""

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
import math
import operator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from transforms.exact_comparison import compare_exactly

COMPARISONS: dict[Any, Callable[[Any, Any], bool]] = {
    pc.equal: operator.eq,
    pc.not_equal: operator.ne,
    pc.less: operator.lt,
    pc.less_equal: operator.le,
    pc.greater: operator.gt,
    pc.greater_equal: operator.ge,
}
EXACT = 2**53
NAMED = pytest.mark.parametrize("compare", COMPARISONS, ids=lambda compare: compare.__name__)
# Columns whose values no double tells apart, each with a missing one.
COLUMNS = [
    pa.array([EXACT, EXACT + 1, EXACT + 2, -EXACT - 1, 0, 3, None], pa.int64()),
    pa.array([2**64 - 1, 2**64 - 2, 0, 3, None], pa.uint64()),
    pa.array([-128, -1, 0, 3, 127, None], pa.int8()),
    pa.array([0, 3, 2**32 - 1, None], pa.uint32()),
    pa.array([Decimal("0.10"), Decimal("3.00"), Decimal("-2.50"), None], pa.decimal128(20, 2)),
    pa.array([Decimal("1e45"), Decimal("0.1"), Decimal(-3), None], pa.decimal256(76, 30)),
    pa.array([0.0, 3.0, 2.5, math.inf, -math.inf, math.nan, None], pa.float64()),
    pa.array([0.0, 3.0, 0.1, math.nan, None], pa.float32()),
]
NUMBERS: list[Any] = [
    *(pa.scalar(value, pa.float64()) for value in (0.0, 3.0, 2.5, -2.5, 0.1, float(EXACT))),
    *(pa.scalar(value, pa.float64()) for value in (2.0**63, 2.0**64, -(2.0**63), 1e300, -1e300)),
    *(pa.scalar(value, pa.float64()) for value in (1e-300, -5e-324, 1e45, 1e75)),
    pa.scalar(Decimal("-2.5"), pa.decimal128(2, 1)),
    pa.scalar(Decimal("3e-70"), pa.decimal256(71, 71)),
    pa.scalar(Decimal("-1e75"), pa.decimal256(76, 0)),
    *(pa.scalar(value, pa.float64()) for value in (math.inf, -math.inf, math.nan)),
    *(pa.scalar(value, pa.int64()) for value in (0, 3, 127, 128, -128, -129, EXACT + 1, -1)),
    *(pa.scalar(value, pa.uint64()) for value in (2**64 - 1, 2**63, 0)),
    pa.scalar(None, pa.float64()),
    pa.scalar(None, pa.int64()),
]


def to_exact(value: Any, dtype: pa.DataType, other: pa.DataType) -> Any:
    """Return a value as Python compares it without rounding."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return value
    # A fraction beside a decimal is what is written, and not the binary one that is nearest.
    if pa.types.is_floating(dtype) and pa.types.is_decimal(other):
        return Fraction(str(value))
    return Fraction(value)


def compare_slowly(compare: Any, left: Any, right: Any, types: tuple[Any, Any]) -> bool | None:
    ours = to_exact(left, *types)
    theirs = to_exact(right, *reversed(types))
    if ours is None or theirs is None:
        return None
    return COMPARISONS[compare](ours, theirs)


def is_told(column: pa.Array, number: pa.Scalar) -> bool:
    """Tell whether it is said of these types how they compare."""
    value = number.as_py()
    if pa.types.is_floating(column.type):
        # Whether large integers suit a column of floats depends on its rows, and Arrow refuses it.
        return pa.types.is_floating(number.type)
    # A job's number beside a column of integers is no decimal.
    if pa.types.is_decimal(number.type):
        return pa.types.is_decimal(column.type)
    if pa.types.is_decimal(column.type):
        return pa.types.is_floating(number.type)
    # A job writes no missing number of a type that its column has not.
    return value is not None or pa.types.is_floating(number.type) or column.type == number.type


PAIRS = [(column, number) for column in COLUMNS for number in NUMBERS if is_told(column, number)]


@NAMED
def test_a_column_beside_a_number_is_compared_as_python_does(compare: Any) -> None:
    for column, number in PAIRS:
        types = (column.type, number.type)
        value = number.as_py()
        expected = [compare_slowly(compare, each, value, types) for each in column.to_pylist()]
        found = compare_exactly(compare, column, number)
        assert found.to_pylist() == expected, (types, value)


@NAMED
def test_sides_may_be_exchanged(compare: Any) -> None:
    for column, number in PAIRS:
        types = (number.type, column.type)
        value = number.as_py()
        expected = [compare_slowly(compare, value, each, types) for each in column.to_pylist()]
        found = compare_exactly(compare, number, column)
        assert found.to_pylist() == expected, (types, value)


@NAMED
@pytest.mark.parametrize(
    ("left", "right"),
    [
        (pa.array([1, 2, None, 4], pa.int8()), pa.array([1.0, 2.5, 3.0, None], pa.float64())),
        (pa.array([-1, 2**31 - 1], pa.int32()), pa.array([-1.0, 2.0**31], pa.float64())),
        (pa.array([1, 2, 3], pa.int8()), pa.array([1, 300, -5], pa.int16())),
        (pa.array([True, False]), pa.array([True, True])),
        (pa.array(["a", "b", None]), pa.array(["a", "c", "d"])),
    ],
)
def test_two_columns_are_compared_row_by_row(compare: Any, left: Any, right: Any) -> None:
    expected = []
    for ours, theirs in zip(left.to_pylist(), right.to_pylist(), strict=True):
        is_known = ours is not None and theirs is not None
        expected.append(COMPARISONS[compare](ours, theirs) if is_known else None)
    assert compare_exactly(compare, left, right).to_pylist() == expected


@NAMED
@pytest.mark.parametrize("number", ["9.99", "10.00", "-9.99", "-10.00", "9.995"])
def test_a_decimal_is_compared_with_the_first_number_that_its_type_cannot_hold(
    compare: Any, number: str
) -> None:
    values = [Decimal("9.99"), Decimal("-9.99"), Decimal("0.00")]
    found = compare_exactly(
        compare, pa.array(values, pa.decimal128(3, 2)), pa.scalar(Decimal(number))
    )
    expected = [COMPARISONS[compare](value, Decimal(number)) for value in values]
    assert found.to_pylist() == expected
