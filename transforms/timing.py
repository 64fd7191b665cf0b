"""Rows, batches and seconds of a stage, as Beam metrics in the namespace `score`."""

from collections.abc import Iterator
from contextlib import contextmanager
import time

from apache_beam.metrics import Metrics

NAMESPACE = "score"


class Timed:
    """Counts what passes a stage: `with timed(rows): ...`."""

    def __init__(self, stage: str) -> None:
        self._rows = Metrics.counter(NAMESPACE, f"{stage}_rows")
        self._batches = Metrics.counter(NAMESPACE, f"{stage}_batches")
        self._microseconds = Metrics.counter(NAMESPACE, f"{stage}_microseconds")

    @contextmanager
    def __call__(self, rows: int) -> Iterator[None]:
        """Count one batch of `rows` rows and the time that the block takes."""
        started = time.perf_counter_ns()
        yield
        self.add(rows, time.perf_counter_ns() - started)

    def add(self, rows: int, nanoseconds: int) -> None:
        """Count one batch of `rows` rows that took some time."""
        self._microseconds.inc(nanoseconds // 1_000)
        self._batches.inc()
        self._rows.inc(rows)
