"""Which checks are not met, and what is said of them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from transforms.checks.check_counts import CheckCounts, Count
from transforms.checks.column_check import ColumnCheck
from transforms.checks.findings import judge_counts, judge_unique
from transforms.checks.unique_values import UniqueValues

PLANNED = datetime(2026, 1, 10, 12, tzinfo=UTC)


def micros(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000)


def judge(rule: str, count: Count, wanted: Any = 5, **more: Any) -> list[Any]:
    check = ColumnCheck("a", rule, wanted, **{"on_failure": "warn", **more})
    return list(judge_counts(CheckCounts((check,)), (count,), PLANNED))


def test_a_check_is_met_where_nothing_fails() -> None:
    assert judge("max", Count(10, 2, 0)) == []
    assert judge("max", Count()) == []
    assert judge("not_null", Count(10, 0, 0), True) == []


def test_what_fails_is_told_with_its_share_of_values() -> None:
    (finding,) = judge("max", Count(10, 2, 4), on_failure="hold")
    assert (finding.level, finding.kind, finding.column, finding.measure) == (
        "hold",
        "check",
        "a",
        "max",
    )
    assert (finding.value, finding.threshold) == (0.5, 0.0)
    assert finding.says == "column 'a': 4 of 8 values are greater than checks.a.max"
    (missing,) = judge("not_null", Count(10, 2, 2), True)
    assert missing.value == 0.2
    assert missing.says == "column 'a': 2 of 10 values are missing, against checks.a.not_null"


@pytest.mark.parametrize(("failed", "met"), [(2, True), (3, False)])
def test_mostly_is_the_share_that_must_pass(failed: int, met: bool) -> None:
    found = judge("min", Count(12, 2, failed), mostly=0.8)
    assert (found == []) == met
    assert met or "mostly is 0.8" in found[0].says


@pytest.mark.parametrize(
    ("wanted", "age", "met"),
    [
        ("2 days", timedelta(days=2), True),
        ("2 days", timedelta(days=2, seconds=1), False),
        ("1 hour", timedelta(minutes=59), True),
        ("90 minutes", timedelta(minutes=91), False),
        ("1 week", timedelta(days=6), True),
        ("1 day", timedelta(days=-3), True),
    ],
)
def test_data_is_as_old_as_its_newest_value(wanted: str, age: timedelta, met: bool) -> None:
    found = judge("newest_within", Count(9, 1, 0, micros(PLANNED - age)), wanted)
    assert (found == []) == met
    if not met:
        assert f"checks.a.newest_within is {wanted}" in found[0].says
        assert found[0].value == pytest.approx(age / timedelta(hours=1))


@pytest.mark.parametrize(("hours", "told"), [(47.9, "47.9 hours"), (48, "2.0 days")])
def test_the_age_of_data_is_told_in_days_from_two_of_them_on(hours: float, told: str) -> None:
    newest = micros(PLANNED - timedelta(hours=hours))
    (finding,) = judge("newest_within", Count(9, 0, 0, newest), "1 day")
    assert f"its newest value was {told} old" in finding.says


def test_a_date_far_ahead_of_the_clock_is_told_as_it_hides_all_others() -> None:
    def judge_newest(moment: datetime) -> list[Any]:
        return judge("newest_within", Count(9, 0, 0, micros(moment)), "1 day", on_failure="hold")

    assert judge_newest(PLANNED + timedelta(days=365)) == []
    for far in (PLANNED + timedelta(days=366), datetime(9999, 12, 31, tzinfo=UTC)):
        (finding,) = judge_newest(far)
        assert finding.level == "warn"
        assert "days ahead of when the run was planned" in finding.says


def test_data_without_a_date_is_not_new() -> None:
    (finding,) = judge("newest_within", Count(9, 9, 0), "2 days")
    assert "no row has a date" in finding.says


def test_repeated_values_are_told() -> None:
    unique = UniqueValues(ColumnCheck("id", "unique", True, "hold"), 0)
    assert list(judge_unique(unique, 10, 0)) == []
    (finding,) = judge_unique(unique, 10, 3)
    assert (finding.level, finding.measure, finding.value) == ("hold", "unique", 0.3)
    assert finding.says == "column 'id': 3 of 10 values are repeated, against checks.id.unique"
