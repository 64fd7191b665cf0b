"""Profile of a reference, profile of a run -> how far each column has drifted.

A profile is a list of records, one for each measure of a column, as `profile-*.parquet` has them. Only
counts are compared: rows between cut points that both have, rows by value, rows without one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from model_zoo.evaluation.drift import (
    Change,
    compare_categories,
    compare_kolmogorov_smirnov,
    compare_psi,
    compare_shares,
    measure_jensen_shannon,
)
from model_zoo.evaluation.profile_counts import (
    Distribution,
    Record,
    is_of_categories,
    pair_counts,
)

# Kind, column and measure.
Place: TypeAlias = tuple[str, str, str]
# By measure.
_Changes: TypeAlias = dict[str, Change]
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


def compare_profiles(
    reference: Sequence[Record],
    profile: Sequence[Record],
) -> list[Drift]:
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
    kind, column, measure = place
    return Drift(
        kind,
        column,
        measure,
        rows=record["rows"],
        reference_rows=0,
        missing=_share_missing(record),
        missing_reference=None,
        changes={},
        left_out="the reference does not have it",
    )


def _compare(place: Place, then: Record, now: Record) -> Drift:
    kind, column, measure = place
    distribution = pair_counts(then, now)
    changes = {"missing": _compare_missing(then, now)}
    changes |= _compare_distribution(distribution)
    new = _compare_new(then, now)
    if new is not None:
        changes["new"] = new
    return Drift(
        kind,
        column,
        measure,
        rows=now["rows"],
        reference_rows=then["rows"],
        missing=_share_missing(now),
        missing_reference=_share_missing(then),
        changes=changes,
        left_out=distribution.left_out,
        chosen=_count_chosen(then, now),
    )


def _compare_distribution(distribution: Distribution) -> _Changes:
    if distribution.counts is None:
        return {}
    then, now = distribution.counts
    chi2 = compare_categories(then, now)
    # Both are distances of the same shares, and have the chance of the test of these: that of PSI itself
    # is told too small where rows are few.
    stability_index = compare_psi(then, now).distance
    psi = Change(stability_index, chi2.chance)
    jensen_shannon = measure_jensen_shannon(then, now)
    js = Change(jensen_shannon, chi2.chance)
    if distribution.in_order:
        ks = compare_kolmogorov_smirnov(then, now)
        return {"psi": psi, "js": js, "ks": ks}
    return {"psi": psi, "js": js, "chi2": chi2}


def _compare_missing(then: Record, now: Record) -> Change:
    missing_then = _count_missing(then)
    missing_now = _count_missing(now)
    return compare_shares(missing_then, then["rows"], missing_now, now["rows"])


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
    if not rows:
        return None
    return _count_missing(record) / rows


def _compare_new(then: Record, now: Record) -> Change | None:
    """Return the share of rows with a value that the reference does not have; None where nobody knows."""
    rows_then = then["with_value"]
    rows_now = now["with_value"]
    if not rows_now or not rows_then:
        return None
    if not then["is_whole"] or not is_of_categories(then):
        return None
    new = _count_new(then, now)
    return compare_shares(0, rows_then, new, rows_now)


def _count_new(then: Record, now: Record) -> int:
    """Return how many rows have a value that the reference does not have: about, where not all are kept."""
    known = {entry["value"] for entry in then["values"]}
    new = sum(entry["count"] for entry in now["values"] if entry["value"] not in known)
    kept = len(now["values"])
    # Those that are kept are drawn by their digests: as a part of all values, their rows are one of all rows.
    if not now["is_whole"] and kept:
        new = round(new * now["distinct"] / kept)
    # Which long texts there are, nobody knows; but where there was none, each is new.
    if not then["long"]:
        new += now["long"] or 0
    rows: int = now["with_value"]
    return min(new, rows)


def _count_chosen(then: Record, now: Record) -> int | None:
    """Return how many numbers the one of both counted that counted fewer; None where both counted all."""
    all_numbers = []
    counted = []
    for record in (then, now):
        numbers: int = record["numbers"] or 0
        chosen: int | None = record.get("counted")
        all_numbers.append(numbers)
        counted.append(numbers if chosen is None else chosen)
    if counted == all_numbers:
        return None
    return min(counted)
