"""The types on the edges of the graph: what one transform hands to the next.

    WorkUnit -> RawBatch -> FeatureBatch -> PredictionBatch -> ScoredBatch -> WrittenPart

Every batch knows the unit and the row it starts at, and carries the rows that failed on the way (`failed`), so that the books of a
unit can be balanced where it is written. Failed rows ride inside their batch and not on a tagged output, because joining two
outputs again needs a Flatten, and the local runner materialises every row that passes one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
import pickle
from typing import Any

from apache_beam import coders
import numpy as np
import pyarrow as pa

from transforms.rejected import BatchId, FailedBatch, RowRecord, failed_batch
from transforms.timing import StageTimes

Arrays = dict[str, np.ndarray]
_NO_RECORD = RowRecord()


@dataclass(frozen=True, order=True)
class WorkUnit:
    """A contiguous piece of one input shard: the unit of work, of retry, and of resume.

    Attributes:
        index: number of the unit in the plan.
        shard: path or URL of the input file.
        version: what the file looked like when the plan was made (size, time, entity tag); it must not have changed since.
        first_row_group, row_groups: the Parquet row groups; 0 and 0 for CSV.
        first_row: number of the unit's first row in the shard.
        rows: how many rows, or None when only reading tells (a whole CSV file).
        bytes: size of the piece as it is stored, for ordering large units first.
        header_bytes: of a CSV file that is cut, how long the header is, which belongs to every piece; 0 for anything else.
        first_byte: of a piece of a CSV file, where its rows start.
    """

    index: int
    shard: str
    version: str
    first_row_group: int
    row_groups: int
    first_row: int
    rows: int | None
    bytes: int
    header_bytes: int = 0
    first_byte: int = 0


@dataclass(eq=False)  # not frozen: Python writes an exception's traceback
class BadRows(Exception):
    """Raised by a stage's pure function: rows that it cannot take, by position in the batch, with the reason of each."""

    reasons: Mapping[int, Exception]


@dataclass(frozen=True)
class RawBatch:
    """Contiguous rows of one unit, projected; rows that failed have left `rows` and stand in `failed`.

    Attributes:
        rows: the columns that model, key and pass-through need.
        row_numbers: int64 (rows,), number of each row in its shard.
        last: whether the unit ends with this batch.
        record: what is kept of a row that fails.
        times: what the rows took so far; every stage that they pass adds to it.
    """

    unit: WorkUnit
    id: BatchId
    rows: pa.RecordBatch
    row_numbers: np.ndarray
    last: bool
    failed: tuple[FailedBatch, ...] = ()
    record: RowRecord = _NO_RECORD
    times: StageTimes = field(default_factory=StageTimes, compare=False, repr=False)

    def __len__(self) -> int:
        return self.rows.num_rows

    @property
    def rows_in(self) -> int:
        """Input rows that this batch accounts for: the good ones and the failed ones."""
        return len(self) + sum(f.rows.num_rows for f in self.failed)

    def reject(self, bad: BadRows, stage: str) -> "RawBatch":
        """The batch without the bad rows, which are recorded under `stage`."""
        positions = np.array(sorted(bad.reasons), dtype=np.int64)
        reasons = [bad.reasons[p] for p in positions.tolist()]
        rows = self.rows.take(pa.array(positions))
        failed = failed_batch(self.id, stage, self.row_numbers[positions], reasons, rows, self.record)
        kept = np.delete(np.arange(len(self)), positions)
        return replace(self, rows=self.rows.take(pa.array(kept)), row_numbers=self.row_numbers[kept], failed=(*self.failed, failed))


@dataclass(frozen=True)
class FeatureBatch:
    """What the model takes: `inputs`, one array (rows, ...) per model input, for the rows of `raw` in their order."""

    raw: RawBatch
    inputs: Arrays

    def __len__(self) -> int:
        return len(self.raw)

    @property
    def nbytes(self) -> int:
        return sum(a.nbytes for a in self.inputs.values())


@dataclass(frozen=True)
class PredictionBatch:
    """What the model gave: `outputs`, one host array (rows, ...) per model output, for the rows of `raw` in their order.

    `placement` says what computed them (device, dtype, threads, versions), for the manifest.
    """

    raw: RawBatch
    outputs: Arrays
    placement: str

    def __len__(self) -> int:
        return len(self.raw)


@dataclass(frozen=True)
class ScoredBatch:
    """Rows as they will be written: key and pass-through columns with their input types, then score columns."""

    unit: WorkUnit
    id: BatchId
    rows: pa.RecordBatch
    rows_in: int
    rows_filtered: int
    failed: tuple[FailedBatch, ...]
    last: bool
    placement: str
    times: StageTimes = field(default_factory=StageTimes, compare=False, repr=False)

    def __post_init__(self) -> None:
        rejected = sum(f.rows.num_rows for f in self.failed)
        if self.rows_in != self.rows.num_rows + self.rows_filtered + rejected:
            raise AssertionError(
                f"{self.id}: {self.rows_in} rows in, but {self.rows.num_rows} + {self.rows_filtered} + {rejected} out"
            )


@dataclass(frozen=True, order=True)
class WrittenFile:
    """One stored file, by its path below the run folder's `_tmp`, with its content's digest."""

    path: str
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class WrittenPart:
    """What one attempt at (a contiguous piece of) a unit left in storage; tiny, the only thing that crosses a shuffle.

    It covers input rows `first_row` to `first_row + rows_in` of the unit; `last` says that the unit ends there. `placement` is what
    computed it, and `worker` the process that wrote it, as `host:process id`.
    `stages` are the seconds of each stage, `began` and `ended` times of the wall clock, and `peak_memory` the worker's, in bytes; a part
    of another run, or of an older version of this program, has none of these.
    """

    unit: int
    attempt: str
    first_row: int
    rows_in: int
    rows_scored: int
    rows_filtered: int
    rows_rejected: int
    last: bool
    scored: tuple[WrittenFile, ...]
    rejected: tuple[WrittenFile, ...]
    placement: str = field(default="", compare=False)
    worker: str = field(default="", compare=False)
    stages: dict[str, float] = field(default_factory=dict, compare=False)
    began: float = field(default=0.0, compare=False)
    ended: float = field(default=0.0, compare=False)
    peak_memory: int = field(default=0, compare=False)


def isolate(rows: int, attempt: Callable[[np.ndarray], Any], give_up_after: int = 8) -> BadRows | None:
    """Find the rows that make `attempt` raise, by halving: None when all rows together pass.

    Args:
        rows: number of rows in the batch.
        attempt: called with row positions (int64); raises when one of them is bad.
        give_up_after: that many single rows failed, no call ever passed, and as many rows from all over the batch fail too: it is
            not the rows, and the last error is raised.
    """
    reasons: dict[int, Exception] = {}
    passed = False
    pending = [np.arange(rows)]
    while pending:
        positions = pending.pop()
        try:
            attempt(positions)
            passed = True
        except Exception as error:
            if len(positions) > 1:
                middle = len(positions) // 2
                pending += [positions[middle:], positions[:middle]]
                continue
            reasons[int(positions[0])] = error
            if not passed and len(reasons) == give_up_after:
                if not _any_passes(np.linspace(0, rows - 1, give_up_after, dtype=np.int64), attempt):
                    raise
                passed = True
    return BadRows(reasons) if reasons else None


def _any_passes(positions: np.ndarray, attempt: Callable[[np.ndarray], Any]) -> bool:
    for position in positions:
        try:
            attempt(np.array([position]))
        except Exception:  # noqa: BLE001, S112 - the question is whether another row does better
            continue
        return True
    return False


class BatchCoder(coders.Coder):
    """Pickle, with every record batch as a compact Arrow IPC message, and a size estimate that encodes nothing."""

    def encode(self, value: Any) -> bytes:
        return pickle.dumps(value, protocol=5)

    def decode(self, encoded: bytes) -> Any:
        return pickle.loads(encoded)  # noqa: S301 - only what `encode` of this pipeline's own workers wrote

    def estimate_size(self, value: Any) -> int:
        raw = getattr(value, "raw", value)
        return int(raw.rows.nbytes) if hasattr(raw, "rows") and isinstance(raw.rows, pa.RecordBatch) else 1_000

    def is_deterministic(self) -> bool:
        return False

    def to_type_hint(self) -> Any:
        return Any


def _ipc_bytes(rows: pa.RecordBatch) -> bytes:
    """A record batch as an IPC stream: only the slice's own rows, unlike pickle, which takes the whole parent."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_batch(rows)
    return sink.getvalue().to_pybytes()


def _from_ipc(data: bytes) -> pa.RecordBatch:
    return next(iter(pa.ipc.open_stream(data)))


def _reduce(batch: Any) -> Any:
    state = {name: getattr(batch, name) for name in batch.__dataclass_fields__ if name != "rows"}
    return _rebuild, (type(batch), _ipc_bytes(batch.rows), state)


def _rebuild(cls: Any, rows: bytes, state: dict[str, Any]) -> Any:
    return cls(rows=_from_ipc(rows), **state)


for _type in (FailedBatch, RawBatch, ScoredBatch):
    _type.__reduce__ = _reduce  # type: ignore[method-assign, assignment]
for _edge in (RawBatch, FeatureBatch, PredictionBatch, ScoredBatch):
    coders.registry.register_coder(_edge, BatchCoder)
