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
from storage.inputs import InputFile
from transforms.batches import RawBatch, RejectedBatch, RowRecord, WorkUnit
from transforms.formats.columns import Column, check_columns
from transforms.formats.contents import Load, add_contents
from transforms.formats.file_list import LISTED_ROWS, FileList, Listed, ListedRows
from transforms.formats.format import CountsNulls, Format, NullCounts, Piece, Shard, make_unit
from transforms.formats.row_spans import cut_piece, find_whole, take_part
from transforms.logical_types import decoded_type, is_text, nullable_type

# Of a table: to read so many takes no longer than to open a file, wherever that is.
_BYTES_PER_FILE = 32 << 10


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

    def inspect(self, file: InputFile, wanted: Sequence[Column]) -> tuple[Shard, Schema]:
        """Look into a table's file; see `Format.inspect`."""
        in_table: list[Column] = []
        loaded: list[Column] = []
        for column in wanted:
            of_kind = loaded if column.name in self._made else in_table
            of_kind.append(column)
        shard, schema = self.inner.inspect(file, in_table)
        if shard.rows is None:
            # Without their number the rows could not be cut among workers.
            rows = self._count_rows(shard)
            shard = replace(shard, rows=rows)
        for load in self.loads:
            if load.into in schema.names:
                raise InputError(
                    f"{file.url}: has a column {load.into!r} already, which load_file would make; "
                    "say another name in its into"
                )
            _refuse_no_text(file.url, schema, load)
        content = pa.binary()
        fields = [(load.into, content) for load in self.loads]
        contents = pa.schema(fields)
        check_columns(file.url, contents, loaded)
        return shard, pa.schema([*schema, *contents])

    def split(self, shard: Shard, rows: int) -> list[Piece]:
        """Cut a shard into pieces, also where its format cuts none; see `Format.split`."""
        pieces: list[Piece] = []
        for piece in self.inner.split(shard, rows):
            known = piece
            # A whole file, whose rows have been counted.
            if piece.rows is None:
                known = replace(piece, rows=shard.rows)
            # Each part reads the table from the beginning of the piece on, half of it on average.
            least_rows = piece.bytes // (2 * _BYTES_PER_FILE)
            part_rows = max(rows, least_rows)
            pieces += cut_piece(known, part_rows)
        return pieces

    def count_nulls(self, url: str, names: Sequence[str]) -> NullCounts:
        """Return how many values are missing, as the table's file tells; see `CountsNulls`.

        A content is missing where its path is.
        """
        if not isinstance(self.inner, CountsNulls):
            return dict.fromkeys(names)
        paths = {load.into: load.column for load in self.loads}
        sources = [paths.get(name, name) for name in names]
        # Two contents may come from one column of paths.
        different = list(dict.fromkeys(sources))
        told = self.inner.count_nulls(url, different)
        counts: dict[str, int | None] = {}
        for name, source in zip(names, sources, strict=True):
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
            tables = self.listing.iterate(unit.index, load.into)
            listed_rows[load.into] = ListedRows(tables)
        for batch in self._read_table(unit, in_table, rows_per_batch, record):
            listed: dict[str, list[Listed]] = {}
            for into, of_column in listed_rows.items():
                listed[into] = of_column.take(batch.row_numbers)
            rejected = batch.rejected
            # The table's format knows nothing of the columns of contents.
            if record.values:
                rejected = tuple(_add_nulls(records, schema) for records in rejected)
            whole = replace(batch, record=record, rejected=rejected)
            yield from add_contents(whole, self.loads, listed, schema)

    def _read_table(
        self,
        unit: WorkUnit,
        schema: Schema,
        rows_per_batch: int,
        record: RowRecord,
    ) -> Iterator[RawBatch]:
        """Read the unit's rows of the table."""
        whole = find_whole(unit)
        batches = self.inner.read(whole, schema, rows_per_batch, record)
        if whole is unit:
            return batches
        return take_part(batches, unit)

    def _count_rows(self, shard: Shard) -> int:
        """Return how many rows a table has whose format does not tell without reading."""
        # Of this column alone, as paths are read again when the files are looked at.
        first_load = self.loads[0]
        path = pa.field(first_load.column, pa.string())
        paths = pa.schema([path])
        record = RowRecord()
        rows = 0
        for piece in self.inner.split(shard, LISTED_ROWS):
            unit = make_unit(0, shard, piece)
            for batch in self.inner.read(unit, paths, LISTED_ROWS, record):
                # Rejected ones are rows of the table, too.
                rows += batch.rows_in
        return rows

    def list_roots(self) -> list[str]:
        """Return the folders that the files are in; see `ReadsNamedFiles`."""
        return [load.root for load in self.loads]

    def table_schema(self, schema: Schema) -> Schema:
        """Return the columns of a schema that are in the table."""
        made = self._made
        fields = [field for field in schema if field.name not in made]
        return pa.schema(fields)

    @property
    def _made(self) -> set[str]:
        """Return the names of the columns of contents."""
        return {load.into for load in self.loads}


def _refuse_no_text(url: str, schema: Schema, load: Load) -> None:
    """Refuse a column of paths that are no texts."""
    stored = schema.field(load.column)
    dtype = decoded_type(stored.type)
    if not is_text(dtype):
        raise InputError(
            f"{url}: column {load.column!r} is {dtype}, and load_file takes paths, which are texts; "
            "name another column"
        )


def _add_nulls(records: RejectedBatch, schema: Schema) -> RejectedBatch:
    """Return records of rows that could not be read, whose values have the columns of all others."""
    rows = records.rows
    stored = rows.column("values")
    names = [field.name for field in stored.type]
    children = dict(zip(names, stored.flatten(), strict=True))
    columns = []
    for wanted in schema:
        column = children.get(wanted.name)
        if column is None:
            dtype = nullable_type(wanted.type)
            column = pa.nulls(rows.num_rows, dtype)
        columns.append(column)
    # Of a row that could not be read there are none.
    missing = stored.is_null()
    values = pa.StructArray.from_arrays(columns, schema.names, mask=missing)
    place = rows.schema.get_field_index("values")
    completed = rows.set_column(place, "values", values)
    return replace(records, rows=completed)
