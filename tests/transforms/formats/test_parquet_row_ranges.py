"""Which rows are left out, against a look at each page."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from transforms.formats.parquet_row_ranges import find_ranges

# Rows of each page, and whether one of them may pass.
PAGES = st.lists(st.tuples(st.integers(1, 30), st.booleans()), min_size=1, max_size=60)


@given(pages=PAGES, least_gap=st.integers(1, 80), first=st.integers(0, 9))
def test_what_may_pass_is_read_and_what_is_worth_it_is_left_out(
    pages: list[tuple[int, bool]], least_gap: int, first: int
) -> None:
    points = [first]
    passing: set[int] = set()
    for rows, may_pass in pages:
        points.append(points[-1] + rows)
        if may_pass:
            passing.update(range(points[-2], points[-1]))

    def may_pass_there(rows: range) -> bool:
        return not passing.isdisjoint(rows)

    ranges = find_ranges(points, least_gap, may_pass_there)
    read = [row for rows in ranges for row in rows]
    assert read == sorted(set(read))
    assert passing <= set(read)
    ends = [first, *(row for rows in ranges for row in (rows.start, rows.stop)), points[-1]]
    gaps = [
        (begin, stop) for begin, stop in zip(ends[::2], ends[1::2], strict=True) if begin < stop
    ]
    assert all(stop - begin >= least_gap for begin, stop in gaps)
    assert gaps == find_largest_gaps(points, passing, least_gap)


def find_largest_gaps(
    points: list[int], passing: set[int], least_gap: int
) -> list[tuple[int, int]]:
    gaps: list[tuple[int, int]] = []
    for begin, stop in pairwise(points):
        if passing.isdisjoint(range(begin, stop)):
            is_behind = gaps and gaps[-1][1] == begin
            gaps[-1:] = [(gaps[-1][0], stop)] if is_behind else [*gaps[-1:], (begin, stop)]
    worth = [gap for gap in gaps if gap[1] - gap[0] >= least_gap]
    return sorted(sorted(worth, key=lambda gap: gap[0] - gap[1])[:8])


def test_few_questions_are_asked_of_many_pages() -> None:
    asked = 0

    def may_pass(rows: range) -> bool:
        nonlocal asked
        asked += 1
        return 51_234 in rows

    ranges = find_ranges(range(0, 100_001, 10), 2_000, may_pass)
    assert ranges == [range(51_230, 51_240)]
    # Of ten thousand pages.
    assert asked < 150


def test_where_all_may_pass_pages_are_not_asked_about_one_by_one() -> None:
    asked = []

    def may_pass(rows: range) -> bool:
        asked.append(rows)
        return True

    assert find_ranges(range(0, 1_001, 10), 100, may_pass) == [range(1_000)]
    assert len(asked) == 20
