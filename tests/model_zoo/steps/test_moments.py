"""Dates and times as numbers: Python's own arithmetic, and the same number in whatever unit it is stored."""

import datetime as dt
from fractions import Fraction
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
import pyarrow as pa
import pytest

from model_zoo.steps.moments import to_number

MICROSECONDS = {
    "days": 86_400_000_000,
    "hours": 3_600_000_000,
    "minutes": 60_000_000,
    "seconds": 1_000_000,
    "milliseconds": 1_000,
    "microseconds": 1,
}


@given(
    seconds=st.integers(-(2**33), 2**33),
    unit=st.sampled_from(list(MICROSECONDS)),
)
@settings(max_examples=100, deadline=None)
def test_the_unit_in_a_file_says_nothing(seconds: int, unit: Any) -> None:
    numbers = [
        to_number(pa.array([seconds * factor], pa.timestamp(stored)), unit).to_pylist()
        for stored, factor in (("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9))
    ]
    exact = float(Fraction(seconds * 1_000_000, MICROSECONDS[unit]))
    assert numbers == [[pytest.approx(exact, rel=1e-15)]] * 4
    assert len({number for (number,) in numbers}) == 1


@pytest.mark.parametrize(
    ("stored", "unit"), [("s", "seconds"), ("ms", "milliseconds"), ("us", "microseconds")]
)
@given(counts=st.lists(st.integers(2**53, 2**63 - 1), min_size=1))
@settings(max_examples=20, deadline=None)
def test_in_its_own_unit_a_moment_is_the_nearest_number_however_far(
    stored: str, unit: Any, counts: list[int]
) -> None:
    # Beyond 2**53 a double rounds, and must do so once.
    moments = pa.array(counts, pa.duration(stored))
    assert to_number(moments, unit).to_pylist() == [float(count) for count in counts]


@pytest.mark.parametrize("unit", MICROSECONDS)
def test_numbers_are_pythons_own(unit: Any) -> None:
    moments = [dt.datetime(1969, 7, 20, 20, 17, 40), None, dt.datetime(2024, 2, 29, 12, 30, 1, 5)]
    found = to_number(pa.array(moments, pa.timestamp("us")), unit).to_pylist()
    one = dt.timedelta(microseconds=MICROSECONDS[unit])
    for moment, number in zip(moments, found, strict=True):
        expected = None if moment is None else (moment - dt.datetime(1970, 1, 1)) / one
        assert number == (expected if expected is None else pytest.approx(expected, rel=1e-15))


def test_a_zone_tells_how_a_moment_is_shown() -> None:
    column = pa.array([0], pa.timestamp("s", "UTC"))
    assert to_number(column.cast(pa.timestamp("s", "Asia/Tokyo")), "hours").to_pylist() == [0.0]


def test_dates_times_and_durations() -> None:
    day = pa.array([dt.date(1970, 1, 3), None])
    assert to_number(day, "days").to_pylist() == [2.0, None]
    assert to_number(day.cast(pa.date64()), "days").to_pylist() == [2.0, None]
    noon = [dt.time(12, 0), None]
    for kind in (pa.time32("s"), pa.time32("ms"), pa.time64("us"), pa.time64("ns")):
        assert to_number(pa.array(noon, kind), "days").to_pylist() == [0.5, None]
    for unit in ("s", "ms", "us", "ns"):
        lasted = pa.array([dt.timedelta(seconds=-90), None], pa.duration(unit))
        assert to_number(lasted, "minutes").to_pylist() == [-1.5, None]
