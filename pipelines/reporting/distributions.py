"""From counts of two profiles to the shares that a small picture shows, and that it may show.

Values of rows are named where the job allows it alone; without, a bin is told by the share of training
that was below it, and a value by its rank.
"""

from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise
from math import inf, nextafter
from typing import Any, TypeAlias

from pipelines.reporting.document import Distribution

# A row of a profile's table.
Row: TypeAlias = Mapping[str, Any]
# Rows by what they were counted by.
Counts: TypeAlias = Mapping[Any, int]
Names: TypeAlias = tuple[str, ...]

# Training's quantiles, by which most numbers are counted.
_LEVELS = ("1 %", "5 %", "25 %", "50 %", "75 %", "95 %", "99 %")
# Nearer to each other, as a part of themselves, than quantiles that differ are as a rule.
_NEAR = 1e-4
# More would be thinner than a finger is.
_MOST_BARS = 12
_OTHERS = "others"


def pair_distributions(
    now: Row,
    then: Row | None,
    shows_values: bool,
    known: Collection[str] = (),
) -> Distribution | None:
    """Return the shares of two rows of profiles, which tell of one column; None where neither counted.

    Args:
        now: of the run.
        then: of the reference; None where it does not know the column.
        shows_values: whether values of rows may be named.
        known: values that are no rows' own, as names of classes.
    """
    if now["values"]:
        return _pair_values(now, then, shows_values, known)
    if now["cut_points"] and now["counts"]:
        return _pair_counts(now, then)
    if now["bins"]:
        return _pair_bins(now, then)
    return None


def count_entries(row: Row | None, name: str) -> dict[Any, int]:
    """Return the counts of `values` or `bins`, in their order; none of a row that has none.

    Args:
        row: of a profile.
        name: of the column of its table.
    """
    if row is None:
        return {}
    entries = row[name] or ()
    return {entry["value"]: entry["count"] for entry in entries}


def _pair_counts(now: Row, then: Row | None) -> Distribution:
    points = now["cut_points"]
    before: Sequence[int] = ()
    # Counted by other cut points, as those of another model, they say nothing of these.
    if then is not None and then["cut_points"] == points:
        before = then["counts"]
    return Distribution(
        names=_name_bins(points),
        then=_to_shares(before),
        now=_to_shares(now["counts"]),
    )


def _name_bins(points: Sequence[float]) -> Names:
    """Return what is said of each bin, of which there is one more than points between them."""
    bins = len(points) + 1
    # A number that many rows have is a bin of its own, and several of the quantiles.
    has_own = any(_is_of_one(before, after) for before, after in pairwise(points))
    if len(points) != len(_LEVELS) or has_own:
        names = [f"bin {number + 1} of {bins}" for number in range(bins)]
        return tuple(names)
    between = [f"{low} to {high}" for low, high in pairwise(_LEVELS)]
    first = f"below {_LEVELS[0]}"
    last = f"above {_LEVELS[-1]}"
    return (first, *between, last)


def _is_of_one(start: float, end: float) -> bool:
    """Tell whether a bin is that of one number, whose last digits may be rounded in other ways.

    >>> _is_of_one(0.0, 5e-324), _is_of_one(2.99997, 3.00003), _is_of_one(2.9, 3.1)
    (True, True, False)
    """
    return end - start <= abs(end) * _NEAR or end == nextafter(start, inf)


def _pair_bins(now: Row, then: Row | None) -> Distribution:
    """Return shares of bins by first bits, some of them together, over the range of both."""
    found = count_entries(now, "bins")
    before = count_entries(then, "bins")
    either = found.keys() | before.keys()
    in_order = sorted(either)
    # Rounded up.
    together = -(-len(in_order) // _MOST_BARS)
    starts = range(0, len(in_order), together)
    groups = [in_order[start : start + together] for start in starts]
    parts = len(groups)
    names = [f"part {number + 1} of {parts}, from the lowest" for number in range(parts)]
    counts_then = _add_up(before, groups)
    counts = _add_up(found, groups)
    return Distribution(
        names=tuple(names),
        then=_to_shares(counts_then),
        now=_to_shares(counts),
    )


def _add_up(
    counts: Counts,
    groups: Sequence[Sequence[Any]],
) -> list[int]:
    totals = []
    for group in groups:
        of_group = [counts.get(value, 0) for value in group]
        totals.append(sum(of_group))
    return totals


def _pair_values(
    now: Row,
    then: Row | None,
    shows_values: bool,
    known: Collection[str],
) -> Distribution:
    """Return shares of the most frequent values, in the order of the reference, and of all others."""
    found = count_entries(now, "values")
    before = count_entries(then, "values")
    # Those that the reference has most often come first, and new ones behind.
    in_order = list({**before, **found})
    shown = in_order[:_MOST_BARS]
    names = []
    for rank, value in enumerate(shown, start=1):
        may_be_named = shows_values or value in known
        names.append(value if may_be_named else f"value {rank}")
    counts = _count_with_others(now, found, shown)
    counts_then = _count_with_others(then, before, shown)
    # Of no row they would be a bar that nobody sees.
    if counts[-1] or counts_then[-1]:
        names.append(_OTHERS)
    bars = len(names)
    return Distribution(
        names=tuple(names),
        then=_to_shares(counts_then[:bars]),
        now=_to_shares(counts[:bars]),
    )


def _count_with_others(
    row: Row | None,
    counts: Counts,
    shown: Sequence[str],
) -> list[int]:
    """Return the rows of each shown value, and last those of all others, also of values that are not kept."""
    listed = [counts.get(value, 0) for value in shown]
    rows = 0
    if row is not None and counts:
        rows = row["with_value"]
    others = rows - sum(listed)
    return [*listed, others]


def _to_shares(counts: Sequence[int]) -> tuple[float, ...]:
    """Return shares of all; none where there is nothing to have one of.

    >>> _to_shares([1, 3]), _to_shares([0, 0])
    ((0.25, 0.75), ())
    """
    total = sum(counts)
    if not total:
        return ()
    return tuple(count / total for count in counts)
