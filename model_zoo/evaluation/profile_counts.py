"""Counts of two profiles that can stand beside each other: by the bins or values that both have.

cut points then    | 10 | 20 | 30 |         counts between the points
cut points now     | 10 |    | 30 | 40 |    that both have: 10 and 30
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from model_zoo.evaluation.drift import join_sparse, put_rare_together

Record: TypeAlias = Mapping[str, Any]
# So many rows has each value of a category, as a rule; texts that are nearly all different are none.
_FEWEST_ROWS_OF_A_VALUE = 5
# Bins by first bits are put together to about so many, which have as many rows of the reference each.
_GROUPS = 8
# As Arrow's types of rows in a row are written.
_UNCOUNTED = ("struct", "map")
_OTHER_CUT_POINTS = "its numbers are counted by other cut points"
_ONE_BIN = "all its numbers are between the same two cut points, where no drift of them can be told"


class PairedCounts(NamedTuple):
    """Rows by bin or value, (bins,)."""

    then: np.ndarray
    now: np.ndarray


class Distribution(NamedTuple):
    """Rows of the reference and of the run; None where they cannot be compared.

    Attributes:
        in_order: whether the bins have an order.
        left_out: why, or which part of it, is not compared.
    """

    counts: PairedCounts | None
    in_order: bool = True
    left_out: str | None = None


def pair_counts(then: Record, now: Record) -> Distribution:
    """Return the counts of both that can stand beside each other.

    Args:
        then: a measure of the reference.
        now: the same of the run.
    """
    reason = _find_difference(then, now)
    if reason is not None:
        return Distribution(None, left_out=reason)
    if now["with_value"] and then["with_value"]:
        return _pair_values(then, now)
    if not now["numbers"] or not then["numbers"]:
        return Distribution(None)
    if not _has_counted(now) or not _has_counted(then):
        return Distribution(None, left_out="it has so few numbers that none is in a counted row")
    if now["cut_points"] and then["cut_points"]:
        return _pair_by_cut_points(then, now)
    if now["bins"] and then["bins"]:
        return _pair_by_first_bits(then, now)
    return Distribution(None, left_out=_OTHER_CUT_POINTS)


def _find_difference(then: Record, now: Record) -> str | None:
    """Return why records have nothing in common that could be compared; None where they have, or are empty."""
    # What a night without rows lacks is told of its rows.
    if not now["rows"] or not then["rows"]:
        return None
    in_reference = bool(then["numbers"] or then["with_value"])
    in_run = bool(now["numbers"] or now["with_value"])
    if in_reference and not in_run:
        return "it has no value in the run"
    if in_run and not in_reference:
        is_empty = then["missing"] == then["rows"]
        return f"the reference {'has' if is_empty else 'counts'} no value of it"
    if now["type"].startswith(_UNCOUNTED):
        return "its values are structs or maps, of which none is counted"
    if bool(now["numbers"]) != bool(then["numbers"]):
        return f"it is {now['type']} in the run, and {then['type']} in the reference"
    return None


def is_of_categories(record: Record) -> bool:
    """Tell whether values repeat as those of a category do."""
    distinct: int = record["distinct"] or 0
    least_rows = _FEWEST_ROWS_OF_A_VALUE * distinct
    return bool(record["with_value"] >= least_rows)


def _pair_values(then: Record, now: Record) -> Distribution:
    # Of texts that are nearly all different, tomorrow's are others, and nothing has changed.
    if not is_of_categories(then):
        return Distribution(None, left_out="it has nearly as many values as rows")
    if not now["is_whole"]:
        return Distribution(None, left_out="it has more values than are kept")
    if not then["values"]:
        return Distribution(None, left_out="its texts are too long to be kept")
    names = [entry["value"] for entry in then["values"]]
    counts_then = _count_named(then, names)
    counts_now = _count_named(now, names)
    together = put_rare_together(counts_then, counts_now)
    return Distribution(PairedCounts(*together), in_order=False)


def _count_named(record: Record, names: Sequence[str]) -> np.ndarray:
    """Return the rows with each of some values, and at last those with any other."""
    counts = _list_counts(record["values"], names)
    others = record["with_value"] - sum(counts)
    return np.array([*counts, others], dtype=np.float64)


def _has_counted(record: Record) -> bool:
    """Tell whether some numbers are counted: of very few in large units none may be."""
    # Profiles of older versions, and of training, count all, and say no more.
    return record.get("counted") != 0


def _pair_by_cut_points(then: Record, now: Record) -> Distribution:
    points_then = set(then["cut_points"])
    points_now = now["cut_points"]
    common = points_then.intersection(points_now)
    if not common:
        return Distribution(None, left_out=_OTHER_CUT_POINTS)
    counts_then = _merge_counts(then, common)
    counts_now = _merge_counts(now, common)
    counts = _join_counted(then, now, counts_then, counts_now)
    if _are_blind(then, now, counts_then, counts_now):
        return Distribution(counts, left_out=_ONE_BIN)
    if len(common) == len(points_now):
        return Distribution(counts)
    reason = f"its numbers are compared at {len(common)} of {len(points_now)} cut points"
    return Distribution(counts, left_out=reason)


def _are_blind(then: Record, now: Record, counts_then: np.ndarray, counts_now: np.ndarray) -> bool:
    """Tell whether numbers that are not all the same one are in one bin together."""
    bins = np.count_nonzero(counts_then + counts_now)
    ends = {record[end] for record in (then, now) for end in ("min", "max")}
    return bool(bins == 1 and len(ends) > 1)


def _merge_counts(record: Record, kept: set[float]) -> np.ndarray:
    """Return counts between those cut points alone that are kept."""
    merged = [0]
    # Behind the last point no other ends the counting.
    ends = [*record["cut_points"], None]
    for count, end in zip(record["counts"], ends, strict=True):
        merged[-1] += count
        if end in kept:
            merged.append(0)
    return np.array(merged)


def _pair_by_first_bits(then: Record, now: Record) -> Distribution:
    """Return counts of bins that are put together to groups of as many rows of the reference."""
    bins = [*then["bins"], *now["bins"]]
    values = sorted({entry["value"] for entry in bins})
    counts_then = np.array(_list_counts(then["bins"], values))
    counts_now = np.array(_list_counts(now["bins"], values))

    firsts = _list_first_bins(counts_then)
    grouped_then = np.add.reduceat(counts_then, firsts)
    grouped_now = np.add.reduceat(counts_now, firsts)
    counts = _join_counted(then, now, grouped_then, grouped_now)
    is_blind = _are_blind(then, now, counts_then, counts_now)
    return Distribution(counts, left_out=_ONE_BIN if is_blind else None)


def _list_first_bins(counts: np.ndarray) -> np.ndarray:
    """Return the bin that each group begins with, where groups have as many rows each as bins allow."""
    rows = counts.sum()
    rows_up_to = np.cumsum(counts)
    # Which group is reached with each bin.
    groups = rows_up_to * _GROUPS // rows
    is_next_group = np.diff(groups) > 0
    # A bin of as many rows as a group is one: with others, what the reference never had would hide in it.
    is_large = counts * _GROUPS >= rows
    is_beside_large = is_large[1:] | is_large[:-1]
    later = np.flatnonzero(is_next_group | is_beside_large) + 1
    return np.append(0, later)


def _join_counted(
    then: Record,
    now: Record,
    counts_then: np.ndarray,
    counts_now: np.ndarray,
) -> PairedCounts:
    """Return counts of numbers that were looked at, without bins of which too few are expected."""
    looked_at_then = _to_looked_at(then, counts_then)
    looked_at_now = _to_looked_at(now, counts_now)
    joined = join_sparse(looked_at_then, looked_at_now)
    return PairedCounts(*joined)


def _to_looked_at(record: Record, counts: np.ndarray) -> np.ndarray:
    """Return counts that stand for all numbers as such of as many as were looked at.

    Of those that stand for several each, fewer numbers tell as much: the square of all weights' sum, divided
    by the sum of their squares (Kish, 1965). Chance asks for these, and not for how many rows there are.
    """
    squared_weights = record.get("squared_weights")
    if not squared_weights:
        return counts
    weights = float(counts.sum())
    return counts * (weights / squared_weights)


def _list_counts(entries: Sequence[Record], values: Sequence[Any]) -> list[int]:
    """Return the count of each of some values; 0 of one that has none."""
    by_value = {entry["value"]: entry["count"] for entry in entries}
    return [by_value.get(value, 0) for value in values]


def estimate_counts(
    levels: Sequence[float],
    quantiles: Sequence[float],
    numbers: int,
) -> tuple[list[float], list[int]]:
    """Return cut points, and about how many numbers are between them, by quantiles alone.

    Args:
        levels: of the quantiles, ascending.
        quantiles: at these levels.
        numbers: how many there are.

    >>> estimate_counts([0.25, 0.5, 0.75], [0.0, 0.0, 3.0], 100)
    ([3.0], [75, 25])
    """
    repeats = Counter(quantiles)
    points = []
    numbers_up_to = [0]
    for level, point in zip(levels, quantiles, strict=True):
        # Which share of rows is below a number that many have, quantiles do not tell.
        if repeats[point] == 1:
            points.append(point)
            numbers_up_to.append(round(numbers * level))
    numbers_up_to.append(numbers)
    counts = [after - before for before, after in pairwise(numbers_up_to)]
    return points, counts
