"""Bounds that a log tells hold though it may have cut them off, and nothing is told where they would not."""

import datetime as dt
from typing import Any

import pyarrow as pa
import pytest

from transforms.bounds import Bounds
from transforms.lakes.log_bounds import find_text_behind, make_log_bounds, read_partition

LAST = chr(0x10FFFF)
LONG = "p" * 15


@pytest.mark.parametrize(
    ("text", "behind"),
    [
        ("abc", "abd"),
        ("a", "b"),
        ("az" + LAST, "a{"),
        ("a" + LAST * 3, "b"),
        # Halves of letters are passed over.
        ("x\ud7ff", "x\ue000"),
        ("x\ue000", "x\ue001"),
        ("x\ud7fe", "x\ud7ff"),
        (LAST, None),
        ("", None),
    ],
)
def test_the_first_text_behind_all_that_begin_alike(text: str, behind: str | None) -> None:
    assert find_text_behind(text) == behind
    if behind is not None:
        # Python orders texts by the numbers of their letters.
        assert text + LAST < behind


@pytest.mark.parametrize(
    ("nulls", "rows", "may_be_null", "may_be_value"),
    [
        (0, 5, False, True),
        (1, 5, True, True),
        (5, 5, True, False),
        (None, 5, True, True),
        (0, None, False, True),
        (5, None, True, True),
        (None, None, True, True),
    ],
)
def test_what_may_be_missing_is_told_by_the_counts(
    nulls: int | None, rows: int | None, may_be_null: bool, may_be_value: bool
) -> None:
    for ends in ((None, None), (pa.scalar(1), pa.scalar(2))):
        known = make_log_bounds(*ends, nulls, rows)
        assert known == Bounds(*ends, may_be_null, may_be_value)


@pytest.mark.parametrize(
    ("least", "most", "expected"),
    [
        (1, 2, (1, 2)),
        (None, 2, (None, None)),
        (1, None, (None, None)),
        # A text of sixteen letters may be cut off.
        (LONG, LONG, (LONG, LONG)),
        (LONG, LONG + "a", (LONG, LONG + "b")),
        (LONG + "a", LONG + "bcd", (LONG + "a", LONG + "bce")),
        ("a", LAST * 16, (None, None)),
        ("a", LAST * 15, ("a", LAST * 15)),
    ],
)
def test_texts_are_widened_where_they_may_be_cut_off(
    least: Any, most: Any, expected: tuple[Any, Any]
) -> None:
    ends = [None if end is None else pa.scalar(end) for end in (least, most)]
    known = make_log_bounds(*ends, 0, 5)
    found = [None if end is None else end.as_py() for end in (known.least, known.most)]
    assert tuple(found) == expected


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_moments_are_widened_by_a_millisecond(unit: str) -> None:
    dtype = pa.timestamp(unit, "UTC")
    moment = dt.datetime(2024, 5, 6, 7, 8, 9, 123_000, tzinfo=dt.UTC)
    known = make_log_bounds(pa.scalar(moment, dtype), pa.scalar(moment, dtype), 0, 5)
    assert known.least is not None
    assert known.most is not None
    assert moment - known.least.as_py() == dt.timedelta(milliseconds=1)
    assert known.most.as_py() - moment == dt.timedelta(milliseconds=1)


@pytest.mark.parametrize("number", [-(2**63), 2**63 - 1])
def test_moments_at_the_end_of_their_type_have_no_bounds(number: int) -> None:
    moment = pa.scalar(number, pa.int64()).cast(pa.timestamp("us"))
    known = make_log_bounds(moment, moment, 0, 5)
    assert (known.least, known.most) == (None, None)


@pytest.mark.parametrize(
    ("text", "dtype", "expected"),
    [
        ("7", pa.int64(), Bounds(pa.scalar(7), pa.scalar(7), may_be_null=False)),
        ("x", pa.string(), Bounds(pa.scalar("x"), pa.scalar("x"), may_be_null=False)),
        (None, pa.int64(), Bounds(may_be_value=False)),
        ("seven", pa.int64(), None),
    ],
)
def test_a_partition_has_one_value_or_none(
    text: str | None, dtype: pa.DataType, expected: Bounds | None
) -> None:
    assert read_partition(text, dtype) == expected
