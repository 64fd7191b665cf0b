"""What a report tells of a run, as values: the page is drawn from them, and `--json` prints them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

# Whether a column, or a run, is worth a look: the words of the manifest's findings.
Level: TypeAlias = Literal["hold", "warn", "note", "none"]
# The worst first.
LEVELS: tuple[Level, ...] = ("hold", "warn", "note", "none")
# As JSON holds it.
Fields: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True)
class Verdict:
    """Whether the scores may be used.

    Attributes:
        use: `yes`, `with care` or `no`.
        sentence: the same as a sentence.
        why: reasons, a sentence each.
    """

    use: Literal["yes", "with care", "no"]
    sentence: str
    why: tuple[str, ...]


@dataclass(frozen=True)
class Broken:
    """A shard that is lost, all of it or from some row on.

    Attributes:
        rows: how many are lost; None where nobody knows.
        message: why, without values.
    """

    url: str
    rows: int | None
    message: str


@dataclass(frozen=True)
class Books:
    """What became of all rows.

    Attributes:
        rows: by what became of them, as the manifest has them.
        is_balanced: whether they come to the rows that were read.
        allowed: how many rejected rows the job's budget allows.
        units: of work, each of which has books of its own.
        files: of scored rows.
        inputs: files that were read.
        left_out: input paths that were not read, by the rule.
        broken: shards that could not be read to their end.
    """

    rows: Mapping[str, int]
    is_balanced: bool
    allowed: int
    units: int
    files: int
    inputs: int
    left_out: Mapping[str, int]
    broken: tuple[Broken, ...]


@dataclass(frozen=True)
class Check:
    """A check of values that are read, and what became of it.

    Attributes:
        missing, failed: of the rows.
    """

    column: str
    rule: str
    rows: int
    missing: int
    failed: int


@dataclass(frozen=True)
class Finding:
    """Something that the comparison found, as the manifest tells it.

    Attributes:
        of: what of the column was measured: `value`, `length` or `brightness`.
        measure: by what: `psi`, `missing` and so on.
    """

    level: Level
    kind: str
    column: str | None
    of: str
    measure: str
    says: str


@dataclass(frozen=True)
class Distribution:
    """Shares of rows, then and now.

    Attributes:
        names: of each bin or value.
        then: share of each in the reference, from 0 to 1; empty where there is none to compare with.
        now: the same, of the run.
    """

    names: tuple[str, ...]
    then: tuple[float, ...]
    now: tuple[float, ...]


@dataclass(frozen=True)
class Column:
    """What is known of one measure of a column, beside the reference.

    Attributes:
        kind: `input`, `network` or `score`.
        measure: `value`, `length` or `brightness`.
        level: the worst of its findings.
        says: sentences of its findings, the worst first.
        psi, js, ks: distances to the reference; None where they were not measured.
        chance: of as large a distance where nothing changed.
        new: share of rows with a value that the reference does not have.
        missing, missing_then: share of rows without a value.
        outside: share of numbers out of the range of training.
        mean, deviation: of the numbers; None of few, as they would tell single ones.
        mean_then: the same of the reference.
        numbers, counted: how many there are, and in how many of them mean, deviation and distribution are
            counted; None where there are none.
        distribution: what a small picture shows; None where nothing was counted.
    """

    kind: str
    column: str
    measure: str
    type: str
    level: Level
    says: tuple[str, ...]
    rows: int
    psi: float | None
    js: float | None
    ks: float | None
    chance: float | None
    new: float | None
    missing: float
    missing_then: float | None
    outside: float | None
    mean: float | None
    mean_then: float | None
    deviation: float | None
    numbers: int | None
    counted: int | None
    distribution: Distribution | None


@dataclass(frozen=True)
class Compared:
    """What the rows of the run were compared with.

    Attributes:
        with_what: in words; empty where nothing was compared.
        says: the same as the manifest tells it, with the runs or the rows that it is of.
        runs: ids of the runs that it is made of.
        rows: how many it has.
        verdict: `clean`, `warned` or `held`; empty where nothing was compared.
    """

    with_what: str
    says: str
    runs: tuple[str, ...]
    rows: int | None
    verdict: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Reason:
    """Rejected rows with one reason, which holds no value of theirs."""

    stage: str
    error: str
    message: str
    rows: int


@dataclass(frozen=True)
class Label:
    """A class, or a label, and how many rows were given it.

    Attributes:
        share, share_then: of all rows with one, now and in the reference.
    """

    column: str
    name: str
    rows: int
    share: float
    share_then: float | None


@dataclass(frozen=True)
class Time:
    """Where the time of a run went.

    Attributes:
        seconds: of the clock, while any worker was at work.
        stages: seconds of each, over all workers.
        workers: rows, or units, of each by its name.
    """

    seconds: float
    rows_per_second: float | None
    peak_memory_bytes: int | None
    stages: Mapping[str, float]
    workers: int


@dataclass(frozen=True)
class Change:
    """Something that is another than it was in the run before.

    Attributes:
        about: `inputs`, `model`, `settings`, `computing`, `libraries` or `columns`.
        before, now: empty where it was not there.
    """

    about: str
    name: str
    before: str
    now: str


@dataclass(frozen=True)
class Changes:
    """What changed since another run.

    Attributes:
        since: that run's id; None where there is none.
    """

    since: str | None
    published_at: str | None
    changes: tuple[Change, ...]


@dataclass(frozen=True)
class PastRun:
    """One of the runs of an output.

    Attributes:
        state: `published`, `held` or `released`.
        verdict: of its comparison; empty where nothing was compared.
        psi_input, psi_score: the largest distances of inputs and of scores; None where none were measured.
    """

    run_id: str
    published_at: str
    state: str
    verdict: str
    warnings: int
    rows_in: int
    rows_scored: int
    rows_rejected: int
    seconds: float
    psi_input: float | None
    psi_score: float | None
    model: str
    is_this: bool


@dataclass(frozen=True)
class RunReport:
    """All that a report tells.

    Attributes:
        state: `published`, `held` or `released`.
        manifest_sha256: of the manifest that it was made from.
        shows_values: whether the job allows it to show values of rows.
        columns: of inputs, the worst first.
        scores: of the score columns, likewise.
        checks: of values that are read, in the order of the job's.
        reasons: of rejected rows, the most frequent first.
        model: name, version, digest and so on.
        agreement: with the scores of the reference settings, as tuning measured it; None where nobody did.
        history: the latest run first.
    """

    run_id: str
    job: str
    output: str
    state: str
    published_at: str
    manifest_sha256: str
    shows_values: bool
    verdict: Verdict
    books: Books
    compared: Compared
    columns: tuple[Column, ...]
    scores: tuple[Column, ...]
    labels: tuple[Label, ...]
    checks: tuple[Check, ...]
    reasons: tuple[Reason, ...]
    time: Time
    model: Mapping[str, str]
    computing: Mapping[str, str]
    libraries: Mapping[str, str]
    agreement: Mapping[str, float] | None
    changes: Changes
    history: tuple[PastRun, ...]
    settings: Fields

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values, for JSON."""
        return asdict(self)
