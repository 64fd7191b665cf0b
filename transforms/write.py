"""ScoredBatch -> WrittenPart: one attempt at a unit, stored under a name of its own.

Files are written, synced, opened again to count their rows, and only then does the unit's done-record name them. It is created if
absent: of two attempts at one unit the first stands and the other is removed. A unit's batches are expected in order from one bundle;
where a runner breaks that, every contiguous piece becomes a part of its own, and publishing puts them together.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
import json
import os
import socket
import threading
import time
from typing import Any
import uuid

import apache_beam as beam
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.windowed_value import WindowedValue
import pyarrow as pa

from configs.errors import PublishError
from storage import files
from storage.layout import RunFolder, is_plain, refuse_links
from transforms.batches import ScoredBatch, WorkUnit, WrittenFile, WrittenPart
from transforms.part_file import FileFormat, PartFile
from transforms.timing import StageTimes, Timed, peak_memory

_ROW_GROUP_ROWS = 1 << 17
_PROGRESS_SECONDS = 1.0
_MEND = "make room or mend the folder, and run again to resume"


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
        self._recording = 0
        self._lock = threading.RLock()  # of a run that failed elsewhere, Beam tears down in another thread what still works

    def start_bundle(self) -> None:
        self._abandon()

    def process(self, batch: ScoredBatch) -> Iterator[WrittenPart]:
        with self._lock, self._storing(batch.unit), self._timed(batch.rows_in):
            parts = list(self._write(batch))
        yield from parts

    def finish_bundle(self) -> Iterator[WindowedValue]:
        window = GlobalWindow()
        for unit, writer in list(self._open.items()):
            with self._lock, self._storing(writer.unit):
                part = writer.close(last=False)
                del self._open[unit]
            yield WindowedValue(part, window.max_timestamp(), [window])

    def teardown(self) -> None:
        self._abandon()

    @contextmanager
    def _storing(self, unit: WorkUnit) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self._abandon()
            raise PublishError(f"{self.run.output}: {unit.shard} cannot be stored there: {error}; {_MEND}") from error

    def _abandon(self) -> None:
        """Let go of unfinished files, of this bundle or of one that failed; nobody will name them."""
        with self._lock:
            for writer in self._open.values():
                writer.abandon()
            self._open = {}

    def _write(self, batch: ScoredBatch) -> Iterator[WrittenPart]:
        writer = self._open.get(batch.unit.index)
        if writer is not None and writer.next_row != batch.id.first_row:
            yield writer.close(last=False)
            del self._open[batch.unit.index]
            writer = None
        if writer is None:
            writer = self._open[batch.unit.index] = PartWriter(self.run, batch.unit, batch.id.first_row, self.file_format)
            batch.times.add_before("write", self._recording)
            self._recording = 0
        writer.write(batch)
        if batch.last:
            part = writer.close(last=True)
            del self._open[batch.unit.index]
            started = time.perf_counter_ns()
            parts = finish_unit(self.run, batch.unit, part)
            self._recording = time.perf_counter_ns() - started  # no record can tell its own time, so the next one does
            yield from parts


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
        self.unit = unit
        self._run, self._first_row, self._format = run, first_row, file_format
        self._attempt = uuid.uuid4().hex[:12]
        self._name = f"{unit.index:07d}-{self._attempt}"
        self._scored: list[WrittenFile] = []
        self._pending: list[pa.RecordBatch] = []
        self._pending_rows = self._scored_rows = self._filtered = 0
        self._failed: list[pa.RecordBatch] = []
        self._placement = ""
        self._file: PartFile | None = None
        self._noted = time.monotonic()
        self._times = StageTimes()
        with self._times.clocked("write"):
            refuse_links(run, PublishError)
            files.make_folder(
                run.attempts, above=False
            )  # else an attempt that wakes up after publishing would leave files for ever

    def write(self, batch: ScoredBatch) -> None:
        """Take the next batch of the unit."""
        self._times.join(batch.times)
        with self._times.clocked("write"):
            self._write(batch)

    def _write(self, batch: ScoredBatch) -> None:
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
        """Let go of what was written, without a word about errors: nobody is going to name it, and a full disk needs the room."""
        if self._file is not None:
            self._file.abandon()
        for file in self._scored:
            with suppress(OSError):
                files.remove(files.join(self._run.attempts, file.path))

    def close(self, last: bool) -> WrittenPart:
        """Finish the files; `last` says that the unit ends here."""
        with self._times.clocked("write"):
            if self._rows_in_file or not self._scored:
                self._close_file()
            rejected = self._write_rejected()
        ended = time.time_ns()
        return WrittenPart(
            unit=self.unit.index,
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
            stages=self._times.seconds(until=ended),
            began=self._times.since / 1e9,
            ended=ended / 1e9,
            peak_memory=peak_memory(),
        )

    @property
    def _rows_in_file(self) -> int:
        return self._pending_rows + (self._file.rows if self._file else 0)

    def _flush(self) -> None:
        table = pa.Table.from_batches(self._pending, schema=self._format.schema.remove_metadata())
        if self._format.sort_by:
            table = table.sort_by(list(self._format.sort_by))
        if self._file is None:
            self._file = PartFile(self._run, f"{self._name}-{len(self._scored):03d}.{self._format.format}", self._format)
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
        self._file = PartFile(self._run, f"{self._name}-rejected.parquet", FileFormat("parquet", table.schema, (), (), 0))
        self._file.write(table)
        rejected, self._file = self._file.close(), None
        return (rejected,)

    def _note_progress(self) -> None:
        """Now and then, leave the number of rows done where the launcher's progress bar looks."""
        if time.monotonic() - self._noted >= _PROGRESS_SECONDS:
            self._noted = time.monotonic()
            rows = self.next_row - self._first_row
            files.make_folder(self._run.progress, above=False)
            files.put(files.join(self._run.progress, self._name), str(rows).encode(), above=False)
