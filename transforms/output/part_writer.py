"""One attempt at consecutive rows of a unit: scored files, and at most one of rejected rows."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
import os
import socket
import time
import uuid

import pyarrow as pa
from pyarrow import RecordBatch, Schema, Table

from configs.errors import PublishError
from storage import files
from storage.layout import refuse_links
from storage.run_folder import RunFolder
from transforms.batches import (
    ScoredBatch,
    ShardCounts,
    WorkUnit,
    WrittenFile,
    WrittenPart,
)
from transforms.broken_shard import BrokenShard
from transforms.formats.output import FileFormat, plain_parquet
from transforms.output.part_file import PartFile
from transforms.output.partitioned_rows import divide
from transforms.output.progress_note import ProgressNote
from transforms.output.row_groups import cut_into_row_groups
from transforms.output.sorted_rows import SortedRows
from transforms.row_sizes import count_decoded_bytes
from transforms.shard_counts import add_counts
from transforms.summaries.summary import (
    NamedTable,
    States,
    Summaries,
    merge_states,
    write_states,
)
from transforms.timing import StageTimes, peak_memory

# Rows that are collected before they are written as one row group.
_ROW_GROUP_ROWS = 1 << 17
# Or their bytes: of rows of less than 1 kB the number comes first.
_ROW_GROUP_BYTES = 128 << 20
# 48 bits: two attempts at one unit will not get the same by chance.
_ATTEMPT_DIGITS = 12


class PartWriter:
    """Writes one attempt, under a name of its own, and says what it left.

    Attributes:
        unit: the unit that the rows are of.
        next_row: number of the row that must come next.
    """

    def __init__(
        self,
        run: RunFolder,
        unit: WorkUnit,
        first_row: int,
        file_format: FileFormat,
        summaries: Summaries = (),
    ) -> None:
        self.next_row = first_row
        self.unit = unit
        self._run = run
        self._first_row = first_row
        self._format = file_format
        # Of the files, which lack the columns that are folders.
        self._look = file_format.without_partitions()
        self._folder = ""
        # A name of its own, so that two attempts at a unit never write to one file.
        self._attempt = uuid.uuid4().hex[:_ATTEMPT_DIGITS]
        self._name = f"{unit.index:07d}-{self._attempt}"
        self._scored: list[WrittenFile] = []
        self._pending: list[RecordBatch] = []
        self._pending_rows = 0
        self._pending_bytes = 0
        self._filtered = 0
        self._left_out = 0
        self._shards: tuple[ShardCounts, ...] = ()
        by_folder = [(name, "ascending") for name in file_format.partition_by]
        # Rows that are sorted inside a file wait until all of them are there; in folders those of all.
        self._waiting = SortedRows([*by_folder, *file_format.sort_by])
        # Stages reject in turn, so the rows of a batch do not come in their order.
        # A unit may have several shards: they come in the order of their names.
        self._rejected = SortedRows([("source", "ascending"), ("row", "ascending")])
        self._rejected_schema: Schema | None = None
        self._summaries = summaries
        self._states: States = ()
        self._broken: tuple[BrokenShard, ...] = ()
        # As they are written, so that `abandon` finds them.
        self._summarised: list[WrittenFile] = []
        self._placement = ""
        self._file: PartFile | None = None
        self._progress = ProgressNote(run, unit.index, self._attempt)
        self._times = StageTimes()
        with self._times.clocked("write"):
            refuse_links(run, PublishError)
            # Not the folders above: an attempt that wakes up after publishing would leave files for
            # ever.
            files.make_folder(run.attempts, above=False)

    def write(self, batch: ScoredBatch) -> None:
        """Take the next batch of the unit."""
        self._times.join(batch.times)
        with self._times.clocked("write"):
            self.next_row += batch.rows_in
            self._filtered += batch.rows_filtered
            self._left_out += batch.rows_left_out
            self._placement = batch.computed_by
            self._shards = add_counts([self._shards, batch.shards])
            for rejected in batch.rejected:
                self._rejected_schema = rejected.rows.schema
                self._rejected.add(rejected.rows)
            self._states = merge_states(self._summaries, self._states, batch.summaries)
            self._broken += batch.broken
            self._append(batch.rows)
            self._progress.add(batch.rows_in)

    def add_recording(self, nanoseconds: int) -> None:
        """Count the time that it took to record the unit before this one.

        No record can tell its own.
        """
        self._times.add_before("write", nanoseconds)

    def abandon(self) -> None:
        """Let go of what was written, without a word about errors.

        Nobody is going to name it, and a full disk needs the room.
        """
        self._waiting.close()
        self._rejected.close()
        if self._file is not None:
            self._file.abandon()
        for file in (*self._scored, *self._summarised):
            url = files.join(self._run.attempts, file.path)
            with suppress(OSError):
                files.remove(url)

    def close(self, last: bool) -> WrittenPart:
        """Finish the files.

        Args:
            last: whether the unit ends here.

        Raises:
            OSError: they cannot be stored.
            PublishError: a stored file does not hold the rows that were written.
        """
        with self._times.clocked("write"):
            if self._format.partition_by:
                self._write_folders()
            # A unit without scored rows gets one file, too: with the schema. In folders it gets none, as
            # nothing of it is in any, and readers refuse files beside folders.
            needs_file = not self._scored and not self._format.partition_by
            if self._rows_in_file or needs_file:
                self._close_file()
            rejected = self._write_rejected()
            for named in write_states(self._summaries, self._states):
                self._write_summary(named)
        ended = time.time_ns()
        process = f"{socket.gethostname()}:{os.getpid()}"
        return WrittenPart(
            unit=self.unit.index,
            attempt=self._attempt,
            first_row=self._first_row,
            rows_in=self.next_row - self._first_row,
            rows_scored=sum(file.rows for file in self._scored),
            rows_filtered=self._filtered,
            rows_rejected=sum(file.rows for file in rejected),
            last=last,
            scored=tuple(self._scored),
            rejected=rejected,
            shards=self._shards,
            placement=self._placement,
            worker=process,
            stages=self._times.seconds(until=ended),
            began=self._times.since / 1e9,
            ended=ended / 1e9,
            peak_memory=peak_memory(),
            rows_left_out=self._left_out,
            summaries=tuple(self._summarised),
            broken=self._broken,
        )

    @property
    def _sorts_files(self) -> bool:
        # In folders all rows have been sorted.
        return bool(self._format.sort_by) and not self._format.partition_by

    @property
    def _rows_in_file(self) -> int:
        written_rows = self._file.rows if self._file else 0
        return written_rows + self._pending_rows

    def _append(self, rows: RecordBatch) -> None:
        """Collect rows, and begin another file whenever one is full."""
        if self._format.partition_by:
            self._waiting.add(rows)
            return
        self._append_to_file(rows)

    def _write_folders(self) -> None:
        """Write all rows that wait, folder by folder."""
        for folder, table in divide(self._waiting.drain(), self._format.partition_by):
            if folder != self._folder and self._rows_in_file:
                self._close_file()
            self._folder = folder
            for rows in table.to_batches():
                self._append_to_file(rows)

    def _append_to_file(self, rows: RecordBatch) -> None:
        while rows.num_rows:
            room = self._format.rows_per_file - self._rows_in_file
            here = rows.slice(0, room)
            self._pending_rows += here.num_rows
            if self._sorts_files:
                self._waiting.add(here)
            else:
                self._pending.append(here)
                self._pending_bytes += count_decoded_bytes(here)
            rows = rows.slice(here.num_rows)
            if self._rows_in_file == self._format.rows_per_file:
                self._close_file()
        # Rows that are to be sorted wait for all others of their file.
        if self._sorts_files:
            return
        has_enough_bytes = self._pending_bytes >= _ROW_GROUP_BYTES
        if has_enough_bytes or self._pending_rows >= _ROW_GROUP_ROWS:
            self._flush()

    def _flush(self) -> None:
        """Write what was collected, as one row group where that can be."""
        if self._file is None:
            number = len(self._scored)
            name = f"{self._name}-{number:03d}.{self._format.format}"
            self._file = PartFile(self._run, name, self._look)
        schema = self._look.schema.remove_metadata()
        if self._sorts_files and self._pending_rows:
            _write_row_groups(self._file, self._waiting.drain(), schema)
        else:
            table = Table.from_batches(self._pending, schema=schema)
            _write_row_groups(self._file, [table], schema)
        self._pending = []
        self._pending_rows = 0
        self._pending_bytes = 0

    def _close_file(self) -> None:
        # A unit without rows gets a file with the schema; any other must not end with an empty row
        # group.
        if self._pending_rows or self._file is None:
            self._flush()
        if self._file is not None:
            stored = self._file.close()
            in_folder = replace(stored, partition=self._folder)
            self._scored.append(in_folder)
            self._file = None

    def _write_rejected(self) -> tuple[WrittenFile, ...]:
        if self._rejected_schema is None:
            return ()
        # As Parquet whatever the scores are written as: they may hold nested values.
        look = plain_parquet(self._rejected_schema)
        name = f"{self._name}-rejected.parquet"
        # Kept as the open file, so that `abandon` finds it.
        self._file = PartFile(self._run, name, look)
        _write_row_groups(self._file, self._rejected.drain(), look.schema)
        rejected = self._file.close()
        self._file = None
        return (rejected,)

    def _write_summary(self, named: NamedTable) -> None:
        name = f"{self._name}-{named.name}.parquet"
        look = plain_parquet(named.table.schema)
        self._file = PartFile(self._run, name, look)
        # What comes in chunks is stored in as many row groups, of which each can be read alone.
        for chunk in named.table.to_batches() or [named.table]:
            self._file.write(pa.table(chunk))
        self._summarised.append(self._file.close())
        self._file = None


def _write_row_groups(file: PartFile, tables: Iterable[Table], schema: Schema) -> None:
    """Write tables in their order, several small ones as one row group.

    Args:
        file: where they go.
        tables: the rows, as batches have them or as they come sorted.
        schema: the types that they are written in.
    """
    pending: list[Table] = []
    pending_bytes = 0
    for table in tables:
        pending.append(table)
        pending_bytes += count_decoded_bytes(table)
        if pending_bytes < _ROW_GROUP_BYTES:
            continue
        _write_together(file, pending, schema)
        pending = []
        pending_bytes = 0
    # A file gets an empty row group only if it has no rows at all.
    if pending:
        _write_together(file, pending, schema)


def _write_together(file: PartFile, tables: Sequence[Table], schema: Schema) -> None:
    together = pa.concat_tables(tables)
    for row_group in cut_into_row_groups(together, schema):
        file.write(row_group)
