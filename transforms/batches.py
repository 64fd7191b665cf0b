"""The types on the edges of the graph: what one transform hands to the next.

    WorkUnit -> RawBatch -> FeatureBatch -> PredictionBatch -> ScoredBatch -> WrittenPart

Every batch knows the unit and the row it starts at, and carries the rows that were rejected on the
way, so that the books of a unit can be balanced where it is written. Rejected rows ride inside their
batch and not on a tagged output, because joining two outputs again needs a Flatten, and the local
runner materialises every row that passes one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from pyarrow import RecordBatch

from transforms.broken_shard import BrokenShard
from transforms.row_bytes import dump_rows, load_rows
from transforms.summaries.chosen_rows import RowPlaces
from transforms.timing import StageTimes

Arrays = dict[str, np.ndarray]
# What becomes of rows, as the books name it; a written part counts each as `rows_...`.
ROW_COUNTS = ("in", "scored", "filtered", "rejected")
# And of a job that reads a part of its rows alone.
LEFT_OUT = "left_out"


# Of one shard of a unit: its number there, the counts of `ROW_COUNTS`, and that of `LEFT_OUT`.
ShardCounts = tuple[int, int, int, int, int, int]


# Slots, because a plan of a hundred thousand shards holds as many of them.
@dataclass(frozen=True, order=True, slots=True)
class WorkUnit:
    """Contiguous rows of one input shard, or several small shards: the unit of work, retry, resume.

    Of small shards that are put together, `shard` is the first one, and rows count from 0 through all
    of them; where each is, and what it was, its member says.

    Attributes:
        index: number of the unit in the plan.
        shard: path or URL of the input file.
        version: what the file looked like when the plan was made (size, time, entity tag); it must
            not have changed since.
        span: where the rows are in the file; only the format of the input understands it.
        first_row: number of the unit's first row in the shard.
        rows: how many rows, or None when only reading tells (a whole CSV file).
        bytes: their size as it is stored, for ordering large units first.
        files: digest of the files that its rows name; nothing where they name none.
        members: what small shards are put together, in order, `Packed` where they are many; nothing
            of rows of one shard.
    """

    index: int
    shard: str
    version: str
    span: tuple[int, ...]
    first_row: int
    rows: int | None
    bytes: int
    files: str = ""
    members: "Sequence[WorkUnit]" = ()

    # Many are packed, for which the way of dataclasses takes three times as long.
    def __reduce__(self) -> Any:
        place = (self.index, self.shard, self.version, self.span, self.first_row)
        size = (self.rows, self.bytes, self.files, self.members)
        return WorkUnit, (*place, *size)


@dataclass(frozen=True, order=True)
class BatchId:
    """Where a batch comes from: the input shard, and the number of its first row there (from 0).

    Attributes:
        last_shard: of rows of several shards that are put together, the last one; rows are then
            counted through all shards of their unit.
    """

    shard: str
    first_row: int
    last_shard: str = ""

    def __str__(self) -> str:
        if self.last_shard not in ("", self.shard):
            return f"{self.shard} to {self.last_shard}"
        # Where it begins in the shard is not known of what is put together.
        if self.last_shard:
            return self.shard
        return f"{self.shard} from row {self.first_row}"


@dataclass(frozen=True)
class RowRecord:
    """What the record of a rejected row holds, beside where the row stood and why it was rejected.

    Attributes:
        key: the column whose value names it.
        values: whether all that was read of it is kept.
    """

    key: str | None = None
    values: bool = False


_NO_RECORD = RowRecord()


@dataclass(frozen=True)
class RejectedBatch:
    """Rows of one batch that one stage could not take, one record per row.

    Columns: source, row (number in the shard), key (if the job names one), stage, error (class),
    message, values (if the job asks for them: a struct of the columns that were read; null where the
    row could not be read).
    """

    id: BatchId
    stage: str
    rows: RecordBatch

    # Pickle would take the whole batch that the rows are a slice of.
    def __reduce__(self) -> Any:
        own_rows = dump_rows(self.rows)
        return _unpickle_rejected, (self.id, self.stage, own_rows)


@dataclass(frozen=True)
class RawBatch:
    """Contiguous rows of one unit; rejected ones have left `rows` and stand in `rejected`.

    Attributes:
        rows: the columns that model, key and pass-through need.
        row_numbers: int64 (rows,), number of each row in its shard.
        last: whether the unit ends with this batch.
        record: what is kept of a rejected row.
        times: what the rows took so far; every stage that they pass adds to it.
        rows_left_out: rows of the unit here that `source.where` has left out.
        members: int32 (rows,), the number of each row's shard among the unit's members; None where
            all are of the unit's own shard.
        rows_in_of: by number of the member, how many rows the batch accounts for.
        left_out_of: the same, of rows that `source.where` has left out.
        summaries: what is known of the rows that were read, as `transforms/summaries` has it.
        broken: shards that broke behind the rows here, in a run that goes on without them.
    """

    unit: WorkUnit
    id: BatchId
    rows: RecordBatch
    row_numbers: np.ndarray
    last: bool
    rejected: tuple[RejectedBatch, ...] = ()
    record: RowRecord = _NO_RECORD
    times: StageTimes = field(default_factory=StageTimes, compare=False, repr=False)
    rows_left_out: int = 0
    members: np.ndarray | None = None
    rows_in_of: dict[int, int] = field(default_factory=dict)
    left_out_of: dict[int, int] = field(default_factory=dict)
    summaries: tuple[Any, ...] = ()
    broken: tuple[BrokenShard, ...] = ()

    def __len__(self) -> int:
        return self.rows.num_rows

    def __reduce__(self) -> Any:
        return _pickle_compactly(self)

    @property
    def places(self) -> RowPlaces:
        """Return where the rows come from."""
        unit_rows = None if self.unit.members else self.unit.rows
        return RowPlaces(self.row_numbers, unit_rows)

    @property
    def rows_in(self) -> int:
        """Return how many input rows this batch accounts for: those that go on, and all others."""
        return len(self) + count_rejected(self.rejected) + self.rows_left_out


@dataclass(frozen=True)
class FeatureBatch:
    """What the model takes, for the rows of `raw` in their order.

    Attributes:
        inputs: one array (rows, ...) per model input, in its dtype.
    """

    raw: RawBatch
    inputs: Arrays

    def __len__(self) -> int:
        return len(self.raw)

    @property
    def nbytes(self) -> int:
        """Return the size of the arrays."""
        arrays = self.inputs.values()
        return sum(array.nbytes for array in arrays)


@dataclass(frozen=True)
class PredictionBatch:
    """What the model gave, for the rows of `raw` in their order.

    Attributes:
        outputs: one array (rows, ...) per model output, in the host's memory.
        computed_by: device, dtype, threads and versions, for the manifest.
        lengths: int64 (rows,), tokens of each row; None where the model takes none.
    """

    raw: RawBatch
    outputs: Arrays
    computed_by: str
    lengths: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.raw)

    @property
    def times(self) -> StageTimes:
        """Return what the rows took so far."""
        return self.raw.times


@dataclass(frozen=True)
class ScoredBatch:
    """Rows as they will be written.

    Attributes:
        rows: key and pass-through columns with their input types, then scores.
        rows_in: input rows that the batch accounts for.
        rows_filtered: those of them that the job's filter left out.
        rejected: those of them that a stage could not take.
        last: whether the unit ends with this batch.
        computed_by: device, dtype, threads and versions, for the manifest.
        times: what the rows took so far.
        rows_left_out: those of the input rows that `source.where` has left out.
        shards: what became of the rows of each shard, where several are put together.
        summaries: what is known of the rows that were read, and of all scores.
        broken: shards that broke behind the rows here.
    """

    unit: WorkUnit
    id: BatchId
    rows: RecordBatch
    rows_in: int
    rows_filtered: int
    rejected: tuple[RejectedBatch, ...]
    last: bool
    computed_by: str
    times: StageTimes = field(default_factory=StageTimes, compare=False, repr=False)
    rows_left_out: int = 0
    shards: tuple[ShardCounts, ...] = ()
    summaries: tuple[Any, ...] = ()
    broken: tuple[BrokenShard, ...] = ()

    def __post_init__(self) -> None:
        scored = self.rows.num_rows
        rejected = count_rejected(self.rejected)
        # Also here, and not only when a run is published, so that the message names the batch.
        accounted = scored + self.rows_filtered + rejected + self.rows_left_out
        if self.rows_in != accounted:
            left_out = ""
            if self.rows_left_out:
                left_out = f" + {self.rows_left_out}"
            raise AssertionError(
                f"{self.id}: {self.rows_in} rows in, "
                f"but {scored} + {self.rows_filtered} + {rejected}{left_out} out"
            )

    def __reduce__(self) -> Any:
        return _pickle_compactly(self)


@dataclass(frozen=True, order=True)
class WrittenFile:
    """One stored file.

    Attributes:
        path: below the folder of attempts.
        sha256: digest of its content.
        partition: the folders called `column=value` that it is published in; nothing of most jobs.
    """

    path: str
    rows: int
    bytes: int
    sha256: str
    partition: str = ""


@dataclass(frozen=True)
class WrittenPart:
    """What one attempt at a unit, or at contiguous rows of one, left in storage.

    It is tiny, and the only thing that crosses a shuffle, apart from work units.

    Attributes:
        unit: index of the unit.
        attempt: name of the attempt.
        first_row: number of the first input row; the part covers `rows_in` rows from there on.
        last: whether the unit ends with it.
        shards: what became of the rows of each shard, where several are put together; `Packed` in a
            part that a record told, as publishing holds those of all units.
        placement: device, dtype, threads and versions that computed it.
        worker: the process that wrote it, as `host:process id`.
        stages: seconds of each stage; none in a part of another run, or of an older version.
        began, ended: seconds of the wall clock.
        peak_memory: of the worker, in bytes.
        summaries: a file of each summary that the job asks for, in their order.
        broken: shards of the unit that could not be read to their ends.
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
    shards: Sequence[ShardCounts] = ()
    # The names below are those of done-records on disks, which a later version must be able to
    # read. They are of an attempt's circumstances, so equal parts may differ in them.
    placement: str = field(default="", compare=False)
    worker: str = field(default="", compare=False)
    stages: dict[str, float] = field(default_factory=dict, compare=False)
    began: float = field(default=0.0, compare=False)
    ended: float = field(default=0.0, compare=False)
    peak_memory: int = field(default=0, compare=False)
    # None in records of older versions, whose jobs read all rows.
    rows_left_out: int = 0
    # None in most records, whose jobs ask for none.
    summaries: tuple[WrittenFile, ...] = ()
    # The same: most jobs allow none.
    broken: tuple[BrokenShard, ...] = ()


def take_from_arrays(arrays: Arrays, positions: np.ndarray) -> Arrays:
    """Return some rows of every array.

    Args:
        arrays: (rows, ...), by name.
        positions: int64 (taken rows,), in the order of the result.
    """
    return {name: array[positions] for name, array in arrays.items()}


def count_rejected(batches: tuple[RejectedBatch, ...]) -> int:
    """Return how many rows were rejected."""
    return sum(batch.rows.num_rows for batch in batches)


def _unpickle_rejected(id: BatchId, stage: str, rows: bytes) -> RejectedBatch:
    records = load_rows(rows)
    return RejectedBatch(id, stage, records)


def _pickle_compactly(batch: Any) -> Any:
    """Pickle a slice's own rows only: pickle would take the whole batch that it was cut from."""
    names = [field.name for field in fields(batch)]
    names.remove("rows")
    state = {name: getattr(batch, name) for name in names}
    own_rows = dump_rows(batch.rows)
    arguments = (type(batch), own_rows, state)
    return _unpickle, arguments


def _unpickle(cls: Any, rows: bytes, state: dict[str, Any]) -> Any:
    return cls(rows=load_rows(rows), **state)
