"""Files that a column of a table names, read into a column of their contents: the step `load_file`.

The table's own format reads the rows; the contents are added here, where batches can still be cut to
a size that fits into the memory.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import pyarrow as pa
from pyarrow import Schema

from configs.errors import InputError
from storage.input_file import InputFile
from transforms.batches import RawBatch, RejectedBatch, RowRecord, WorkUnit
from transforms.formats.column import Column
from transforms.formats.columns import check_columns
from transforms.formats.contents import add_contents
from transforms.formats.file_list import LISTED_ROWS, FileList, Listed, ListedRows
from transforms.formats.format import (
    CountsNulls,
    Format,
    NullCounts,
    Piece,
    Shard,
    make_unit,
)
from transforms.formats.load import Load
from transforms.formats.row_spans import cut_piece, find_whole, take_part
from transforms.formats.stored_parts import find_rest
from transforms.logical_types import decoded_type, is_text, nullable_type

# Of a table: to read so many takes no longer than to open a file, wherever that is.
_BYTES_PER_FILE = 32 << 10
_BYTES_PER_ROW_OF_A_PART = 2 * _BYTES_PER_FILE


@dataclass(frozen=True)
class LoadingFormat:
    """Read files of a format, and the files that their rows name.

    Attributes:
        inner: how the table's files are read.
        loads: the columns of contents.
        listing: the files that the rows of all units name.
    """

    inner: Format
    loads: tuple[Load, ...]
    listing: FileList = field(default_factory=FileList)
    # The table's own format has been asked already.
    needs_types: ClassVar[bool] = False

    def inspect(
        self,
        file: InputFile,
        wanted: Sequence[Column],
    ) -> tuple[Shard, Schema]:
        """Look into a table's file; see `Format.inspect`."""
        made = self._made
        loaded: list[Column] = []
        in_table: list[Column] = []
        for column in wanted:
            is_made = column.name in made
            of_kind = loaded if is_made else in_table
            of_kind.append(column)
        shard, schema = self.inner.inspect(file, in_table)
        if shard.rows is None:
            # Without their number the rows could not be cut among workers.
            rows = self._count_rows(shard)
            shard = replace(shard, rows=rows)
        url = file.url
        content = pa.binary()
        contents: list[pa.Field] = []
        for load in self.loads:
            into = load.into
            if into in schema.names:
                raise InputError(
                    f"{url}: has a column {into!r} already, which load_file would make; "
                    "say another name in its into"
                )
            _refuse_no_text(url, schema, load)
            made_field = pa.field(into, content)
            contents.append(made_field)
        made_schema = pa.schema(contents)
        check_columns(url, made_schema, loaded)
        fields = [*schema, *contents]
        return shard, pa.schema(fields)

    def split(self, shard: Shard, rows: int) -> list[Piece]:
        """Cut a shard into pieces, also where its format cuts none; see `Format.split`."""
        pieces: list[Piece] = []
        for piece in self.inner.split(shard, rows):
            known = piece
            # A whole file, whose rows have been counted.
            if piece.rows is None:
                known = replace(piece, rows=shard.rows)
            # Each part reads the table from the beginning of the piece on, half of it on average.
            least_rows = piece.bytes // _BYTES_PER_ROW_OF_A_PART
            part_rows = max(rows, least_rows)
            pieces += cut_piece(known, part_rows)
        return pieces

    def count_nulls(self, url: str, names: Sequence[str]) -> NullCounts:
        """Return how many values are missing, as the table's file tells; see `CountsNulls`.

        A content is missing where its path is.
        """
        inner = self.inner
        if not isinstance(inner, CountsNulls):
            return dict.fromkeys(names)
        paths = {load.into: load.column for load in self.loads}
        sources = [paths.get(name, name) for name in names]
        # Two contents may come from one column of paths.
        different = list(dict.fromkeys(sources))
        told = inner.count_nulls(url, different)
        counts = {}
        pairs = zip(names, sources, strict=True)
        for name, source in pairs:
            counts[name] = told[source]
        return counts

    def read(
        self,
        unit: WorkUnit,
        schema: Schema,
        rows_per_batch: int,
        record: RowRecord,
    ) -> Iterator[RawBatch]:
        """Read the unit's rows, and their files as far as they are as they were; see `Format.read`."""
        in_table = self.table_schema(schema)
        listed_rows: dict[str, ListedRows] = {}
        for load in self.loads:
            into = load.into
            tables = self.listing.iterate(unit.index, into)
            listed_rows[into] = ListedRows(tables)
        batches = self._read_table(unit, in_table, rows_per_batch, record)
        for batch in batches:
            numbers = batch.row_numbers
            listed: dict[str, list[Listed]] = {}
            for into, of_column in listed_rows.items():
                listed[into] = of_column.take(numbers)
            rejected = batch.rejected
            # The table's format knows nothing of the columns of contents.
            if record.values:
                completed = [_add_nulls(records, schema) for records in rejected]
                rejected = tuple(completed)
            whole = replace(
                batch,
                record=record,
                rejected=rejected,
            )
            yield from add_contents(whole, self.loads, listed, schema)

    def find_rest(self, unit: WorkUnit, rows_done: int) -> WorkUnit | None:
        """Return the rows behind those that cannot be read; see `FindsRest`."""
        # A part is cut only of what its format reads as one.
        if find_whole(unit) is not unit:
            return None
        return find_rest(self.inner, unit, rows_done)

    def _read_table(
        self,
        unit: WorkUnit,
        schema: Schema,
        rows_per_batch: int,
        record: RowRecord,
    ) -> Iterator[RawBatch]:
        """Read the unit's rows of the table."""
        whole = find_whole(unit)
        # Of a part, the rows before it are read, too, and left out again.
        batches = self.inner.read(whole, schema, rows_per_batch, record)
        if whole is unit:
            return batches
        return take_part(batches, unit)

    def _count_rows(self, shard: Shard) -> int:
        """Return how many rows a table has whose format does not tell without reading."""
        # Of this column alone, as paths are read again when the files are looked at.
        first_load = self.loads[0]
        text = pa.string()
        path = pa.field(first_load.column, text)
        paths = pa.schema([path])
        record = RowRecord()
        inner = self.inner
        rows = 0
        for piece in inner.split(shard, LISTED_ROWS):
            unit = make_unit(0, shard, piece)
            batches = inner.read(unit, paths, LISTED_ROWS, record)
            for batch in batches:
                # Rejected ones are rows of the table, too.
                rows += batch.rows_in
        return rows

    def with_stored_list(self, url: str) -> "LoadingFormat":
        """Return the format for workers; see `ReadsListedFiles`."""
        return replace(self, listing=FileList(url))

    def list_roots(self) -> list[str]:
        """Return the folders that the files are in; see `ReadsNamedFiles`."""
        return [load.root for load in self.loads]

    def table_schema(self, schema: Schema) -> Schema:
        """Return the columns of a schema that are in the table."""
        made = self._made
        in_table = [field for field in schema if field.name not in made]
        return pa.schema(in_table)

    @property
    def _made(self) -> set[str]:
        """Return the names of the columns of contents."""
        return {load.into for load in self.loads}


def _refuse_no_text(url: str, schema: Schema, load: Load) -> None:
    """Refuse a column of paths that are no texts."""
    name = load.column
    stored = schema.field(name)
    dtype = decoded_type(stored.type)
    if not is_text(dtype):
        raise InputError(
            f"{url}: column {name!r} is {dtype}, and load_file takes paths, which are texts; "
            "name another column"
        )


def _add_nulls(records: RejectedBatch, schema: Schema) -> RejectedBatch:
    """Return records of rows that could not be read, whose values have the columns of all others."""
    rows = records.rows
    stored = rows.column("values")
    names = [field.name for field in stored.type]
    fields = stored.flatten()
    children = dict(zip(names, fields, strict=True))
    count = rows.num_rows
    columns = []
    for wanted in schema:
        column = children.get(wanted.name)
        if column is None:
            dtype = nullable_type(wanted.type)
            column = pa.nulls(count, dtype)
        columns.append(column)
    # Of a row that could not be read there are none.
    missing = stored.is_null()
    all_names = schema.names
    values = pa.StructArray.from_arrays(columns, all_names, mask=missing)
    place = rows.schema.get_field_index("values")
    completed = rows.set_column(place, "values", values)
    return replace(records, rows=completed)
