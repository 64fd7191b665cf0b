"""WorkUnit -> RawBatch: the projected columns of one piece of a shard, in order.

A unit that has a done-record is not read again: this is what makes a killed run resume, and a retried bundle cheap.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
import time

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from configs.errors import InputError, RowError
from configs.messages import shown
from storage import files
from storage.layout import RunFolder
from storage.retries import resumed
from transforms.batches import BadRows, RawBatch, WorkUnit
from transforms.plan_file import read_plan
from transforms.read_ahead import read_ahead
from transforms.read_csv import CsvFormat, CsvRows, convert_fields, convert_valid, read_csv_blocks
from transforms.rejected import BatchId, RowRecord, failed_batch
from transforms.timing import StageTimes, Timed

_READ_BYTES = 1 << 20
_FETCH_BYTES = 64 << 20
BOMB_BYTES = 1 << 30
MAX_EXPANSION = 1_000


@dataclass
class ReadShards(beam.PTransform):
    """Read the plan's units and their rows.

    Attributes:
        run: the run, whose plan names the units and whose done-records name those to leave out.
        schema: the columns to read, with their types.
        format: `parquet` or `csv`.
        rows_per_batch: rows of a batch, at most.
        record: what is kept of a row that fails.
        csv: what the text of a CSV file means.
    """

    run: RunFolder
    schema: pa.Schema
    format: str
    rows_per_batch: int
    record: RowRecord
    csv: CsvFormat

    def expand(self, root: beam.pvalue.PBegin) -> beam.PCollection[RawBatch]:
        return (
            root
            | "Plan" >> beam.Create([self.run.plan])
            | "Units" >> beam.FlatMap(units_to_read, self.run.manifest).with_output_types(WorkUnit)
            | "Spread" >> beam.Reshuffle()
            | "Rows" >> beam.ParDo(_ReadUnits(self.run, self.schema, self.format, self.rows_per_batch, self.record, self.csv))
        )


def units_to_read(plan_url: str, manifest_url: str) -> list[WorkUnit]:
    """The units of a stored plan, largest first: a local runner deals them out in turn and never moves one again.

    None when the run is published: a runner may lose a worker after that, and then starts the whole graph again.
    """
    if files.exists(manifest_url):
        return []
    return sorted(read_plan(plan_url).units, key=lambda u: (-u.bytes, u.index))


@dataclass
class _ReadUnits(beam.DoFn):
    run: RunFolder
    schema: pa.Schema
    format: str
    rows_per_batch: int
    record: RowRecord
    csv: CsvFormat

    def setup(self) -> None:
        self._timed = Timed("read")

    def process(self, unit: WorkUnit) -> Iterator[RawBatch]:
        since, started = time.time_ns(), time.perf_counter_ns()
        if files.read(self.run.done_record(unit.index)):
            return
        batches = read_unit(unit, self.schema, self.format, self.rows_per_batch, self.record, self.csv)
        for batch in batches if files.is_local(unit.shard) else read_ahead(batches):
            nanoseconds = time.perf_counter_ns() - started
            self._timed.add(batch.rows_in, nanoseconds)
            yield replace(batch, times=StageTimes(since, {"read": nanoseconds}))
            since, started = time.time_ns(), time.perf_counter_ns()


def read_unit(
    unit: WorkUnit, schema: pa.Schema, format: str, rows_per_batch: int, record: RowRecord, csv: CsvFormat
) -> Iterator[RawBatch]:
    """The rows of one unit, in order; the last batch says so, and an empty unit gives one batch without rows.

    Raises:
        InputError: the shard changed since the plan was made, or cannot be read.
    """
    _check_unchanged(unit)
    if format == "parquet":
        batches = _read_parquet(unit, schema, rows_per_batch, record, csv.max_expansion or MAX_EXPANSION)
    else:
        batches = _read_csv(unit, schema, rows_per_batch, record, csv)
    for batch in batches:
        batch = replace(batch, record=record)
        if batch.last:  # before the writer records the unit as done: a retried bundle would not look again
            _check_unchanged(unit)
        yield batch


def _check_unchanged(unit: WorkUnit) -> None:
    try:
        version = files.version_of(unit.shard)
    except OSError as error:
        raise InputError(f"{unit.shard}: cannot be read: {error.strerror}; start the run again to resume") from error
    if version != unit.version:
        raise InputError(f"{unit.shard}: changed after the run was planned; start the run again to score the new content")


def _read_parquet(
    unit: WorkUnit, schema: pa.Schema, rows_per_batch: int, record: RowRecord, max_expansion: int
) -> Iterator[RawBatch]:
    total = unit.rows or 0
    done = decoded_bytes = 0
    try:
        for rows in resumed(lambda start: _parquet_batches(unit, schema.names, rows_per_batch, start)):
            decoded_bytes += sum((c.indices if pa.types.is_dictionary(c.type) else c).nbytes for c in rows.columns)
            if decoded_bytes > max(BOMB_BYTES, max_expansion * unit.bytes):
                raise expands_too_much(unit.shard, max_expansion)
            done += rows.num_rows
            yield _converted(_raw_batch(unit, rows, done - rows.num_rows, last=done == total), schema, record)
    except (OSError, pa.ArrowException) as error:
        why = "is encrypted" if is_encryption(error) else f"cannot be read from row {unit.first_row + done} on: {shown(error)}"
        raise InputError(f"{unit.shard}: {why}; replace the file") from error
    if done != total:
        raise InputError(
            f"{unit.shard}: its footer promised {total} rows from row {unit.first_row} on, but there are {done}; replace the file"
        )
    if total == 0:
        yield _raw_batch(unit, _empty(schema), 0, last=True)


def expands_too_much(url: str, max_expansion: int) -> InputError:
    """The refusal of a Parquet file that may be a bomb."""
    return InputError(
        f"{url}: its columns come to more than {max_expansion:,} times its size and more than 1 GiB, so it may be a bomb; if it is "
        "not, raise source.max_expansion"
    )


def is_encryption(error: Exception) -> bool:
    """Whether a Parquet file could not be read because it, or a column of it, is encrypted."""
    return "decrypt" in str(error).lower() or "encrypted" in str(error).lower()


def _parquet_batches(unit: WorkUnit, names: list[str], rows_per_batch: int, start: int) -> Iterator[pa.RecordBatch]:
    """The unit's rows from batch `start` on; the batches before it are read again, as they are needed only after a failure."""
    if start:
        _check_unchanged(unit)
    with _open_parquet(unit.shard) as file:
        batches = (
            rows.select(names)
            for groups in _groups_read_together(file.metadata, unit, files.is_local(unit.shard))
            for rows in file.iter_batches(rows_per_batch, row_groups=groups, columns=names, use_threads=False)
        )
        yield from islice(batches, start, None)


def _converted(batch: RawBatch, schema: pa.Schema, record: RowRecord) -> RawBatch:
    """The batch in the schema that the contract states; rows with a number that it cannot hold are rejected."""
    columns, bad = [], dict[int, Exception]()
    for column, field in zip(batch.rows.columns, schema, strict=True):
        columns.append(column if column.type == field.type else column.cast(field.type))
        if column.type != field.type and pa.types.is_floating(field.type):
            overflowed = pc.and_not(pc.is_inf(columns[-1]), pc.is_inf(column))
            reason = RowError(f"column {field.name!r}: a {column.type} that does not fit {field.type}")
            bad.update(dict.fromkeys(pc.indices_nonzero(overflowed).to_pylist(), reason))
            columns[-1] = pc.if_else(overflowed, None, columns[-1])
    rows = pa.RecordBatch.from_arrays(columns, schema=schema)
    batch = replace(batch, rows=rows, record=record)
    return batch.reject(BadRows(bad), "read") if bad else batch


def _open_parquet(url: str) -> pq.ParquetFile:
    """A local file is read in small pieces that stay in the cache; a remote one in few large requests (`pre_buffer`).

    Not memory-mapped: a file that is cut short under a map ends the process with SIGBUS.
    """
    if files.is_local(url):
        return pq.ParquetFile(url, pre_buffer=False, buffer_size=_READ_BYTES, page_checksum_verification=True)
    return pq.ParquetFile(files.open_read(url), pre_buffer=True, page_checksum_verification=True)


def _groups_read_together(metadata: pq.FileMetaData, unit: WorkUnit, local: bool) -> Iterator[list[int]]:
    """All row groups of the unit; in a remote file, by pieces, because `pre_buffer` keeps all that it fetched until the last row."""
    groups = list(range(unit.first_row_group, unit.first_row_group + unit.row_groups))
    if local:
        yield groups
        return
    piece: list[int] = []
    for group in groups:
        if piece and sum(metadata.row_group(g).total_byte_size for g in (*piece, group)) > _FETCH_BYTES:
            yield piece
            piece = []
        piece.append(group)
    if piece:
        yield piece


def _raw_batch(unit: WorkUnit, rows: pa.RecordBatch, offset: int, last: bool) -> RawBatch:
    first = unit.first_row + offset
    numbers = np.arange(first, first + rows.num_rows, dtype=np.int64)
    return RawBatch(unit, BatchId(unit.shard, first), rows, numbers, last)


def _empty(schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array([], type=f.type) for f in schema], schema=schema)


def _read_csv(unit: WorkUnit, schema: pa.Schema, rows_per_batch: int, record: RowRecord, csv: CsvFormat) -> Iterator[RawBatch]:
    """One batch behind the reader, because only the end of the file tells which batch is the last."""
    before: RawBatch | None = None
    try:
        for block in read_csv_blocks(unit.shard, schema.names, csv, unit if unit.header_bytes else None):
            for batch in _csv_batches(unit, block, schema, rows_per_batch, record):
                if before is not None:
                    yield before
                before = batch
    except InputError:
        _check_unchanged(unit)  # a file that was replaced on the way is no better reason than any
        raise
    yield replace(before, last=True) if before is not None else _raw_batch(unit, _empty(schema), 0, last=True)


def _csv_batches(unit: WorkUnit, block: CsvRows, schema: pa.Schema, rows_per_batch: int, record: RowRecord) -> Iterator[RawBatch]:
    """A block in pieces of at most `rows_per_batch` rows; rows of the wrong width go with the piece that they precede."""
    broken = dict(block.broken)
    for start in range(0, max(1, block.fields.num_rows), rows_per_batch):
        fields = block.fields.slice(start, rows_per_batch)
        numbers = block.row_numbers[start : start + rows_per_batch]
        final = start + rows_per_batch >= block.fields.num_rows
        here = {n: broken.pop(n) for n in sorted(broken) if final or n < numbers[-1]}
        yield _typed_batch(unit, fields, numbers, here, schema, record)


def _typed_batch(
    unit: WorkUnit, fields: pa.RecordBatch, numbers: np.ndarray, broken: dict[int, Exception], schema: pa.Schema, record: RowRecord
) -> RawBatch:
    """Fields as bytes to a typed batch; rows of the wrong width, and rows with a malformed value, are rejected."""
    batch_id = BatchId(unit.shard, min([*numbers[:1].tolist(), *broken], default=unit.first_row))
    failed = []
    if broken:
        unread = pa.RecordBatch.from_arrays([pa.nulls(len(broken), type=f.type) for f in schema], schema=schema)
        failed.append(failed_batch(batch_id, "read", np.array(sorted(broken)), [broken[n] for n in sorted(broken)], unread, record))
    try:
        rows, kept = convert_fields(fields, schema), numbers
    except BadRows as bad:
        at = np.array(sorted(bad.reasons))
        readable = convert_valid(fields.take(pa.array(at)), schema)
        failed.append(failed_batch(batch_id, "read", numbers[at], [bad.reasons[p] for p in at.tolist()], readable, record))
        good = np.delete(np.arange(len(numbers)), at)
        rows, kept = convert_fields(fields.take(pa.array(good)), schema), numbers[good]
    except InputError as error:
        raise InputError(f"{unit.shard}: {error}") from error
    return RawBatch(unit, batch_id, rows, kept, last=False, failed=tuple(failed))
