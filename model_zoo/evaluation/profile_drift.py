"""Profile of a reference, profile of a run -> how far each column has drifted.

A profile is a list of records, one for each measure of a column, as `profile-*.parquet` has them. Only
counts are compared: rows between cut points that both have, rows by value, rows without one.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from model_zoo.evaluation.drift import (
    Change,
    compare_categories,
    compare_kolmogorov_smirnov,
    compare_psi,
    compare_shares,
    join_sparse,
    measure_jensen_shannon,
    put_rare_together,
)

Record: TypeAlias = Mapping[str, Any]
# Kind, column and measure.
Place: TypeAlias = tuple[str, str, str]
# So many rows has each value of a category, as a rule; texts that are nearly all different are none.
_FEWEST_ROWS_OF_A_VALUE = 5
# Bins by first bits are put together to about so many, which have as many rows of the reference each.
_GROUPS = 8
_DISTANCES = ("psi", "js", "ks", "chi2", "new")


@dataclass(frozen=True)
class Drift:
    """How far one measure of a column is from the reference.

    Attributes:
        kind, column, of: what was measured; `of` is `value`, `length` or `brightness`.
        rows, reference_rows: of the run, and of the reference.
        missing, missing_reference: shares of rows without a value.
        changes: by measure (`psi`, `js`, `ks`, `chi2`, `missing`, `new`); what cannot be told is not
            there.
        left_out: why its distribution is not compared, or not all of it; None where it is.
        chosen: how many numbers chance is told by, of the run or of the reference, whichever counted
            fewer; None where both counted all.
    """

    kind: Any
    column: str
    of: str
    rows: int
    reference_rows: int
    missing: float | None
    missing_reference: float | None
    changes: Mapping[str, Change]
    left_out: str | None = None
    chosen: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the distances as a manifest holds them; null where there is none."""
        chances = {name: change.chance for name, change in self.changes.items()}
        # Null where there is none, so that each has the same names.
        distances: dict[str, float | None] = dict.fromkeys(_DISTANCES)
        for name, change in self.changes.items():
            # Told by both shares.
            if name != "missing":
                distances[name] = change.distance
        return {
            "kind": self.kind,
            "column": self.column,
            "of": self.of,
            **distances,
            "missing": self.missing,
            "missing_reference": self.missing_reference,
            "rows": self.rows,
            "rows_reference": self.reference_rows,
            "chance": min(chances.values(), default=None),
            "chances": chances,
        }


def compare_profiles(reference: Sequence[Record], profile: Sequence[Record]) -> list[Drift]:
    """Return how far each measure of the run is from the reference, in the order of the run's.

    Args:
        reference: records of what is compared with.
        profile: records of the run.
    """
    known = {find_place(record): record for record in reference}
    found = []
    for record in profile:
        place = find_place(record)
        if place in known:
            found.append(_compare(place, known[place], record))
        # Lengths are told by some references alone, and nobody asks for them by name.
        elif place[2] == "value":
            found.append(_leave_out(place, record))
    return found


def find_place(record: Record) -> Place:
    """Return what a record is of."""
    return record["kind"], record["column"], record["measure"]


def _leave_out(place: Place, record: Record) -> Drift:
    share = _share_missing(record)
    return Drift(*place, record["rows"], 0, share, None, {}, "the reference does not have it")


def _compare(place: Place, then: Record, now: Record) -> Drift:
    changes = {"missing": _compare_missing(then, now)}
    distribution = _pair(then, now)
    if distribution.counts is not None:
        changes |= _compare_counts(*distribution.counts, distribution.in_order)
    new = _compare_new(then, now)
    if new is not None:
        changes["new"] = new
    return Drift(
        *place,
        now["rows"],
        then["rows"],
        _share_missing(now),
        _share_missing(then),
        changes,
        distribution.left_out,
        _count_chosen(then, now),
    )


class _Distribution(NamedTuple):
    """Rows of the reference and of the run by bin or value; None where they cannot be compared.

    Attributes:
        in_order: whether the bins have an order.
        left_out: why, or which part of it, is not compared.
    """

    counts: tuple[np.ndarray, np.ndarray] | None
    in_order: bool = True
    left_out: str | None = None


def _compare_counts(then: np.ndarray, now: np.ndarray, in_order: bool) -> dict[str, Change]:
    chi2 = compare_categories(then, now)
    # Both are distances of the same shares, and have the chance of the test of these: that of PSI itself
    # is told too small where rows are few.
    psi = Change(compare_psi(then, now).distance, chi2.chance)
    js = Change(measure_jensen_shannon(then, now), chi2.chance)
    if in_order:
        return {"psi": psi, "js": js, "ks": compare_kolmogorov_smirnov(then, now)}
    return {"psi": psi, "js": js, "chi2": chi2}


def _compare_missing(then: Record, now: Record) -> Change:
    return compare_shares(_count_missing(then), then["rows"], _count_missing(now), now["rows"])


def _count_missing(record: Record) -> int:
    """Return how many rows have no value that could be compared: null, NaN, or infinite."""
    missing: int = record["missing"]
    # Of lists the others count numbers, and not rows.
    if "list" in record["type"]:
        return missing
    nan: int = record["nan"] or 0
    infinite: int = record["infinite"] or 0
    return missing + nan + infinite


def _share_missing(record: Record) -> float | None:
    rows: int = record["rows"]
    return _count_missing(record) / rows if rows else None


def _pair(then: Record, now: Record) -> _Distribution:
    """Return the counts of both that can stand beside each other."""
    if now["with_value"] is not None and then["with_value"] is not None:
        return _pair_values(then, now)
    if not now["numbers"] or not then["numbers"]:
        return _Distribution(None)
    if not _has_counted(now) or not _has_counted(then):
        return _Distribution(None, left_out="it has so few numbers that none is in a counted row")
    if now["cut_points"] and then["cut_points"]:
        return _pair_counts(then, now)
    if now["bins"] and then["bins"]:
        grouped_then, grouped_now = _group_bins(then, now)
        counts = join_sparse(_to_counted(then, grouped_then), _to_counted(now, grouped_now))
        return _Distribution(counts)
    return _Distribution(None, left_out="its numbers are counted by other cut points")


def _pair_counts(then: Record, now: Record) -> _Distribution:
    common = set(then["cut_points"]) & set(now["cut_points"])
    if not common:
        return _Distribution(None, left_out="its numbers are counted by other cut points")
    counts = join_sparse(
        _to_counted(then, _merge_counts(then, common)),
        _to_counted(now, _merge_counts(now, common)),
    )
    all_points = len(now["cut_points"])
    if len(common) == all_points:
        return _Distribution(counts)
    reason = f"its numbers are compared at {len(common)} of {all_points} cut points"
    return _Distribution(counts, left_out=reason)


def _has_counted(record: Record) -> bool:
    """Tell whether some numbers are counted: of very few in large units none may be."""
    # Profiles of older versions, and of training, count all, and say no more.
    return record.get("counted") != 0


def _count_chosen(then: Record, now: Record) -> int | None:
    """Return how many numbers the one of both counted that counted fewer; None where both counted all."""
    counted = []
    is_whole = True
    for record in (then, now):
        numbers: int = record["numbers"] or 0
        chosen = record.get("counted")
        counted.append(numbers if chosen is None else chosen)
        is_whole = is_whole and counted[-1] == numbers
    return None if is_whole else min(counted)


def _to_counted(record: Record, counts: np.ndarray) -> np.ndarray:
    """Return counts that stand for all numbers as such of as many as were looked at.

    Of those that stand for several each, fewer numbers tell as much: the square of all weights' sum, divided
    by the sum of their squares (Kish, 1965). Chance asks for these, and not for how many rows there are.
    """
    squared_weights = record.get("squared_weights")
    if not squared_weights:
        return counts
    return counts * (float(counts.sum()) / squared_weights)


def _merge_counts(record: Record, kept: set[float]) -> np.ndarray:
    """Return counts between those cut points alone that are kept."""
    merged = [0]
    ends = [*record["cut_points"], None]
    for count, end in zip(record["counts"], ends, strict=True):
        merged[-1] += count
        if end in kept:
            merged.append(0)
    return np.array(merged)


def _group_bins(then: Record, now: Record) -> tuple[np.ndarray, np.ndarray]:
    """Return counts of bins that are put together to groups of as many rows of the reference."""
    bins_then = _index(then["bins"])
    bins_now = _index(now["bins"])
    values = sorted({*bins_then, *bins_now})
    counts_then = np.array([bins_then.get(value, 0) for value in values])
    counts_now = np.array([bins_now.get(value, 0) for value in values])
    # Which group the reference has reached with each bin.
    reached = np.cumsum(counts_then) * _GROUPS // counts_then.sum()
    later = np.flatnonzero(np.diff(reached)) + 1
    firsts = [0, *later]
    return np.add.reduceat(counts_then, firsts), np.add.reduceat(counts_now, firsts)


def _index(entries: Sequence[Record]) -> dict[Any, int]:
    """Return counts by value."""
    return {entry["value"]: entry["count"] for entry in entries}


def _pair_values(then: Record, now: Record) -> _Distribution:
    if not then["with_value"] or not now["with_value"]:
        return _Distribution(None)
    if _FEWEST_ROWS_OF_A_VALUE * (then["distinct"] or 0) > then["with_value"]:
        return _Distribution(None, left_out="it has nearly as many values as rows")
    if not now["is_whole"]:
        return _Distribution(None, left_out="it has more values than are kept")
    names = [entry["value"] for entry in then["values"]]
    counts = [_count_named(record, names) for record in (then, now)]
    return _Distribution(put_rare_together(counts[0], counts[1]), in_order=False)


def _count_named(record: Record, names: Sequence[str]) -> np.ndarray:
    """Return the rows with each of some values, and at last those with any other."""
    by_value = _index(record["values"])
    counts = [by_value.get(name, 0) for name in names]
    others = record["with_value"] - sum(counts)
    return np.array([*counts, others], dtype=np.float64)


def _compare_new(then: Record, now: Record) -> Change | None:
    """Return the share of rows with a value that the reference does not have; None where nobody knows."""
    rows = now["with_value"]
    if not rows or not then["with_value"] or not then["is_whole"] or not now["is_whole"]:
        return None
    if _FEWEST_ROWS_OF_A_VALUE * (then["distinct"] or 0) > then["with_value"]:
        return None
    known = {entry["value"] for entry in then["values"]}
    # Long texts are in neither list.
    new = sum(entry["count"] for entry in now["values"] if entry["value"] not in known)
    return compare_shares(0, then["with_value"], new, rows)


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
    pairs = list(zip(levels, quantiles, strict=True))
    # Which share of rows is below a number that many have, quantiles do not tell.
    single = list(_list_single(pairs))
    up_to = [0, *(round(numbers * level) for level, _ in single), numbers]
    counts = [after - before for before, after in pairwise(up_to)]
    return [point for _, point in single], counts


def _list_single(pairs: Sequence[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    points = [point for _, point in pairs]
    for level, point in pairs:
        if points.count(point) == 1:
            yield level, point
