"""A job's filter as pyiceberg takes it: what both take alike, and whatever else may be true of any row."""

import datetime as dt
from typing import Any

import pyarrow as pa
import pytest

pytest.importorskip("pyiceberg")

from pyiceberg.expressions import (
    AlwaysTrue,
    And,
    EqualTo,
    GreaterThan,
    In,
    IsNull,
    LessThan,
    LessThanOrEqual,
    NotNull,
    Or,
)

from transforms.lakes.iceberg_filter import make_row_filter

TYPES = {
    "n": pa.int32(),
    "f": pa.float64(),
    "s": pa.string(),
    "d": pa.date32(),
    "t": pa.timestamp("us"),
    "m": None,
}
MOMENT = dt.datetime(1971, 1, 1, 1)


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("n == 5", EqualTo("n", 5)),
        ("n > -5", GreaterThan("n", -5)),
        ("n in [1, 2]", In("n", [1, 2])),
        ("s <= 'b'", LessThanOrEqual("s", "b")),
        ("s is None", IsNull("s")),
        ("s is not None", NotNull("s")),
        ("n < 1 and s == 'a'", And(LessThan("n", 1), EqualTo("s", "a"))),
        ("n < 1 or s == 'a'", Or(LessThan("n", 1), EqualTo("s", "a"))),
        ("d < '1971-01-01'", LessThan("d", dt.date(1971, 1, 1))),
        ("t == '1971-01-01 01:00:00'", EqualTo("t", MOMENT)),
    ],
)
def test_what_both_take_alike_is_handed_on(where: str, expected: Any) -> None:
    assert make_row_filter(where, TYPES) == expected


@pytest.mark.parametrize(
    "where",
    [
        # Some writers took years, months and days before 1970 for those behind.
        "d < '1970-12-31'",
        "d in ['1969-07-20', '2026-01-01']",
        "t <= '1969-12-31 23:59:59'",
        "n != 5",
        "not (n == 5)",
        "n not in [5]",
        "5 == n",
        "n == 5.5",
        "n in [1, 2.5]",
        "f == 1.5",
        "m == 1",
        "unknown == 1",
        "n < 1 or f > 2",
        "d == 'no day'",
    ],
)
def test_whatever_else_is_said_may_be_true_of_any_row(where: str) -> None:
    assert make_row_filter(where, TYPES) == AlwaysTrue()
