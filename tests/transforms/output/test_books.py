"""Of the parts that attempts and bundles left of a unit, those are published that cover its rows exactly once."""

from itertools import pairwise
from typing import Any
import uuid

from hypothesis import given, settings
from hypothesis import strategies as st
import pytest

from configs.errors import BudgetError, PublishError
from storage.run_folder import RunFolder
from tests.support.builders import make_unit
from transforms.batches import WrittenPart
from transforms.output.books import check_budget, choose_parts


def piece(
    first_row: int, rows: int, last: bool = False, attempt: str = "a", unit: int = 0
) -> WrittenPart:
    return WrittenPart(unit, attempt, first_row, rows, rows, 0, 0, last, (), ())


def chosen(
    parts: list[WrittenPart], rows: int | None = 30, first_row: int = 0
) -> list[tuple[int, int]]:
    run = RunFolder(f"memory:///{uuid.uuid4().hex}", "run1")
    return [
        (p.first_row, p.rows_in)
        for p in choose_parts(run, [make_unit(0, rows, first_row=first_row)], parts)
    ]


@pytest.mark.parametrize(
    ("parts", "cover"),
    [
        ([piece(0, 30, True)], [(0, 30)]),
        ([piece(20, 10, True), piece(0, 20)], [(0, 20), (20, 10)]),
        ([piece(0, 10), piece(10, 10), piece(20, 10, True), piece(0, 30, True, "b")], [(0, 30)]),
        ([piece(0, 20), piece(0, 20, attempt="b"), piece(20, 10, True)], [(0, 20), (20, 10)]),
        ([piece(0, 20), piece(0, 10, attempt="b"), piece(10, 20, True, "b")], [(0, 10), (10, 20)]),
        ([piece(0, 30), piece(30, 0, True)], [(0, 30), (30, 0)]),
        ([piece(0, 15), piece(5, 10), piece(15, 15, True)], [(0, 15), (15, 15)]),
    ],
)
def test_pieces_that_cover_a_unit_exactly_once_are_chosen(
    parts: list[WrittenPart], cover: list[tuple[int, int]]
) -> None:
    assert chosen(parts) == cover
    assert chosen(parts[::-1]) == cover


@pytest.mark.parametrize(
    "parts",
    [
        [],
        [piece(0, 10), piece(20, 10, True)],
        [piece(0, 20), piece(15, 15, True)],
        [piece(5, 25, True)],
        [piece(0, 30)],
        [piece(0, 29, True)],
        [piece(0, 31, True)],
        [piece(0, 0), piece(0, 0)],
        [piece(0, 30, True, unit=1)],
        [piece(0, 10), piece(10, 10), piece(10, 10, attempt="b"), piece(20, 9, True)],
    ],
)
def test_gaps_overlaps_and_wrong_lengths_are_refused(parts: list[WrittenPart]) -> None:
    with pytest.raises(PublishError, match="not written whole"):
        chosen(parts)


def test_a_unit_of_unknown_length_is_whole_when_a_part_says_that_it_ends() -> None:
    assert chosen([piece(0, 12), piece(12, 7, True)], rows=None) == [(0, 12), (12, 7)]
    with pytest.raises(PublishError):
        chosen([piece(0, 12), piece(12, 7)], rows=None)


def test_a_unit_in_the_middle_of_a_shard_starts_at_its_own_first_row() -> None:
    assert chosen([piece(100, 30, True)], first_row=100) == [(100, 30)]
    with pytest.raises(PublishError):
        chosen([piece(0, 30, True)], first_row=100)


def test_thousands_of_repeated_pieces_with_a_gap_are_refused_in_no_time() -> None:
    parts = [piece(n, 1, attempt=a) for n in range(3_000) for a in "abc"]
    with pytest.raises(PublishError):
        chosen(parts, 3_001)
    assert len(chosen([*parts, piece(3_000, 1, True)], 3_001)) == 3_001


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 30), max_size=6).map(lambda cuts: sorted({0, 30, *cuts})), st.randoms()
)
def test_any_way_of_cutting_a_unit_is_put_together_again(cuts: list[int], random: Any) -> None:
    parts = [piece(a, b - a, b == 30, attempt) for a, b in pairwise(cuts) for attempt in "ab"]
    random.shuffle(parts)
    assert chosen(parts) == [(a, b - a) for a, b in pairwise(cuts)]


@pytest.mark.parametrize(
    ("rows", "rejected", "absolute", "percent", "passes"),
    [
        (10_000, 100, 0, 1.0, True),
        (10_000, 101, 0, 1.0, False),
        (10_000, 101, 101, 1.0, True),
        (10_000, 102, 101, 1.0, False),
        (10_000, 100, 5, 1.0, True),
        (10_000, 0, 0, 0.0, True),
        (10_000, 1, 0, 0.0, False),
        (99, 1, 0, 1.0, False),
        (100, 1, 0, 1.0, True),
        (1_000, 3, 0, 0.3, True),
        (1_000, 4, 0, 0.3, False),
        (0, 0, 0, 0.0, True),
        (7, 7, 0, 100.0, True),
    ],
)
def test_the_budget(rows: int, rejected: int, absolute: int, percent: float, passes: bool) -> None:
    totals = {"in": rows, "scored": rows - rejected, "filtered": 0, "rejected": rejected}
    if passes:
        check_budget(totals, absolute, percent)
    else:
        with pytest.raises(BudgetError, match=f"{rejected} of {rows} rows were rejected"):
            check_budget(totals, absolute, percent)


@given(st.integers(1, 100_000), st.integers(0, 10_000))
def test_the_percentage_is_exact(rows: int, hundredths: int) -> None:
    allowed = rows * hundredths // 10_000
    check_budget({"in": rows, "rejected": allowed}, 0, hundredths / 100)
    if allowed < rows:
        with pytest.raises(BudgetError):
            check_budget({"in": rows, "rejected": allowed + 1}, 0, hundredths / 100)
