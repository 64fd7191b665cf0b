"""Which rows of a row group are read: those that may pass a filter, and those between that are too few to leave out.

pages      0 | 1 | 2 | 3 | 4 | 5 | 6 | 7      a block of pages is asked about at once,
blocks     ======= ======= ======= =======    and where the one beside it has none, its pages, too
may pass     no      yes     yes     no
left out   0   1   2   -   -   -   6   7      page 2 has none, and was not to be seen in its block
"""

from collections.abc import Callable, Sequence
from heapq import nlargest
from itertools import pairwise
from typing import TypeAlias

# Each range of rows is read by itself, and where the index lies from the row group's first row on.
_MOST_GAPS = 8
MayPassRows: TypeAlias = Callable[[range], bool]
# Each as the rows that it holds.
_Pages: TypeAlias = Sequence[range]


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
    first = points[0]
    stop = points[-1]
    pages = [range(begin, end) for begin, end in pairwise(points)]
    blocks = _group_pages(pages, least_gap)
    passing_pages = _list_passing(blocks, may_pass)
    gaps = _list_between(passing_pages, first, stop)
    worthwhile = [gap for gap in gaps if len(gap) >= least_gap]
    left_out = _choose_largest(worthwhile)
    return _list_between(left_out, first, stop)


def _group_pages(pages: _Pages, least_gap: int) -> list[list[range]]:
    """Return pages in blocks, of which every gap that is worth leaving out holds a whole one."""
    # In the other half of such a gap is what is left of the block that it begins in. A page that is larger
    # is a block by itself, as gaps consist of pages.
    most_rows = least_gap // 2
    blocks: list[list[range]] = []
    first_row = 0
    for page in pages:
        rows = page.stop - first_row
        if blocks and rows <= most_rows:
            blocks[-1].append(page)
        else:
            blocks.append([page])
            first_row = page.start
    return blocks


def _list_passing(blocks: Sequence[_Pages], may_pass: MayPassRows) -> list[range]:
    """Return the pages of blocks that may pass, but those beside a gap that may not."""
    passing = [may_pass(_join(block)) for block in blocks]
    # At the ends of the row group no gap goes on.
    before = [True, *passing][:-1]
    behind = [*passing, True][1:]
    neighbours = zip(blocks, passing, before, behind, strict=True)
    pages: list[range] = []
    for block, passes, passes_before, passes_behind in neighbours:
        if not passes:
            continue
        begin = 0
        end = len(block)
        if not passes_before:
            begin = _count_failing(block, may_pass)
        if not passes_behind:
            backwards = block[::-1]
            end -= _count_failing(backwards, may_pass)
        # None where no page may pass, though all of them together may.
        pages += block[begin:end]
    return pages


def _count_failing(pages: _Pages, may_pass: MayPassRows) -> int:
    """Return of how many pages from the first one on no row may pass; pages may be in either order."""
    if not may_pass(_join(pages)):
        return len(pages)
    if len(pages) == 1:
        return 0
    # All that fail stand at the beginning: where one of the first half passes, the other is not asked about.
    half = len(pages) // 2
    first_half = pages[:half]
    second_half = pages[half:]
    count = _count_failing(first_half, may_pass)
    if count < half:
        return count
    return half + _count_failing(second_half, may_pass)


def _join(pages: _Pages) -> range:
    """Return the rows of pages that stand side by side, in either order."""
    one_end = pages[0]
    other_end = pages[-1]
    first = min(one_end.start, other_end.start)
    stop = max(one_end.stop, other_end.stop)
    return range(first, stop)


def _choose_largest(gaps: Sequence[range]) -> list[range]:
    """Return as many gaps as may be left out, in order."""
    largest = nlargest(_MOST_GAPS, gaps, key=len)
    return sorted(largest, key=_find_start)


def _find_start(rows: range) -> int:
    return rows.start


def _list_between(ranges: Sequence[range], first: int, stop: int) -> list[range]:
    """Return the rows between ranges, from a first row on up to the one behind the last."""
    between = []
    begin = first
    for rows in ranges:
        between.append(range(begin, rows.start))
        begin = rows.stop
    between.append(range(begin, stop))
    # Ranges may stand side by side, or at an end.
    return [rows for rows in between if rows]
