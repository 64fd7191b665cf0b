"""Counts of checks: they merge in any order, and a table of them is read as it was written."""

from datetime import UTC, datetime
from functools import reduce
from itertools import permutations

import pyarrow as pa
import pytest

from transforms.checks.check_counts import CheckCounts, Count
from transforms.checks.column_check import NEWEST, ColumnCheck
from transforms.checks.failed_rows import find_failed_rows
from transforms.checks.findings import judge_counts

MAX = ColumnCheck("a", "max", 5, "warn")
THERE = ColumnCheck("a", "not_null", True, "hold")
COUNTS = CheckCounts((MAX, THERE))
COLUMN = pa.array([1, None, 9, 6, None, 2])


def test_failed_and_missing_rows_are_counted() -> None:
    state = COUNTS.of("input", {"a": COLUMN})
    assert state == (Count(6, 2, 2), Count(6, 2, 2))
    assert COUNTS.of("score", {}) == COUNTS.of("network", {}) == (Count(), Count())


def test_the_order_of_batches_changes_nothing() -> None:
    whole = COUNTS.of("input", {"a": COLUMN})
    pieces = [COUNTS.of("input", {"a": COLUMN.slice(first, 2)}) for first in (0, 2, 4)]
    for order in permutations(pieces):
        parts = [COUNTS.read(COUNTS.write(piece)) for piece in order]
        assert reduce(COUNTS.merge, parts) == whole


def test_counts_of_other_checks_are_refused() -> None:
    table = COUNTS.write(COUNTS.of("input", {"a": COLUMN}))
    with pytest.raises(ValueError, match="counts of other checks"):
        CheckCounts((THERE, MAX)).read(table)
    with pytest.raises(ValueError, match="other columns"):
        COUNTS.read(table.drop_columns("failed"))


def test_a_row_that_fails_is_told_why_and_not_what_it_holds() -> None:
    smallest = ColumnCheck("b", "min", 0, "reject")
    columns = {"a": COLUMN, "b": pa.array([-7, -7, -7, 1, 1, 1])}
    rejected = find_failed_rows([MAX, smallest], columns)
    assert rejected is not None
    told = {position: str(reason) for position, reason in rejected.reasons.items()}
    too_small = "column 'b': less than checks.b.min"
    too_large = "column 'a': greater than checks.a.max"
    assert told == {0: too_small, 1: too_small, 2: too_large, 3: too_large}
    assert find_failed_rows([MAX], {"a": COLUMN.slice(0, 2)}) is None


@pytest.mark.parametrize(
    "dtype",
    [pa.date32(), pa.timestamp("s"), pa.timestamp("ns", tz="Europe/Berlin"), pa.timestamp("us")],
    ids=str,
)
def test_the_newest_moment_of_all_is_kept(dtype: pa.DataType) -> None:
    days = pa.array([20_000, None, 20_010, 19_000], pa.date32()).cast(dtype)
    counts = CheckCounts((ColumnCheck("day", NEWEST, "2 days", "hold"),))
    pieces = [counts.of("input", {"day": days.slice(first, 1)}) for first in range(4)]
    for order in permutations(pieces):
        (count,) = counts.read(counts.write(reduce(counts.merge, order)))
        assert count == Count(4, 1, 0, 20_010 * 86_400 * 1_000_000)
    assert counts.of("input", {"day": days.slice(1, 1)})[0].newest is None


def test_a_year_that_nobody_writes_does_not_end_a_run() -> None:
    days = pa.array([20_000, 4_000_000], pa.int32()).view(pa.date32())
    counts = CheckCounts((ColumnCheck("day", NEWEST, "2 days", "hold"),))
    state = counts.of("input", {"day": days})
    assert counts.read(counts.write(state)) == state
    (told,) = judge_counts(counts, state, datetime(2026, 1, 1, tzinfo=UTC))
    assert told.level == "warn", "it hides how old all others are, and holds no run back"
