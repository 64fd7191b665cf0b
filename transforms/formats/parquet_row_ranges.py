"""Which rows of a row group are read: those that may pass a filter, and those between that are too few to leave out.

pages      0 | 1 | 2 | 3 | 4 | 5 | 6 | 7      a block of pages is asked about at once,
blocks     ======= ======= ======= =======    and where the one beside it has none, its pages, too
may pass     no      yes     yes     no
left out   0   1   2   -   -   -   6   7      page 2 has none, and was not to be seen in its block
"""

from collections.abc import Callable, Sequence
from itertools import groupby, pairwise
from typing import TypeAlias

# Each range of rows is read by itself, and where the index lies from the row group's first row on.
_MOST_GAPS = 8
MayPassRows: TypeAlias = Callable[[range], bool]


def find_ranges(
    points: Sequence[int],
    least_gap: int,
    may_pass: MayPassRows,
) -> list[range]:
    """Return which rows are read, in order.

    >>> find_ranges([0, 10, 20, 30, 40, 50], 15, lambda rows: 12 in rows or 45 in rows)
    [range(0, 20), range(40, 50)]

    Args:
        points: the first row of each page, and behind them the row behind the last one.
        least_gap: how many rows in a row are worth leaving out.
        may_pass: tells of rows whether one of them may pass the filter.
    """
    pages = [range(first, stop) for first, stop in pairwise(points)]
    blocks = _group_pages(pages, least_gap)
    passing = [may_pass(_hull(block)) for block in blocks]
    left_out: list[bool] = []
    for number, block in enumerate(blocks):
        if not passing[number]:
            left_out += [True] * len(block)
            continue
        begin = end = 0
        if number > 0 and not passing[number - 1]:
            begin = _count_failing(block, may_pass)
        if number + 1 < len(blocks) and not passing[number + 1]:
            end = _count_failing(block[::-1], may_pass)
        kept = max(0, len(block) - begin - end)
        behind = len(block) - begin - kept
        left_out += [True] * begin + [False] * kept + [True] * behind
    return _list_between(_choose_gaps(pages, left_out, least_gap), points[0], points[-1])


def _group_pages(pages: Sequence[range], least_gap: int) -> list[list[range]]:
    """Return pages in blocks, of which any gap that is worth it has a whole one."""
    blocks: list[list[range]] = []
    for page in pages:
        # The block, and the page before it, are in the gap then, or behind.
        fits = blocks and 2 * (page.stop - blocks[-1][0].start) <= least_gap
        if fits:
            blocks[-1].append(page)
        else:
            blocks.append([page])
    return blocks


def _count_failing(pages: Sequence[range], may_pass: MayPassRows) -> int:
    """Return of how many pages from the first one on no row may pass; pages may be in either order."""
    if not may_pass(_hull(pages)):
        return len(pages)
    if len(pages) == 1:
        return 0
    half = len(pages) // 2
    count = _count_failing(pages[:half], may_pass)
    if count < half:
        return count
    return half + _count_failing(pages[half:], may_pass)


def _hull(pages: Sequence[range]) -> range:
    first = min(pages[0].start, pages[-1].start)
    stop = max(pages[0].stop, pages[-1].stop)
    return range(first, stop)


def _choose_gaps(
    pages: Sequence[range],
    left_out: Sequence[bool],
    least_gap: int,
) -> list[range]:
    """Return the largest gaps, in order, that are worth it."""
    gaps = []
    runs = groupby(zip(pages, left_out, strict=True), key=lambda page: page[1])
    for is_gap, run in runs:
        gap = _hull([page for page, _ in run])
        if is_gap and len(gap) >= least_gap:
            gaps.append(gap)
    largest = sorted(gaps, key=len, reverse=True)[:_MOST_GAPS]
    return sorted(largest, key=lambda gap: gap.start)


def _list_between(gaps: Sequence[range], first: int, stop: int) -> list[range]:
    """Return the rows between gaps, of those from a first one up to another that is none of them."""
    begins = [first, *(gap.stop for gap in gaps)]
    ends = [*(gap.start for gap in gaps), stop]
    between = [range(begin, end) for begin, end in zip(begins, ends, strict=True)]
    return [rows for rows in between if rows]
