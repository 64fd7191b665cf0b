"""What is known of a run, as its log and its metrics file tell it."""

from dataclasses import dataclass, field
from typing import TypeAlias

from storage.run_folder import RunFolder

Texts: TypeAlias = dict[str, str]
Counts: TypeAlias = dict[str, int]
Seconds: TypeAlias = dict[str, float]


@dataclass
class RunFacts:
    """What is known of a run so far.

    Attributes:
        job: its name; None before the job was read.
        info: run_id, model, version, runner; none before the run was planned.
        rows: by outcome: in, scored, filtered, rejected, of a job with a filter of its rows also
            left_out; none before the run was published.
        broken_shards: of a job that allows some.
        stage_seconds: by stage, summed over workers; none where nothing was scored.
        peak_memory_bytes: of the worker that needed most.
        published: whether a run of these inputs, this model and these settings stands, published
            now or before.
        findings: of the run's monitor, by level: warn and hold; none of a job without one.
        run: where it stands; None until its manifest was read.
    """

    job: str | None = None
    info: Texts = field(default_factory=dict)
    rows: Counts = field(default_factory=dict)
    files: int | None = None
    broken_shards: int | None = None
    stage_seconds: Seconds = field(default_factory=dict)
    rows_per_second: float | None = None
    peak_memory_bytes: int | None = None
    published: bool = False
    findings: Counts = field(default_factory=dict)
    run: RunFolder | None = None
