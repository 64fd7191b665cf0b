"""Each rule of a check, against plain loops of Python."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
import re
from typing import Any

import pyarrow as pa
import pytest

from transforms.checks.column_check import ColumnCheck, find_newest

NAN = float("nan")
NUMBERS: list[Any] = [1, None, 5, -3, 0, 120]
TEXTS = ["north", None, "south", "", "northern", "a\nnorth", "north\n"]


def failed(rule: str, wanted: Any, column: pa.Array) -> list[int]:
    check = ColumnCheck("c", rule, wanted, "warn")
    return check.find_failed(column).tolist()


def expected(passes: Callable[[Any], bool], values: list[Any]) -> list[int]:
    pairs = enumerate(values)
    return [place for place, value in pairs if value is not None and not passes(value)]


@pytest.mark.parametrize(
    "dtype", ["int8", "uint8", "int64", "float16", "float32", "double", "decimal"]
)
@pytest.mark.parametrize("bound", [0, 1, 4.5, -3, 1_000, -1_000])
def test_ranges_are_those_of_python(dtype: str, bound: float) -> None:
    values = [value for value in NUMBERS if value is None or dtype != "uint8" or value >= 0]
    column = pa.array(values)
    if dtype == "decimal":
        decimals = [None if value is None else Decimal(value) for value in values]
        column = pa.array(decimals, pa.decimal128(9, 2))
    else:
        column = column.cast(pa.type_for_alias(dtype))
    assert failed("min", bound, column) == expected(lambda value: value >= bound, values)
    assert failed("max", bound, column) == expected(lambda value: value <= bound, values)


def test_large_integers_and_decimals_are_not_rounded() -> None:
    large = pa.array([2**63, 2**63 + 1, 2**64 - 1], pa.uint64())
    assert failed("max", 2**63, large) == [1, 2]
    tenths = pa.array([Decimal("0.1"), Decimal("0.2")], pa.decimal128(3, 1))
    assert failed("min", 0.1, tenths) == []
    assert failed("max", 0.1, tenths) == [1]


def test_nan_is_in_no_range_and_null_in_each() -> None:
    column = pa.array([NAN, None, 0.5])
    assert failed("min", 0, column) == [0]
    assert failed("max", 1, column) == [0]
    # pandas writes it for a missing number.
    assert failed("not_null", True, column) == [0, 1]
    assert failed("not_null", True, column.cast(pa.float16())) == [0, 1]


@pytest.mark.parametrize(
    ("dtype", "value", "expected"),
    [
        (pa.date32(), 4_000_000, datetime.max),
        (pa.date32(), -(2**31), datetime.min),
        (pa.date64(), 2**62, datetime.max),
        (pa.timestamp("s"), 2**62, datetime.max),
        (pa.timestamp("us"), -(2**62), datetime.min),
        (pa.timestamp("ns"), 1_999, datetime(1970, 1, 1, 0, 0, 0, 1)),
        (pa.timestamp("ms"), 7, datetime(1970, 1, 1, 0, 0, 0, 7_000)),
    ],
)
def test_the_newest_moment_is_one_that_python_knows(
    dtype: pa.DataType, value: int, expected: datetime
) -> None:
    column = pa.array([value], pa.int32() if dtype.bit_width == 32 else pa.int64()).view(dtype)
    newest = find_newest(column)
    assert newest is not None
    assert datetime(1970, 1, 1) + timedelta(microseconds=newest) == expected


@pytest.mark.parametrize("column", [pa.array(["2026-01-01"]), pa.array([7]), pa.array([1.5])])
def test_what_has_no_dates_is_refused(column: pa.Array) -> None:
    with pytest.raises(pa.ArrowNotImplementedError, match="are no dates or times"):
        find_newest(column.slice(0, 0))


@pytest.mark.parametrize("dtype", ["string", "large_string", "string_view", "dictionary"])
def test_rules_for_texts_are_those_of_python(dtype: str) -> None:
    column = pa.array(TEXTS)
    if dtype == "dictionary":
        column = column.dictionary_encode()
    else:
        column = column.cast(pa.type_for_alias(dtype))
    wanted = ("north", "south")
    assert failed("allowed", wanted, column) == expected(lambda text: text in wanted, TEXTS)
    for pattern in ("north|south", "n.*", "", r"\w+", "north$"):

        def matches(text: str, pattern: str = pattern) -> bool:
            return re.fullmatch(pattern, text) is not None

        assert failed("matches", pattern, column) == expected(matches, TEXTS), pattern
    assert failed("not_null", True, column) == [1]


@pytest.mark.parametrize(
    ("column", "bound"),
    [
        (pa.array([date(2026, 1, 1), None, date(2026, 3, 1)]), "2026-02-01"),
        (pa.array([datetime(2026, 1, 1), None, datetime(2026, 2, 1, 1)]), "2026-02-01T00:00:00"),
        (
            pa.array([0, None, 2**40], pa.timestamp("ms", tz="UTC")),
            "2000-01-01T00:00:00+01:00",
        ),
    ],
)
def test_bounds_of_dates_are_texts(column: pa.Array, bound: str) -> None:
    assert failed("min", bound, column) == [0]
    assert failed("max", bound, column) == [2]


def test_allowed_values_may_be_numbers_booleans_and_dates() -> None:
    assert failed("allowed", (1, 5, 9_999), pa.array(NUMBERS, pa.int8())) == [3, 4, 5]
    assert failed("allowed", (0.0, 1.5), pa.array([-0.0, 1.5, 2.0])) == [2]
    assert failed("allowed", (True,), pa.array([True, False, None])) == [1]
    days = pa.array([date(2026, 1, 1), date(2026, 1, 2)])
    assert failed("allowed", ("2026-01-02",), days) == [0]


def test_of_any_type_values_may_be_missing() -> None:
    structs = pa.array([{"a": 1}, None, {"a": None}])
    assert failed("not_null", True, structs) == [1]
    assert failed("not_null", True, pa.nulls(2)) == [0, 1]


def test_a_slice_is_looked_at_alone() -> None:
    column = pa.array([9, 9, 1, 9]).slice(2)
    assert failed("max", 5, column) == [1]
