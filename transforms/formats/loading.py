"""Files that a column of a table names, read into a column of their contents: the step `load_file`.

The table's own format reads the rows; the contents are added here, where batches can still be cut to
a size that fits into the memory.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import pyarrow as pa

from configs.errors import InputError
from storage.inputs import InputFile
from transforms.batches import RawBatch, WorkUnit
from transforms.formats.contents import Load, add_contents
from transforms.formats.file_list import LISTED_ROWS, FileList, ListedRows
from transforms.formats.format import (
    Column,
    CountsNulls,
    Format,
    NullCounts,
    Piece,
    Shard,
    check_columns,
    make_unit,
)
from transforms.formats.row_spans import cut_piece, find_whole, take_part
from transforms.logical_types import nullable_type
from transforms.rejected import RejectedBatch, RowRecord

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

    def inspect(self, file: InputFile, wanted: Sequence[Column]) -> tuple[Shard, pa.Schema]:
        """Look into a table's file; see `Format.inspect`."""
        made = {load.into for load in self.loads}
        in_table = [column for column in wanted if column.name not in made]
        shard, schema = self.inner.inspect(file, in_table)
        if shard.rows is None:
            shard = replace(shard, rows=self._count_rows(shard))
        for load in self.loads:
            if load.into in schema.names:
                raise InputError(
                    f"{file.url}: has a column {load.into!r} already, which load_file would make; "
                    "say another name in its into"
                )
            _refuse_no_text(file.url, schema, load)
        contents = pa.schema([(load.into, pa.binary()) for load in self.loads])
        loaded = [column for column in wanted if column.name in made]
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
            pieces += cut_piece(known, max(rows, least_rows))
        return pieces

    def count_nulls(self, url: str, names: Sequence[str]) -> NullCounts:
        """Return how many values are missing, as the table's file tells; see `CountsNulls`.

        A content is missing where its path is.
        """
        if not isinstance(self.inner, CountsNulls):
            return dict.fromkeys(names)
        paths = {load.into: load.column for load in self.loads}
        in_table = {name: paths.get(name, name) for name in names}
        different = list(dict.fromkeys(in_table.values()))
        told = self.inner.count_nulls(url, different)
        return {name: told[source] for name, source in in_table.items()}

    def read(
        self,
        unit: WorkUnit,
        schema: pa.Schema,
        rows_per_batch: int,
        record: RowRecord,
    ) -> Iterator[RawBatch]:
        """Read the unit's rows, and their files as far as they are as they were; see `Format.read`."""
        in_table = self.table_schema(schema)
        rows_listed = {
            load.into: ListedRows(self.listing.iterate(unit.index, load.into))
            for load in self.loads
        }
        for batch in self._read_table(unit, in_table, rows_per_batch, record):
            listed = {into: rows.take(batch.row_numbers) for into, rows in rows_listed.items()}
            rejected = batch.rejected
            if record.values:
                rejected = tuple(_add_nulls(records, schema) for records in rejected)
            whole = replace(batch, record=record, rejected=rejected)
            yield from add_contents(whole, self.loads, listed, schema)

    def _read_table(
        self, unit: WorkUnit, schema: pa.Schema, rows_per_batch: int, record: RowRecord
    ) -> Iterator[RawBatch]:
        """Read the unit's rows of the table."""
        whole = find_whole(unit)
        batches = self.inner.read(whole, schema, rows_per_batch, record)
        return batches if whole is unit else take_part(batches, unit)

    def _count_rows(self, shard: Shard) -> int:
        """Return how many rows a table has whose format does not tell without reading."""
        # Of this column alone, as paths are read again when the files are looked at.
        paths = pa.schema([(self.loads[0].column, pa.string())])
        rows = 0
        for piece in self.inner.split(shard, LISTED_ROWS):
            unit = make_unit(0, shard, piece)
            for batch in self.inner.read(unit, paths, LISTED_ROWS, RowRecord()):
                rows += batch.rows_in
        return rows

    def table_schema(self, schema: pa.Schema) -> pa.Schema:
        """Return the columns of a schema that are in the table."""
        made = {load.into for load in self.loads}
        return pa.schema([field for field in schema if field.name not in made])


def _refuse_no_text(url: str, schema: pa.Schema, load: Load) -> None:
    """Refuse a column of paths that are no texts."""
    dtype = schema.field(load.column).type
    if pa.types.is_dictionary(dtype):
        dtype = dtype.value_type
    is_view = pa.types.is_string_view(dtype)
    if not (is_view or pa.types.is_string(dtype) or pa.types.is_large_string(dtype)):
        raise InputError(
            f"{url}: column {load.column!r} is {dtype}, and load_file takes paths, which are texts; "
            "name another column"
        )


def _add_nulls(records: RejectedBatch, schema: pa.Schema) -> RejectedBatch:
    """Return records of rows that could not be read, whose values have the columns of all others."""
    rows = records.rows
    stored = rows.column("values")
    names = [field.name for field in stored.type]
    children = dict(zip(names, stored.flatten(), strict=True))
    columns = []
    for wanted in schema:
        if wanted.name in children:
            columns.append(children[wanted.name])
        else:
            columns.append(pa.nulls(rows.num_rows, nullable_type(wanted.type)))
    # Of a row that could not be read there are none.
    missing = rows.column("values").is_null()
    values = pa.StructArray.from_arrays(columns, schema.names, mask=missing)
    place = rows.schema.get_field_index("values")
    return replace(records, rows=rows.set_column(place, "values", values))
