"""ScoredBatch -> WrittenPart: one attempt at a unit, stored under a name of its own.

Files are written, synced, opened again to count their rows, and only then does the unit's done-record name them. It is created if
absent: of two attempts at one unit the first stands and the other is removed. A unit's batches are expected in order from one bundle;
where a runner breaks that, every contiguous piece becomes a part of its own, and publishing puts them together.
"""

from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
import json
import os
import socket
import time
from typing import Any, Protocol
import uuid

import apache_beam as beam
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.windowed_value import WindowedValue
import pyarrow as pa
import pyarrow.parquet as pq

from configs.errors import PublishError
from storage import files
from storage.layout import RunFolder, is_plain, refuse_links
from transforms.batches import ScoredBatch, WorkUnit, WrittenFile, WrittenPart
from transforms.timing import Timed
from transforms.write_csv import CsvWriter, count_csv_rows

_ROW_GROUP_ROWS = 1 << 17
_PROGRESS_SECONDS = 1.0
_MEND = "make room or mend the folder, and run again to resume"


@dataclass(frozen=True)
class FileFormat:
    """How scored files look.

    Attributes:
        format: `parquet` or `csv`.
        schema: all columns, with the model's name, version and digest as metadata.
        repeating: columns of Parquet files to dictionary-encode; for numbers that hardly repeat it costs twice the time and space.
        sort_by: (column, `ascending` or `descending`), the order of rows inside a file.
        rows_per_file: rows of a file, at most.
        escape_formulas: CSV: texts that a spreadsheet would take for formulas get an apostrophe.
    """

    format: str
    schema: pa.Schema
    repeating: tuple[str, ...]
    sort_by: tuple[tuple[str, str], ...]
    rows_per_file: int
    escape_formulas: bool = False


@dataclass
class WriteShards(beam.PTransform):
    """Store every unit's scored and rejected rows below the run's temporary folder."""

    run: RunFolder
    file_format: FileFormat

    def expand(self, batches: beam.PCollection[ScoredBatch]) -> beam.PCollection[WrittenPart]:
        return batches | beam.ParDo(_WriteUnits(self.run, self.file_format)).with_output_types(WrittenPart)


@dataclass
class _WriteUnits(beam.DoFn):
    run: RunFolder
    file_format: FileFormat

    def setup(self) -> None:
        self._timed = Timed("write")
        self._open: dict[int, PartWriter] = {}

    def start_bundle(self) -> None:
        self._abandon()

    def process(self, batch: ScoredBatch) -> Iterator[WrittenPart]:
        try:
            with self._timed(batch.rows_in):
                parts = list(self._write(batch))
        except OSError as error:
            self._abandon()
            raise PublishError(f"{self.run.output}: {batch.unit.shard} cannot be stored there: {error}; {_MEND}") from error
        yield from parts

    def finish_bundle(self) -> Iterator[WindowedValue]:
        window = GlobalWindow()
        for writer in self._open.values():
            yield WindowedValue(writer.close(last=False), window.max_timestamp(), [window])

    def teardown(self) -> None:
        self._abandon()

    def _abandon(self) -> None:
        """Let go of unfinished files, of this bundle or of one that failed; nobody will name them."""
        for writer in self._open.values():
            writer.abandon()
        self._open = {}

    def _write(self, batch: ScoredBatch) -> Iterator[WrittenPart]:
        writer = self._open.get(batch.unit.index)
        if writer is not None and writer.next_row != batch.id.first_row:
            yield writer.close(last=False)
            writer = None
        if writer is None:
            writer = self._open[batch.unit.index] = PartWriter(self.run, batch.unit, batch.id.first_row, self.file_format)
        writer.write(batch)
        if batch.last:
            del self._open[batch.unit.index]
            yield from finish_unit(self.run, batch.unit, writer.close(last=True))


def finish_unit(run: RunFolder, unit: WorkUnit, part: WrittenPart) -> tuple[WrittenPart, ...]:
    """Record a whole unit as done, and return what the record says: another attempt's part if that was recorded before."""
    if part.first_row != unit.first_row:
        return (part,)
    files.sync_folder(run.attempts)  # the record may name the files only once their names are durable
    files.make_folder(run.done, above=False)
    if files.create(run.done_record(unit.index), json.dumps(asdict(part)).encode(), synced=False, scratch=run.temporary):
        return (part,)
    recorded = read_done_record(run, unit.index)
    if recorded is None or recorded.attempt == part.attempt:  # ours: a store's answer was lost, and asked for again
        return (part,)
    for file in (*part.scored, *part.rejected):
        files.remove(files.join(run.attempts, file.path))
    return (recorded,)


def read_done_record(run: RunFolder, unit: int) -> WrittenPart | None:
    """The part that the unit's done-record names, or None when there is none; its files are where attempts are."""
    content = files.read(run.done_record(unit))
    if not content:
        return None
    try:
        fields = json.loads(content)
        stored: dict[str, Any] = {name: tuple(WrittenFile(**f) for f in fields.pop(name)) for name in ("scored", "rejected")}
        part = WrittenPart(**fields, **stored)
        if part.unit != unit or not all(is_plain(f.path) and is_plain(f.sha256) for f in (*part.scored, *part.rejected)):
            raise ValueError
    except (AttributeError, ValueError, TypeError, KeyError) as error:
        raise PublishError(f"{run.done_record(unit)}: is not a done-record; remove {run.temporary} and run again") from error
    return part


class PartWriter:
    """Writes one attempt at consecutive rows of a unit, as one or more scored files and at most one of rejected rows."""

    def __init__(self, run: RunFolder, unit: WorkUnit, first_row: int, file_format: FileFormat) -> None:
        self.next_row = first_row
        self._run, self._unit, self._first_row, self._format = run, unit, first_row, file_format
        self._attempt = uuid.uuid4().hex[:12]
        self._name = f"{unit.index:07d}-{self._attempt}"
        self._scored: list[WrittenFile] = []
        self._pending: list[pa.RecordBatch] = []
        self._pending_rows = self._scored_rows = self._filtered = 0
        self._failed: list[pa.RecordBatch] = []
        self._placement = ""
        self._file: _OpenFile | None = None
        self._noted = time.monotonic()
        refuse_links(run, PublishError)
        files.make_folder(run.attempts, above=False)  # else an attempt that wakes up after publishing would leave files for ever

    def write(self, batch: ScoredBatch) -> None:
        """Take the next batch of the unit."""
        self.next_row += batch.rows_in
        self._filtered += batch.rows_filtered
        self._placement = batch.placement
        self._failed += [f.rows for f in batch.failed]
        rows = batch.rows
        while rows.num_rows:
            here = rows.slice(0, self._format.rows_per_file - self._rows_in_file)
            self._pending.append(here)
            self._pending_rows += here.num_rows
            rows = rows.slice(here.num_rows)
            if self._rows_in_file == self._format.rows_per_file:
                self._close_file()
        if self._pending_rows >= _ROW_GROUP_ROWS and not self._format.sort_by:
            self._flush()
        self._note_progress()

    def abandon(self) -> None:
        """Close what is open, without a word about errors: the file is not going to be used."""
        if self._file is not None:
            self._file.abandon()

    def close(self, last: bool) -> WrittenPart:
        """Finish the files; `last` says that the unit ends here."""
        if self._rows_in_file or not self._scored:
            self._close_file()
        rejected = self._write_rejected()
        return WrittenPart(
            unit=self._unit.index,
            attempt=self._attempt,
            first_row=self._first_row,
            rows_in=self.next_row - self._first_row,
            rows_scored=sum(f.rows for f in self._scored),
            rows_filtered=self._filtered,
            rows_rejected=sum(f.rows for f in rejected),
            last=last,
            scored=tuple(self._scored),
            rejected=rejected,
            placement=self._placement,
            worker=f"{socket.gethostname()}:{os.getpid()}",
        )

    @property
    def _rows_in_file(self) -> int:
        return self._pending_rows + (self._file.rows if self._file else 0)

    def _flush(self) -> None:
        table = pa.Table.from_batches(self._pending, schema=self._format.schema.remove_metadata())
        if self._format.sort_by:
            table = table.sort_by(list(self._format.sort_by))
        if self._file is None:
            self._file = _OpenFile(self._run, f"{self._name}-{len(self._scored):03d}.{self._format.format}", self._format)
        self._file.write(table)
        self._pending, self._pending_rows = [], 0

    def _close_file(self) -> None:
        if self._pending_rows or self._file is None:  # else it would end with an empty row group
            self._flush()
        if self._file is not None:
            self._scored.append(self._file.close())
            self._file = None

    def _write_rejected(self) -> tuple[WrittenFile, ...]:
        if not self._failed:
            return ()
        table = pa.Table.from_batches(self._failed).sort_by("row")
        file = _OpenFile(self._run, f"{self._name}-rejected.parquet", FileFormat("parquet", table.schema, (), (), 0))
        file.write(table)
        return (file.close(),)

    def _note_progress(self) -> None:
        """Now and then, leave the number of rows done where the launcher's progress bar looks."""
        if time.monotonic() - self._noted >= _PROGRESS_SECONDS:
            self._noted = time.monotonic()
            rows = self.next_row - self._first_row
            files.make_folder(self._run.progress, above=False)
            files.put(files.join(self._run.progress, self._name), str(rows).encode(), above=False)


class _TableWriter(Protocol):
    def write_table(self, table: pa.Table) -> None: ...

    def close(self) -> None: ...


class _Abandoned(Exception):
    """Ends the writing of a file that nobody will name, so that a store does not keep it."""


class _OpenFile:
    """A Parquet or CSV file on its way; `close` syncs it and opens it again to count its rows."""

    def __init__(self, run: RunFolder, name: str, file_format: FileFormat) -> None:
        self.rows = 0
        self._url, self._name = files.join(run.attempts, name), name
        self._format = file_format.format
        self._stack = ExitStack()
        self._sink = self._stack.enter_context(files.open_synced(self._url))
        self._writer = self._table_writer(file_format)

    def write(self, table: pa.Table) -> None:
        self._writer.write_table(table)
        self.rows += table.num_rows

    def abandon(self) -> None:
        with suppress(OSError, _Abandoned), self._stack:
            raise _Abandoned

    def close(self) -> WrittenFile:
        self._writer.close()
        self._stack.close()
        stored = count_rows(self._url, self._format)
        if stored != self.rows:
            raise PublishError(
                f"{self._url}: {self.rows} rows were written, but {stored} are in the file; check the disk, run again"
            )
        return WrittenFile(self._name, self.rows, self._sink.bytes, self._sink.sha256)

    def _table_writer(self, file_format: FileFormat) -> _TableWriter:
        sink: Any = pa.PythonFile(self._sink, mode="w")
        if file_format.format == "csv":
            return CsvWriter(sink, file_format.schema, file_format.escape_formulas)
        return pq.ParquetWriter(
            sink,
            file_format.schema,
            compression="zstd",
            compression_level=1,
            use_dictionary=list(file_format.repeating),
            write_page_checksum=True,
        )


def describe_schema(schema: pa.Schema) -> list[dict[str, str]]:
    """Names and types of columns as a manifest holds them.

    Parquet forgets what the items of a list were called, so lists are told by the type of their items.
    """
    return [{"name": field.name, "type": _type_text(field.type)} for field in schema]


def _type_text(dtype: pa.DataType) -> str:
    if pa.types.is_fixed_size_list(dtype):
        return f"fixed_size_list<{_type_text(dtype.value_type)}>[{dtype.list_size}]"
    if pa.types.is_list(dtype) or pa.types.is_large_list(dtype):
        return f"{'large_' if pa.types.is_large_list(dtype) else ''}list<{_type_text(dtype.value_type)}>"
    return str(dtype)


def count_rows(url: str, format: str) -> int:
    """Rows of a stored file, read from the file itself."""
    with files.open_read(url) as file:
        if format == "parquet":
            return int(pq.ParquetFile(file).metadata.num_rows)
        return count_csv_rows(url, file)
