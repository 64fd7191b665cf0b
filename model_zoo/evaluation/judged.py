"""Distances and thresholds -> findings: which changes are beyond a threshold, and beyond chance.

A threshold counts only beyond what sampling alone would give at these row counts: the chances of all
comparisons that have a threshold are taken together (Holm, see `drift.find_beyond_chance`), so that of a
thousand nights without drift about one is told, however many columns there are.
"""

from collections.abc import Callable, Iterator, Sequence
import operator
from statistics import median
from typing import NamedTuple

from model_zoo.evaluation.drift import Change, find_beyond_chance
from model_zoo.evaluation.findings import Finding, Level, Limit, Rules, sort_findings
from model_zoo.evaluation.profile_drift import Drift

# How often a night without drift may be told as one with it.
LEVEL = 0.001
# Of labels, the largest change of a value's share.
_LABEL_SHARE = "label_share"
_WORDS = {
    "psi": "PSI",
    "js": "the Jensen-Shannon distance",
    "ks": "the Kolmogorov-Smirnov distance",
    "chi2": "the largest change of a value's share",
    _LABEL_SHARE: "the largest change of a label's share",
    "missing": "the change of the share of missing values",
    "new": "the share of rows with a new value",
}


class _Asked(NamedTuple):
    """A comparison that has a threshold."""

    drift: Drift
    measure: str
    change: Change
    limit: Limit


def judge_drifts(drifts: Sequence[Drift], rules: Rules) -> list[Finding]:
    """Return what is to be told of columns and scores, the worst first.

    Args:
        drifts: of each column.
        rules: the thresholds.
    """
    asked = list(_list_asked(drifts, rules))
    is_beyond = find_beyond_chance([one.change.chance for one in asked], LEVEL)
    findings = []
    for one, beyond in zip(asked, is_beyond, strict=True):
        crossed = find_crossed(one.change.distance, one.limit)
        if crossed is not None:
            findings.append(_tell(one, *crossed, beyond))
    return sort_findings([*findings, *_tell_left_out(drifts, rules)])


def judge_rows(
    rows: int,
    earlier: Sequence[int],
    rules: Rules,
    whose: str = "the reference",
) -> list[Finding]:
    """Return what is to be told of how many rows a run has.

    Args:
        rows: of the run.
        earlier: of the runs that it is compared with, whose median counts.
        rules: the thresholds.
        whose: what has the earlier rows, in words.
    """
    if not earlier:
        return []
    usual = median(earlier)
    # Of no rows every number is infinitely many.
    if not usual:
        says = f"{rows:,} rows, and none of {whose}, so nothing is compared"
        return [Finding("note", "rows", None, "rows", says, rows, usual)] if rows else []
    times = rows / usual
    for word, limit, is_beyond in (
        ("fewer", rules.fewer_rows, operator.lt),
        ("more", rules.more_rows, operator.gt),
    ):
        crossed = find_crossed(times, limit, is_beyond)
        if crossed is not None:
            return [_tell_rows(rows, usual, *crossed, word, whose)]
    # Nothing of it could be compared, so nothing else may be told of it.
    if not rows:
        says = f"no rows, and {usual:,.0f} of {whose}"
        return [Finding("note", "rows", None, "rows", says, rows, usual)]
    return []


def find_crossed(
    distance: float,
    limit: Limit,
    is_beyond: Callable[[float, float], bool] = operator.ge,
) -> tuple[Level, float] | None:
    """Return which threshold a distance is beyond; None where it is beyond none.

    Args:
        distance: of whatever has the limit.
        limit: its thresholds.
        is_beyond: tells of a distance and a threshold.

    >>> find_crossed(0.3, Limit(warn=0.1, hold=0.25)), find_crossed(0.2, Limit(hold=0.25))
    (('hold', 0.25), None)
    """
    if limit.hold is not None and is_beyond(distance, limit.hold):
        return "hold", limit.hold
    if limit.warn is not None and is_beyond(distance, limit.warn):
        return "warn", limit.warn
    return None


def _list_asked(drifts: Sequence[Drift], rules: Rules) -> Iterator[_Asked]:
    for drift in drifts:
        limits = rules.find_limits(drift.kind, drift.column)
        for measure, limit in limits.items():
            change = drift.changes.get("chi2" if measure == _LABEL_SHARE else measure)
            # Rows without a value are the same ones, whatever of the others is measured.
            is_again = measure == "missing" and drift.of != "value"
            if change is not None and not is_again:
                yield _Asked(drift, measure, change, limit)


def _tell(asked: _Asked, level: Level, threshold: float, beyond: bool) -> Finding:
    drift, measure, change, _ = asked
    reference = None
    what = f"{_name(drift)}: {_WORDS[measure]} is {change.distance:.3g}"
    if measure == "missing":
        reference = drift.missing_reference
        share = drift.missing or 0
        share_before = reference or 0
        what = f"{what} ({share:.1%} of rows, and {share_before:.1%} before)"
    says = f"{what}, {level} from {threshold:g} on"
    if not beyond:
        counted = _say_how_many(asked)
        says = f"{says}, which chance alone may give with {counted} and so many comparisons"
        level = "note"
    value = drift.missing if measure == "missing" else change.distance
    return Finding(
        level,
        drift.kind,
        drift.column,
        measure,
        says,
        value,
        reference,
        threshold,
        change.chance,
        drift.of,
    )


def _say_how_many(asked: _Asked) -> str:
    """Return what a chance is told by, in words."""
    drift = asked.drift
    # Rows without a value are all counted.
    if drift.chosen is not None and asked.measure != "missing":
        return f"{drift.chosen:,} counted numbers"
    rows = min(drift.rows, drift.reference_rows)
    return f"{rows:,} rows"


def _tell_left_out(drifts: Sequence[Drift], rules: Rules) -> Iterator[Finding]:
    for drift in drifts:
        limits = rules.find_limits(drift.kind, drift.column)
        # Who asks nothing of a column's values need not know.
        asks = limits.keys() - {"missing"}
        if drift.left_out is None or not asks:
            continue
        says = f"{_name(drift)}: {drift.left_out}"
        yield Finding("note", drift.kind, drift.column, "not_compared", says, of=drift.of)


def _name(drift: Drift) -> str:
    if drift.of == "value":
        return drift.column
    return f"{drift.of} of {drift.column}"


def _tell_rows(
    rows: int,
    usual: float,
    level: Level,
    threshold: float,
    word: str,
    whose: str,
) -> Finding:
    times = rows / usual
    says = (
        f"{rows:,} rows are {times:.3g} times the {usual:,.0f} of {whose}, "
        f"{level} with {word} than {threshold:g} times"
    )
    return Finding(level, "rows", None, "rows", says, rows, usual, threshold)
