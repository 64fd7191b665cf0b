"""What a Delta log tells of a file's values: within it are all of them, and what is odd tells nothing."""

import datetime as dt
from decimal import Decimal
import json
from typing import Any

import pyarrow as pa
import pytest

from transforms.bounds import Bounds
from transforms.lakes import delta_statistics
from transforms.lakes.delta_statistics import Told, read_statistics
from transforms.lakes.snapshot import TableColumn


def read(stats: Any, dtype: pa.DataType | None = None, is_widened: bool = False) -> Told:
    kind = pa.int64() if dtype is None else dtype
    column = TableColumn("x", kind, "k", "stored", is_widened=is_widened)
    return read_statistics({"stats": stats}, {}, [column])


def tell(least: Any, most: Any, **more: Any) -> dict[str, Any]:
    ends = {"minValues": {"stored": least}, "maxValues": {"stored": most}}
    return {"numRecords": 3, **ends, "nullCount": {"stored": 0}, **more}


def ends_of(stats: Any, dtype: pa.DataType) -> tuple[Any, Any]:
    bounds = read(stats, dtype).bounds["x"]
    least, most = (None if end is None else end.as_py() for end in (bounds.least, bounds.most))
    return least, most


@pytest.mark.parametrize("is_parsed", [False, True])
def test_rows_nulls_and_ends_are_told(is_parsed: bool) -> None:
    stats = tell(-1, 5)
    told = read(stats if is_parsed else json.dumps(stats))
    assert told.rows == 3
    assert told.bounds == {"x": Bounds(pa.scalar(-1), pa.scalar(5), may_be_null=False)}


def test_a_widened_column_keeps_its_nulls_alone() -> None:
    assert read(tell(-1, 5), is_widened=True).bounds == {"x": Bounds(may_be_null=False)}


@pytest.mark.parametrize(
    "stats",
    [None, "", "{", "[]", "7", "[" * 100_000, {}, {"minValues": 5}, tell(None, None, nullCount=7)],
)
def test_what_is_no_statistics_tells_nothing_of_a_column(stats: Any) -> None:
    assert read(stats).bounds == {"x": Bounds()}


def test_a_text_of_a_mebibyte_is_read_and_no_longer_one(monkeypatch: pytest.MonkeyPatch) -> None:
    text = json.dumps(tell(1, 2))
    monkeypatch.setattr(delta_statistics, "_MOST_LETTERS", len(text))
    assert read(text).rows == 3
    monkeypatch.setattr(delta_statistics, "_MOST_LETTERS", len(text) - 1)
    assert read(text) == Told(None, {"x": Bounds()})


@pytest.mark.parametrize(
    ("dtype", "least", "most"),
    [
        (pa.int64(), True, True),
        (pa.int64(), 1.0, 2.0),
        (pa.int64(), "1", "2"),
        (pa.int8(), -128, 128),
        (pa.float64(), "1.0", "2.0"),
        (pa.float64(), False, True),
        (pa.float64(), float("-inf"), 1.0),
        (pa.decimal128(9, 2), "1.00", "2.00"),
        (pa.string(), 1, 2),
        (pa.date32(), "someday", "2026-01-01"),
        (pa.binary(), "a", "b"),
    ],
)
def test_ends_of_another_kind_tell_nothing(dtype: pa.DataType, least: Any, most: Any) -> None:
    assert ends_of(tell(least, most), dtype) == (None, None)


@pytest.mark.parametrize(
    ("dtype", "least", "most", "expected"),
    [
        (pa.int8(), -128, 127, (-128, 127)),
        (pa.float64(), 1, 2.5, (1.0, 2.5)),
        (pa.string(), "", "b", ("", "b")),
        (
            pa.date32(),
            "2026-01-01",
            dt.date(2026, 1, 2),
            (dt.date(2026, 1, 1), dt.date(2026, 1, 2)),
        ),
    ],
)
def test_ends_are_of_the_columns_type(
    dtype: pa.DataType, least: Any, most: Any, expected: tuple[Any, Any]
) -> None:
    assert ends_of(tell(least, most), dtype) == expected


@pytest.mark.parametrize(
    ("digits", "least", "most"),
    [
        (15, "100000000000000", "100000000000000"),
        (16, "99999999999999.9", "100000000000000.1"),
    ],
)
def test_of_more_digits_than_a_double_holds_the_last_ones_may_be_lost(
    digits: int, least: str, most: str
) -> None:
    dtype = pa.decimal128(digits, digits - 15)
    told = tell(10**14, 10**14)
    assert ends_of(told, dtype) == (Decimal(least), Decimal(most))


def test_decimals_are_rounded_away_from_the_values() -> None:
    text = json.dumps(tell(1.234, 1.236))
    assert ends_of(text, pa.decimal128(9, 2)) == (Decimal("1.23"), Decimal("1.24"))


def test_a_partition_is_told_by_the_log_and_a_type_that_is_none_by_nobody() -> None:
    day = TableColumn("day", pa.int64(), "long", "day")
    odd = TableColumn("odd", None, "variant", "odd")
    told = read_statistics({"stats": json.dumps(tell(1, 2))}, {"day": "7"}, [odd, day])
    assert told.bounds == {"day": Bounds(pa.scalar(7), pa.scalar(7), may_be_null=False)}
