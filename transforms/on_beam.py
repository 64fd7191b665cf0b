"""What Beam is told of this program: how its batches are encoded, and its counters.

Apart from the batches and their times, because importing Beam takes a second, which programs that
only read or check a run do without.
"""

from collections.abc import Iterator
from contextlib import contextmanager
import pickle
import time
from typing import Any

from apache_beam import coders
from apache_beam.metrics import Metrics
from pyarrow import RecordBatch

from transforms.batches import FeatureBatch, PredictionBatch, RawBatch, ScoredBatch

_NAMESPACE = "score"
# What an element without rows is taken for.
_SMALL_BYTES = 1_000
_MOST_ESTIMATED_BYTES = 2**31 - 1


class BatchCoder(coders.Coder):
    """Encode batches by pickle, and estimate their size without encoding anything.

    Beam samples sizes by encoding the elements that pass, unless a coder knows better.
    """

    def encode(self, value: Any) -> bytes:
        return pickle.dumps(value, protocol=5)

    def decode(self, encoded: bytes) -> Any:
        return pickle.loads(encoded)  # noqa: S301 - only what `encode` of this pipeline's own workers wrote

    def estimate_size(self, value: Any) -> int:
        # Features and predictions hold their rows inside `raw`.
        raw = getattr(value, "raw", value)
        rows = getattr(raw, "rows", None)
        if not isinstance(rows, RecordBatch):
            return _SMALL_BYTES
        # Beam counts in a C int.
        return min(int(rows.nbytes), _MOST_ESTIMATED_BYTES)

    # So that Beam makes no key of a batch, for which equal ones need equal bytes.
    def is_deterministic(self) -> bool:
        return False

    def to_type_hint(self) -> Any:
        return Any


def _make_counter(transform: str, unit: str) -> Any:
    name = f"{transform}_{unit}"
    return Metrics.counter(_NAMESPACE, name)


class Timed:
    """Count what passes a transform, as Beam metrics: `with timed(rows): ...`."""

    def __init__(self, transform: str) -> None:
        self._rows = _make_counter(transform, "rows")
        self._batches = _make_counter(transform, "batches")
        self._microseconds = _make_counter(transform, "microseconds")

    @contextmanager
    def __call__(self, rows: int) -> Iterator[None]:
        """Count one batch of `rows` rows and the time that the block takes."""
        started = time.perf_counter_ns()
        yield
        taken = time.perf_counter_ns() - started
        self.add(rows, taken)

    def add(self, rows: int, nanoseconds: int) -> None:
        """Count one batch of `rows` rows that took some time."""
        # Beam's counters hold whole numbers.
        self._microseconds.inc(nanoseconds // 1_000)
        self._batches.inc()
        self._rows.inc(rows)


# At import, because Beam asks for the coder of a type wherever it meets one, and workers do no more
# than import.
for _edge in (RawBatch, FeatureBatch, PredictionBatch, ScoredBatch):
    coders.registry.register_coder(_edge, BatchCoder)
