"""The end of a run as a metrics file in Prometheus' text format, for the textfile collector of node_exporter.

One file belongs to one job. It is replaced whole at the end of every run, also of one that was refused, failed or was stopped; only
the time of the last success is carried over. What a run never came to know (the rows of a refused one) is not in it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
import os
import time

from prometheus_client import CollectorRegistry, Gauge, Info, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from storage import files

_MODE = 0o644
_UNKNOWN_JOB = "unknown"
_LAST_SUCCESS = "batch_prediction_last_success_timestamp_seconds"


@dataclass
class RunFacts:
    """What is known of a run so far.

    Attributes:
        job: its name; None before the job was read.
        info: run_id, model, version, runner; none before the run was planned.
        rows: by outcome: in, scored, filtered, rejected; none before the run was published.
        stage_seconds: by stage, summed over workers; none where nothing was scored.
        peak_memory_bytes: of the worker that needed most.
        published: whether a run of these inputs, this model and these settings stands, published now or before.
    """

    job: str | None = None
    info: dict[str, str] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    files: int | None = None
    stage_seconds: dict[str, float] = field(default_factory=dict)
    rows_per_second: float | None = None
    peak_memory_bytes: int | None = None
    published: bool = False


def write_metrics(path: str, facts: RunFacts, exit_status: int, seconds: float) -> None:
    """Replace the file at `path`, atomically. It is for everybody to read: node_exporter is another user.

    Raises:
        OSError: it cannot be written.
    """
    before = _last_success_by_job(path)
    job = facts.job or next(iter(before), _UNKNOWN_JOB)
    now = time.time()
    last_success = now if facts.published and exit_status == 0 else before.get(job)
    files.replace(path, generate_latest(_registry(job, facts, exit_status, seconds, now, last_success)))
    if files.is_local(path):
        os.chmod(path, _MODE)


def _registry(
    job: str, facts: RunFacts, exit_status: int, seconds: float, now: float, last_success: float | None
) -> CollectorRegistry:
    metrics = _Metrics(job)
    metrics.one("exit_status", "Exit status of the last run: 0 is success.", exit_status)
    metrics.one("last_run_timestamp_seconds", "When the last run ended, however it ended.", now)
    metrics.one("last_success_timestamp_seconds", "When a run last ended with its scores published.", last_success)
    metrics.one("duration_seconds", "How long the last run took, from reading its command line on.", seconds)
    metrics.many("rows", "Rows of the last run: in = scored + filtered + rejected.", "outcome", facts.rows)
    metrics.one("files", "Files with scores that the last run published.", facts.files)
    metrics.many("stage_seconds", "Time in each stage, summed over workers.", "stage", facts.stage_seconds)
    metrics.one("rows_per_second", "Rows that the last run scored per second.", facts.rows_per_second)
    metrics.one("peak_memory_bytes", "Memory of the worker that needed most.", facts.peak_memory_bytes)
    if facts.info:
        info = Info("batch_prediction_run", "What the last run was.", ["job"], registry=metrics.registry)
        info.labels(job).info(facts.info)
    return metrics.registry


@dataclass
class _Metrics:
    """Gauges of one job; a value that is not known makes none."""

    job: str
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)

    def one(self, name: str, text: str, value: float | None) -> None:
        if value is not None:
            Gauge(f"batch_prediction_{name}", text, ["job"], registry=self.registry).labels(self.job).set(value)

    def many(self, name: str, text: str, label: str, values: Mapping[str, float]) -> None:
        if values:
            gauge = Gauge(f"batch_prediction_{name}", text, ["job", label], registry=self.registry)
            for key, value in values.items():
                gauge.labels(self.job, key).set(value)


def _last_success_by_job(path: str) -> dict[str, float | None]:
    """For the job that the file before this one was of: when it last succeeded, or None; nothing where there is no such file."""
    try:
        families = list(text_string_to_metric_families((files.read(path) or b"").decode()))
    except (OSError, ValueError):
        return {}
    samples = [s for family in families for s in family.samples if "job" in s.labels]
    succeeded = {s.labels["job"]: s.value for s in samples if s.name == _LAST_SUCCESS}
    return {s.labels["job"]: succeeded.get(s.labels["job"]) for s in samples}
