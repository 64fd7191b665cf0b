"""What is told of a run before it is published, and what follows from it.

    distances, thresholds -> findings (hold, warn, note) -> verdict (held, warned, clean)

Whoever looks at a run, a comparison of distributions or a check of values, tells by findings.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

Level: TypeAlias = Literal["hold", "warn", "note"]
FindingKind: TypeAlias = Literal["input", "network", "score", "rows", "check"]
Verdict: TypeAlias = Literal["clean", "warned", "held"]
# The worst first.
_LEVELS: tuple[Level, ...] = ("hold", "warn", "note")


@dataclass(frozen=True)
class Finding:
    """One thing that people should know of a run.

    Attributes:
        level: `hold` keeps the run from being published, `warn` is told; `note` says what could not
            be compared, or what chance alone explains.
        kind: what it is about.
        column: of which; None of all rows.
        measure: `psi`, `js`, `ks`, `chi2`, `missing`, `new`, `label_share`, `rows`, or a check's name.
        says: the same in one plain sentence, which holds no value of a row.
        value, reference: of the run, and of what it is compared with.
        threshold: that was crossed.
        chance: of as large a change where nothing changed.
        of: what was measured: the column's `value`, `length` or `brightness`.
    """

    level: Level
    kind: FindingKind
    column: str | None
    measure: str
    says: str
    value: float | None = None
    reference: float | None = None
    threshold: float | None = None
    chance: float | None = None
    of: str = "value"

    def as_dict(self) -> dict[str, Any]:
        """Return the finding as a manifest holds it."""
        return asdict(self)


@dataclass(frozen=True)
class Limit:
    """From which value on a run is warned of, and from which it is held back; None for never."""

    warn: float | None = None
    hold: float | None = None


# By measure.
Limits: TypeAlias = Mapping[str, Limit]


@dataclass(frozen=True)
class Rules:
    """From which changes on a run is warned of, or held back.

    Attributes:
        columns: limits by column.
        others: of columns that are not named, such as the network's pictures.
        scores: of all scores.
        fewer_rows, more_rows: as multiples of the reference's rows.
    """

    columns: Mapping[str, Limits]
    others: Limits
    scores: Limits
    fewer_rows: Limit = Limit()
    more_rows: Limit = Limit()

    def find_limits(self, kind: str, column: str) -> Limits:
        """Return the limits of a column."""
        if kind == "score":
            return self.scores
        if column in self.columns:
            return self.columns[column]
        if kind == "network":
            return self.others
        return {}


def sort_findings(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings, the worst first, and else in their order."""
    # Sorting keeps the order of those that are of one level.
    return sorted(findings, key=_rank)


def _rank(finding: Finding) -> int:
    return _LEVELS.index(finding.level)


def find_verdict(findings: Iterable[Finding]) -> Verdict:
    """Return what follows from findings.

    >>> find_verdict([])
    'clean'
    """
    levels = {finding.level for finding in findings}
    if "hold" in levels:
        return "held"
    if "warn" in levels:
        return "warned"
    return "clean"
