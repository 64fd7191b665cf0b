"""The end of a run as a metrics file in Prometheus' text format.

It is for the textfile collector of node_exporter. One file belongs to one job, and is replaced
whole at the end of every run, also of one that was refused, failed or was stopped; only the time of
the last success is carried over. What a run never came to know (the rows of a refused one) is not
in it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
import os
import time

from prometheus_client import CollectorRegistry, Gauge, Info, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from pipelines.cli.run_facts import RunFacts
from storage import files

# For everybody to read: node_exporter is another user.
_MODE = 0o644
_UNKNOWN_JOB = "unknown"
_PREFIX = "batch_prediction"
# What a file of these metrics begins with.
_HEAD = f"# HELP {_PREFIX}_".encode()
_LAST_SUCCESS = f"{_PREFIX}_last_success_timestamp_seconds"


def write_metrics(
    path: str,
    facts: RunFacts,
    exit_status: int,
    seconds: float,
) -> None:
    """Replace the metrics file, atomically.

    Args:
        path: the file.
        facts: what is known of the run.
        exit_status: how it ended.
        seconds: how long it took.

    Raises:
        OSError: it cannot be written, or what stands there is something else.
    """
    _refuse_other(path)
    before = _read_last_successes(path)
    # A job that could not be read is, most likely, the one that the file was of.
    job_of_file = next(iter(before), _UNKNOWN_JOB)
    job = facts.job or job_of_file
    now = time.time()
    last_success = before.get(job)
    if facts.published and exit_status == 0:
        last_success = now

    metrics = _Metrics(job)
    metrics.add_gauge("exit_status", "Exit status of the last run: 0 is success.", exit_status)
    _add_times(metrics, now, last_success, seconds)
    _add_facts(metrics, facts)
    content = generate_latest(metrics.registry)
    files.replace(path, content)
    # Storage's own mode keeps others out.
    if files.is_local(path):
        os.chmod(path, _MODE)


@dataclass
class _Metrics:
    """Gauges of one job; a value that is not known makes none."""

    job: str
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)

    def add_gauge(
        self,
        name: str,
        text: str,
        value: float | None,
    ) -> None:
        if value is None:
            return
        full_name = f"{_PREFIX}_{name}"
        gauge = Gauge(full_name, text, ["job"], registry=self.registry)
        of_job = gauge.labels(self.job)
        of_job.set(value)

    def add_gauges(
        self,
        name: str,
        text: str,
        label: str,
        values: Mapping[str, float],
    ) -> None:
        if not values:
            return
        full_name = f"{_PREFIX}_{name}"
        gauge = Gauge(full_name, text, ["job", label], registry=self.registry)
        for key, value in values.items():
            of_key = gauge.labels(self.job, key)
            of_key.set(value)

    def add_info(
        self,
        name: str,
        text: str,
        values: Mapping[str, str],
    ) -> None:
        if not values:
            return
        full_name = f"{_PREFIX}_{name}"
        info = Info(full_name, text, ["job"], registry=self.registry)
        of_job = info.labels(self.job)
        of_job.info(dict(values))


def _add_times(
    metrics: _Metrics,
    now: float,
    last_success: float | None,
    seconds: float,
) -> None:
    ended = "When the last run ended, however it ended."
    metrics.add_gauge("last_run_timestamp_seconds", ended, now)
    succeeded = "When a run last ended with its scores published."
    metrics.add_gauge("last_success_timestamp_seconds", succeeded, last_success)
    took = "How long the last run took, from reading its command line on."
    metrics.add_gauge("duration_seconds", took, seconds)


def _add_facts(metrics: _Metrics, facts: RunFacts) -> None:
    rows = "Rows of the last run: in = scored + filtered + rejected (+ left_out)."
    metrics.add_gauges("rows", rows, "outcome", facts.rows)
    published = "Files with scores that the last run published."
    metrics.add_gauge("files", published, facts.files)
    broken = "Input files that could not be read, or not to their ends, in the last run."
    metrics.add_gauge("broken_shards", broken, facts.broken_shards)
    findings = "What the run's monitor found, by level: warn is published, hold is not."
    metrics.add_gauges("monitor_findings", findings, "level", facts.findings)
    stages = "Time in each stage, summed over workers."
    metrics.add_gauges("stage_seconds", stages, "stage", facts.stage_seconds)
    rate = "Rows that the last run scored per second."
    metrics.add_gauge("rows_per_second", rate, facts.rows_per_second)
    memory = "Memory of the worker that needed most."
    metrics.add_gauge("peak_memory_bytes", memory, facts.peak_memory_bytes)
    metrics.add_info("run", "What the last run was.", facts.info)


def _refuse_other(path: str) -> None:
    """Refuse to replace what is no metrics file: one wrong word, and a shard of the input were gone.

    Raises:
        OSError: it is none.
    """
    try:
        with files.open_read(path) as file:
            head = file.read(len(_HEAD))
    except FileNotFoundError:
        return
    # Whoever keeps a place for it makes an empty one.
    if head not in (b"", _HEAD):
        raise OSError(
            "what stands there is no metrics file of this program, and stays; name another"
        )


def _read_last_successes(path: str) -> dict[str, float | None]:
    """Return when the job that the file is of last succeeded, by its name; None where it never did.

    Nothing where there is no such file, or it cannot be read.
    """
    try:
        content = files.read(path) or b""
        # A list, so that what cannot be parsed fails here.
        families = list(text_string_to_metric_families(content.decode()))
    except (OSError, ValueError):
        return {}
    successes: dict[str, float | None] = {}
    for family in families:
        for sample in family.samples:
            job = sample.labels.get("job")
            if job is None:
                continue
            successes.setdefault(job, None)
            if sample.name == _LAST_SUCCESS:
                successes[job] = sample.value
    return successes
