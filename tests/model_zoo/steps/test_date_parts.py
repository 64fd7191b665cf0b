"""Parts of dates, beside pandas' own, row by row."""

import datetime
import math
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from configs.errors import JobError
from model_zoo.steps.date_parts import DateParts
from model_zoo.steps.table import fit_steps

OF_DAY = ("year", "month", "day", "day_of_year", "weekday")
ALL = (*OF_DAY, "hour", "minute")
MOMENTS = [
    "1969-12-31 23:59:59.999",
    "2024-02-29 23:30:00",
    "2023-12-31 00:00:00",
    "1600-03-01 12:34:56",
    "2100-01-01 01:00:00",
    "2024-03-31 01:30:00",
    "2024-10-27 00:30:00",
]


def apply(column: Any, **fields: Any) -> dict[str, Any]:
    step = DateParts(step="date_parts", columns=("when",), **fields)
    result: dict[str, Any] = dict(step.apply({"when": column}, len(column)))
    return result


def parts_of_pandas(moments: pd.Series, parts: tuple[str, ...]) -> dict[str, Any]:
    names = {"weekday": "day_of_week"}
    return {
        f"when_{part}": getattr(moments.dt, names.get(part, part)).to_numpy(float) for part in parts
    }


def assert_equal(actual: dict[str, Any], expected: dict[str, Any]) -> None:
    assert list(actual) == list(expected)
    for name, numbers in actual.items():
        assert numbers.dtype == np.float64
        np.testing.assert_array_equal(numbers, expected[name], err_msg=name)


@pytest.mark.parametrize("unit", ["s", "ms", "us"])
def test_parts_are_those_of_pandas(unit: str) -> None:
    moments = pd.Series(pd.to_datetime(MOMENTS, format="ISO8601").astype(f"datetime64[{unit}]"))
    column = pa.array(moments.to_numpy())
    assert column.type == pa.timestamp(unit)
    assert_equal(apply(column, parts=ALL), parts_of_pandas(moments, ALL))


@settings(max_examples=60, deadline=None)
@given(st.datetimes(datetime.datetime(1, 1, 1), datetime.datetime(9999, 12, 31)))
def test_parts_are_those_of_python(moment: datetime.datetime) -> None:
    actual = apply(pa.array([moment], pa.timestamp("us")), parts=ALL)
    expected = [
        moment.year,
        moment.month,
        moment.day,
        moment.timetuple().tm_yday,
        moment.weekday(),
        moment.hour,
        moment.minute,
    ]
    assert [numbers[0] for numbers in actual.values()] == expected


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu"])
@pytest.mark.parametrize("stored", ["UTC", "Asia/Tokyo"])
def test_a_zone_tells_whose_clocks_are_meant_whatever_zone_a_file_has(
    zone: str, stored: str
) -> None:
    moments = pd.Series(pd.to_datetime(MOMENTS[1:], format="ISO8601", utc=True))
    stored_as = moments.dt.tz_localize(None).to_numpy()
    column = pa.array(stored_as).cast(pa.timestamp("us")).cast(pa.timestamp("us", tz=stored))
    expected = parts_of_pandas(moments.dt.tz_convert(zone), ALL)
    assert_equal(apply(column, parts=ALL, zone=zone), expected)


@pytest.mark.parametrize("dtype", [pa.date32(), pa.date64()])
def test_dates_have_the_parts_of_days(dtype: pa.DataType) -> None:
    days = [datetime.date(2024, 2, 29), datetime.date(1969, 12, 31), datetime.date(1, 1, 1)]
    actual = apply(pa.array(days, dtype), parts=OF_DAY)
    assert [numbers.tolist() for numbers in actual.values()] == [
        [2024, 1969, 1],
        [2, 12, 1],
        [29, 31, 1],
        [60, 365, 1],
        [3, 2, 0],
    ]


@pytest.mark.parametrize("dtype", [pa.time32("s"), pa.time32("ms"), pa.time64("us")])
def test_times_of_day_have_hours_and_minutes(dtype: pa.DataType) -> None:
    actual = apply(pa.array([datetime.time(23, 59, 59)], dtype), parts=("hour", "minute"))
    assert {name: numbers.tolist() for name, numbers in actual.items()} == {
        "when_hour": [23],
        "when_minute": [59],
    }


@pytest.mark.parametrize("cyclic", [False, True])
def test_a_missing_date_has_missing_parts(cyclic: bool) -> None:
    column = pa.array([None, datetime.date(2024, 12, 1)])
    actual = apply(column, cyclic=cyclic)
    assert all(np.isnan(numbers).tolist() == [True, False] for numbers in actual.values())
    nothing = apply(pa.nulls(3), cyclic=cyclic)
    assert list(nothing) == list(actual)
    assert all(np.isnan(numbers).all() and len(numbers) == 3 for numbers in nothing.values())


def test_cyclic_parts_lie_on_a_circle_and_a_year_does_not() -> None:
    column = pa.array([datetime.datetime(2024, 12, 30, 18), datetime.datetime(2024, 1, 1, 0)])
    actual = apply(column, parts=("year", "month", "weekday", "hour"), cyclic=True)
    assert list(actual) == [
        "when_year",
        "when_month_sin",
        "when_month_cos",
        "when_weekday_sin",
        "when_weekday_cos",
        "when_hour_sin",
        "when_hour_cos",
    ]
    assert actual["when_year"].tolist() == [2024, 2024]
    december = 2 * math.pi * 11 / 12
    np.testing.assert_allclose(actual["when_month_sin"], [math.sin(december), 0], atol=1e-15)
    np.testing.assert_allclose(actual["when_month_cos"], [math.cos(december), 1], atol=1e-15)
    # Both are Mondays.
    assert actual["when_weekday_cos"].tolist() == [1, 1]
    np.testing.assert_allclose(actual["when_hour_sin"], [-1, 0], atol=1e-15)


def test_each_cyclic_part_comes_round_where_it_ends() -> None:
    """The last value is as far from the first one as any is from the next."""
    days = pa.array(np.arange(366), pa.int32()).cast(pa.date32())
    for part, values in (("month", 12), ("weekday", 7), ("day", 31), ("day_of_year", 365)):
        plain = apply(days, parts=(part,))[f"when_{part}"]
        made = apply(days, parts=(part,), cyclic=True)
        sine, cosine = made.values()
        angles = np.unwrap(np.arctan2(sine, cosine) % (2 * math.pi), period=2 * math.pi)
        assert len(np.unique(plain)) == values
        np.testing.assert_allclose(sine**2 + cosine**2, 1)
        period = 366 if part == "day_of_year" else values
        first = 0 if part == "weekday" else 1
        np.testing.assert_allclose(
            np.exp(1j * angles), np.exp(2j * math.pi * (plain - first) / period), atol=1e-12
        )


def test_a_part_is_the_same_however_many_rows_stand_beside_it() -> None:
    days = pa.array(np.arange(1000), pa.int32()).cast(pa.date32())
    whole = apply(days, cyclic=True)
    for start, rows in ((0, 1), (1, 6), (7, 993)):
        some = apply(days.slice(start, rows), cyclic=True)
        assert all(
            np.array_equal(numbers, whole[name][start : start + rows])
            for name, numbers in some.items()
        )


def test_dates_in_a_dictionary_are_dates() -> None:
    days = pa.array([datetime.date(2024, 5, 6)]).dictionary_encode()
    assert apply(days, parts=("month",))["when_month"].tolist() == [5]


@pytest.mark.parametrize(
    ("column", "fields", "message"),
    [
        (pa.array(["2024-01-01"]), {}, "'when' of type string holds no dates"),
        (pa.array([1]), {}, "of type int64 holds no dates"),
        (pa.array([1], pa.duration("s")), {}, r"of type duration\[s\] holds no dates"),
        (np.array([1.0]), {}, "of type double holds no dates"),
        (
            pa.array([datetime.date(2024, 1, 1)]),
            {"parts": ("year", "hour", "minute")},
            "has no hour, minute; leave them out of parts",
        ),
        (
            pa.array([datetime.time(1)]),
            {"parts": ("hour", "weekday")},
            "has no weekday; leave it out of parts",
        ),
        (
            pa.array([datetime.datetime(2024, 1, 1)]),
            {"zone": "Europe/Berlin"},
            "has no zone, so nobody knows what it is in Europe/Berlin",
        ),
        (
            pa.array([datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)]),
            {"zone": "Europe/Bonn"},
            "this machine knows no zone 'Europe/Bonn'",
        ),
    ],
)
def test_what_has_no_such_parts_is_refused(
    column: Any, fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(JobError, match=message):
        apply(column, **fields)


def test_a_part_takes_no_other_columns_name() -> None:
    days = pa.array([datetime.date(2024, 1, 1)])
    step = DateParts(step="date_parts", columns=("when",))
    with pytest.raises(JobError, match="makes column 'when_month' of 'when', and there is such"):
        step.apply({"when": days, "when_month": pa.array([1])}, 1)
    with pytest.raises(JobError, match="names column 'when', but the columns are"):
        step.apply({"other": days}, 1)


def test_the_word_dates_stands_for_dates_and_timestamps() -> None:
    columns = {
        "a": pa.array([1]),
        "day": pa.array([datetime.date(2024, 1, 1)]),
        "moment": pa.array([datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)]),
        "clock": pa.array([datetime.time(1)]),
    }
    step = DateParts.model_validate({"step": "date_parts", "columns": "dates", "parts": ["year"]})
    (named,), left = fit_steps((step,), columns, 1)
    assert named.columns == ("day", "moment")  # type: ignore[union-attr]
    assert left["day_year"].tolist() == left["moment_year"].tolist() == [2024]  # type: ignore[union-attr]
