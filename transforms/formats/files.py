"""A folder of files as input, one row per file: its path below the folder, its size, its content.

The folder is the shard, and some hundred files of it are a unit. Which files those are is in the list
that the launcher made (`file_list.py`), so that workers list nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import pyarrow as pa
from pyarrow import RecordBatch, Schema

from configs.errors import InputError
from storage.input_file import InputFile
from transforms.batches import RawBatch, RowRecord, WorkUnit
from transforms.formats.column import Column
from transforms.formats.columns import check_columns
from transforms.formats.contents import add_contents
from transforms.formats.file_list import FILES_OF_A_UNIT, FileList, ListedRows
from transforms.formats.format import InputOptions, NullCounts, Piece, Shard, no_rows, number_rows
from transforms.formats.load import Load

PATH = "path"
SIZE = "size"
_OPTIONS = ("content", "max_bytes")


@dataclass(frozen=True)
class FilesFormat:
    """Read whole files; the span of a unit is (number of the first file, number of files).

    Attributes:
        content: name of the column of contents.
        max_bytes: a larger file costs its row.
        listing: the files of all units.
    """

    content: str = "bytes"
    max_bytes: int = 64 << 20
    listing: FileList = field(default_factory=FileList)
    needs_types: ClassVar[bool] = False

    @property
    def schema(self) -> Schema:
        """Return the columns that there are."""
        types = {
            PATH: pa.string(),
            SIZE: pa.int64(),
            self.content: pa.binary(),
        }
        return pa.schema(types)

    def inspect(
        self,
        file: InputFile,
        wanted: Sequence[Column],
    ) -> tuple[Shard, Schema]:
        """Look at a folder's list of files; see `Format.inspect`."""
        url = file.url
        schema = self.schema
        self._refuse_other_columns(url, wanted)
        check_columns(url, schema, wanted)
        members = file.members
        rows = len(members)
        shard = Shard(file, rows, details=members)
        return shard, schema

    def split(self, shard: Shard, rows: int) -> list[Piece]:
        """Put some hundred files together, in the order of their names."""
        members: tuple[InputFile, ...] = shard.details
        count = min(rows, FILES_OF_A_UNIT)
        pieces = []
        for first in range(0, len(members), count):
            stop = first + count
            here = members[first:stop]
            # A file is a row.
            rows_here = len(here)
            piece = Piece(
                span=(first, rows_here),
                first_row=first,
                rows=rows_here,
                bytes=sum(file.bytes for file in here),
            )
            pieces.append(piece)
        return pieces

    def with_stored_list(self, url: str) -> "FilesFormat":
        """Return the format for workers; see `ReadsListedFiles`."""
        return replace(self, listing=FileList(url))

    def count_nulls(self, url: str, names: Sequence[str]) -> NullCounts:
        """Return that nothing is missing: each file has a path, a size and a content; see `CountsNulls`."""
        return dict.fromkeys(names, 0)

    def read(
        self,
        unit: WorkUnit,
        schema: Schema,
        rows_per_batch: int,
        record: RowRecord,
    ) -> Iterator[RawBatch]:
        """Read the unit's files, as far as they are as they were; see `Format.read`."""
        done = 0
        content = self.content
        loads = []
        # A job may want paths and sizes alone.
        if content in schema.names:
            load = Load(content, unit.shard, self.max_bytes, column=PATH)
            loads.append(load)
        for table in self.listing.iterate(unit.index, content):
            only = iter([table])
            rows_listed = ListedRows(only)
            batches = table.to_batches(max_chunksize=rows_per_batch)
            for batch in batches:
                named = self._name_files(batch, schema)
                numbered = number_rows(unit, named, done, last=False)
                done += len(numbered)
                # The list does not say which batch is the last one of the unit.
                is_last = done == unit.rows
                rows = replace(numbered, last=is_last, record=record)
                of_rows = rows_listed.take(rows.row_numbers)
                listed = {content: of_rows}
                yield from add_contents(rows, loads, listed, schema)
        if not done:
            nothing = no_rows(schema)
            yield number_rows(unit, nothing, 0, last=True)

    def _refuse_other_columns(self, url: str, wanted: Sequence[Column]) -> None:
        """Refuse a column that files do not have: as a rule the contents, under the model's name."""
        names = self.schema.names
        listed = ", ".join(names)
        for column in wanted:
            name = column.name
            if name not in names:
                raise InputError(
                    f"{url}: has no column {name!r}, as files have {listed}; if the "
                    f"contents are meant, say source.files.content={name}"
                )

    def _name_files(self, batch: RecordBatch, schema: Schema) -> RecordBatch:
        """Return paths and sizes, as far as they are wanted."""
        found = {
            PATH: batch.column("name"),
            SIZE: batch.column("bytes"),
        }
        columns = {}
        for name in schema.names:
            # Contents come later, once batches are cut by the sizes of files.
            if name != self.content:
                columns[name] = found[name]
        # A job may want contents alone, and the number of rows must not get lost.
        return RecordBatch.from_pydict(columns or found)


def make_files_format(options: InputOptions) -> FilesFormat:
    """Return the format with a job's options."""
    files = options.files
    # What a job does not say is left to the format.
    given = {name: files[name] for name in _OPTIONS if name in files}
    return FilesFormat(**given)
