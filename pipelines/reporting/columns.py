"""From profiles, and what the manifest says of their distance, to the columns of a report, the worst first."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from pipelines.reporting.distributions import Row, count_entries, pair_distributions
from pipelines.reporting.document import LEVELS, Column, Finding, Label

# Kind, column and measure.
Place: TypeAlias = tuple[str, str, str]
Profile: TypeAlias = Mapping[Place, Row]
# What the manifest says of the distance of one measure of a column.
Distances: TypeAlias = Mapping[Place, Mapping[str, Any]]
Columns: TypeAlias = tuple[Column, ...]

# The mean of fewer numbers nearly tells them.
_FEWEST_NUMBERS = 10
_SCORE = "score"


@dataclass(frozen=True)
class Measured:
    """What is known of the columns of a run.

    Attributes:
        profile: of the run.
        reference: of what it is compared with; empty where that is nothing.
        distances: of the two.
        findings: of all columns.
        shows_values: whether values of rows may be named.
        labels: names of classes, which are no values of rows.
    """

    profile: Profile
    reference: Profile
    distances: Distances
    findings: Sequence[Finding]
    shows_values: bool
    labels: Sequence[str]


def list_columns(measured: Measured) -> tuple[Columns, Columns]:
    """Return the columns of inputs and those of scores, each the worst first.

    Args:
        measured: what is known of them.
    """
    columns = [_describe(measured, place) for place in measured.profile]
    # Those that are alike stay in the order of the model's columns.
    columns.sort(key=_rank)
    scores = [column for column in columns if column.kind == _SCORE]
    inputs = [column for column in columns if column.kind != _SCORE]
    return tuple(inputs), tuple(scores)


def list_labels(measured: Measured) -> tuple[Label, ...]:
    """Return how many rows each class or label was given.

    Args:
        measured: what is known of the columns.
    """
    labels: list[Label] = []
    for place, row in measured.profile.items():
        kind, column, _ = place
        if kind != _SCORE:
            continue
        then = count_entries(measured.reference.get(place), "values")
        labels += _list_labels_of(column, row, then)
    # Others may be texts of rows.
    known = measured.labels
    shown = [label for label in labels if measured.shows_values or label.name in known]
    return tuple(shown)


def _list_labels_of(
    column: str,
    row: Row,
    then: Mapping[str, int],
) -> Iterator[Label]:
    all_then = sum(then.values())
    for name, rows in count_entries(row, "values").items():
        share_then = None
        if all_then:
            share_then = then.get(name, 0) / all_then
        yield Label(
            column=column,
            name=name,
            rows=rows,
            share=rows / row["with_value"],
            share_then=share_then,
        )


def _describe(measured: Measured, place: Place) -> Column:
    kind, column, measure = place
    row = measured.profile[place]
    then = measured.reference.get(place)
    distance = measured.distances.get(place, {})
    findings = [finding for finding in measured.findings if _is_about(finding, place)]
    findings.sort(key=lambda finding: LEVELS.index(finding.level))
    mean = _find_mean(row)
    return Column(
        kind=kind,
        column=column,
        measure=measure,
        type=row["type"],
        level=findings[0].level if findings else "none",
        says=tuple(finding.says for finding in findings),
        rows=row["rows"],
        psi=distance.get("psi"),
        js=distance.get("js"),
        ks=distance.get("ks"),
        chance=distance.get("chance"),
        new=distance.get("new"),
        missing=_find_missing(row),
        missing_then=None if then is None else _find_missing(then),
        outside=_find_outside(row),
        mean=mean,
        mean_then=None if then is None else _find_mean(then),
        deviation=None if mean is None else row["std"],
        numbers=row["numbers"],
        counted=_find_counted(row),
        distribution=pair_distributions(row, then, measured.shows_values, measured.labels),
    )


def _is_about(finding: Finding, place: Place) -> bool:
    # Checks are of what is read.
    kind = "input" if finding.kind == "check" else finding.kind
    return (kind, finding.column, finding.of) == place


def _rank(column: Column) -> tuple[int, float]:
    # What was not measured comes last.
    psi = -1.0 if column.psi is None else column.psi
    level = LEVELS.index(column.level)
    return level, -psi


def _find_missing(row: Row) -> float:
    """Return the share of rows without a value; NaN is none."""
    rows: int = row["rows"]
    if not rows:
        return 0.0
    without = row["missing"] + (row["nan"] or 0)
    return without / rows


def _find_outside(row: Row) -> float | None:
    if not row["numbers"] or row["below"] is None:
        return None
    outside = row["below"] + row["above"]
    return outside / row["numbers"]


def _find_counted(row: Row) -> int | None:
    # Profiles of older versions, and of training, count all and say no more.
    counted: int | None = row.get("counted")
    return row["numbers"] if counted is None else counted


def _find_mean(row: Row) -> float | None:
    counted = _find_counted(row) or 0
    if counted < _FEWEST_NUMBERS:
        return None
    mean: float | None = row["mean"]
    return mean
