"""From what was counted of checks to what people should know of a run: those that are not met."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction

from model_zoo.evaluation.findings import Finding, Level
from transforms.checks.check_counts import CheckCounts, Count
from transforms.checks.column_check import NEWEST, ColumnCheck
from transforms.checks.unique_values import UniqueValues

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HOUR = timedelta(hours=1)
# Farther ahead of the clock no row was made: a year that stands for "no end", or one that somebody mistyped.
_FAR_AHEAD = timedelta(days=365)


def judge_counts(
    counts: CheckCounts,
    state: tuple[Count, ...],
    planned_at: datetime,
) -> Iterator[Finding]:
    """Yield the checks that are not met.

    Args:
        counts: the checks.
        state: what was counted of each.
        planned_at: when the run was, for checks of how old its data is.
    """
    for check, count in zip(counts.checks, state, strict=True):
        # Of no rows nothing is said: how many there must be, the monitor's rows say.
        if not count.rows:
            continue
        if check.rule == NEWEST:
            yield from _judge_age(check, count, planned_at)
            continue
        judged = count.rows
        # A missing value has no other fault than that it is missing.
        if check.rule != "not_null":
            judged -= count.missing
        yield from _judge_share(check, count.failed, judged)


def judge_unique(unique: UniqueValues, rows: int, repeated: int) -> Iterator[Finding]:
    """Yield the check if it is not met.

    Args:
        unique: the check.
        rows: with a value.
        repeated: of them with a value that was there before.
    """
    return _judge_share(unique.check, repeated, rows)


def _judge_share(check: ColumnCheck, failed: int, judged: int) -> Iterator[Finding]:
    passed = judged - failed
    # As the job writes it: 0.07 is a little more in binary digits.
    mostly = Fraction(str(check.mostly))
    if passed >= mostly * judged:
        return
    values = f"{failed:,} of {judged:,} values"
    says = f"column {check.column!r}: {values} are {check.says}"
    if check.mostly < 1:
        says += f", and mostly is {check.mostly:g}"
    failed_share = failed / judged
    allowed_share = 1 - check.mostly
    yield _make_finding(check, says, failed_share, allowed_share)


def _judge_age(check: ColumnCheck, count: Count, planned_at: datetime) -> Iterator[Finding]:
    most_hours = check.oldest / _HOUR
    rule = f"{check.place} is {check.wanted}"
    if count.newest is None:
        says = f"column {check.column!r}: no row has a date, and {rule}"
        yield _make_finding(check, says, None, most_hours)
        return
    newest = _EPOCH + timedelta(microseconds=count.newest)
    age = planned_at - newest
    if age > check.oldest:
        says = (
            f"column {check.column!r}: its newest value was {_describe(age)} old "
            f"when the run was planned, and {rule}"
        )
        yield _make_finding(check, says, age / _HOUR, most_hours)
    if -age > _FAR_AHEAD:
        says = (
            f"column {check.column!r}: its newest value is {_describe(-age)} ahead of when the run was "
            f"planned, which hides how old all others are, and {rule}; leave such rows out with "
            "source.where, or check another column"
        )
        # Never more than a warning: one such row may not hold a night back.
        yield replace(_make_finding(check, says, age / _HOUR, most_hours), level="warn")


def _make_finding(
    check: ColumnCheck,
    says: str,
    value: float | None,
    threshold: float,
) -> Finding:
    # A row that fails a check that rejects is none of these.
    level: Level = "hold" if check.on_failure == "hold" else "warn"
    return Finding(
        level,
        "check",
        check.column,
        check.rule,
        says,
        value=value,
        threshold=threshold,
    )


def _describe(age: timedelta) -> str:
    hours = age / _HOUR
    if hours < 48:
        return f"{hours:.1f} hours"
    return f"{hours / 24:.1f} days"
