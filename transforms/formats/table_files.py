"""Data files of a table that has a log, read as the log says.

The Parquet format reads a file; here its columns get the table's names, those that it lacks are null
or have the log's value, and the rows that the log calls deleted are left out. A file's rows are
numbered without them, so that books and numbers stay whole.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pyarrow as pa
from pyarrow import Array, DataType, Field, RecordBatch, Schema
from pyarrow.types import is_timestamp

from configs.errors import InputError
from configs.suggest import nearest
from storage.input_file import InputFile
from transforms.batches import BatchId, RawBatch, RejectedBatch, RowRecord, WorkUnit
from transforms.formats.column import Column
from transforms.formats.columns import refuse_type, takes_type
from transforms.formats.constant_columns import Values, add_to_records, add_values
from transforms.formats.format import Format, Piece, Shard
from transforms.formats.parquet_footer import read_footer
from transforms.joined_types import join_types
from transforms.lakes.deleted_rows import read_deleted
from transforms.lakes.log_values import parse_value
from transforms.lakes.snapshot import DataFile, TableColumn
from transforms.lakes.stored_files import TableFiles
from transforms.logical_types import cast_exactly
from transforms.model_types import fits_exactly, widens
from transforms.record_batches import filter_rows

# What Parquet calls the number that a table knows a column by.
_FIELD_ID = b"PARQUET:field_id"


class _Details(NamedTuple):
    """What is remembered of a data file until it is split."""

    shard: Shard
    deleted: np.ndarray


@dataclass(frozen=True)
class TableFormat:
    """Read the data files of a snapshot.

    The span of a unit is the format's own, and of a file with deleted rows behind two numbers: of
    the first row, and of all rows, as the file has them.

    Attributes:
        inner: how the files themselves are read.
        columns: of the table.
        files: what the log says of each file.
    """

    inner: Format
    columns: tuple[TableColumn, ...]
    files: TableFiles
    # The log tells them.
    needs_types: ClassVar[bool] = False

    def inspect(self, file: InputFile, wanted: Sequence[Column]) -> tuple[Shard, Schema]:
        """Look into a data file; see `Format.inspect`."""
        data_file = self.files.find(file.url)
        columns = [self._find_column(file.url, column.name) for column in wanted]
        layout = _lay_out(data_file, columns)
        in_file = []
        for field, column in layout.stored.values():
            is_moment = column.type is not None and is_timestamp(column.type)
            # Old files do not tell what their times are in.
            declared = column.type if is_moment else None
            in_file.append(Column(field.name, declared, castable=is_moment))
        shard, _ = self.inner.inspect(file, in_file)
        fields = []
        for asked, known in zip(wanted, columns, strict=True):
            dtype = _refuse_unreadable(file.url, known)
            if not takes_type(asked, dtype):
                raise refuse_type(file.url, asked, dtype)
            fields.append((asked.name, dtype))
        rows = shard.rows or 0
        deleted = read_deleted(file.url, data_file.deletions, rows)
        live_rows = rows - len(deleted)
        details = _Details(shard, deleted)
        # So that a value that is not of its type is told before any worker starts.
        schema = pa.schema(fields)
        _find_values(layout, schema)
        return Shard(file, live_rows, details), schema

    def split(self, shard: Shard, rows: int) -> list[Piece]:
        """Cut a file into pieces, and count their rows without the deleted ones."""
        details: _Details = shard.details
        pieces = self.inner.split(details.shard, rows)
        if not len(details.deleted):
            return pieces
        live = [_leave_out(piece, details.deleted) for piece in pieces]
        kept = [piece for piece in live if piece.rows]
        # At least one, of a file of which nothing is left.
        return kept or live[:1]

    def read(
        self,
        unit: WorkUnit,
        schema: Schema,
        rows_per_batch: int,
        record: RowRecord,
    ) -> Iterator[RawBatch]:
        """Read the unit's rows that are not deleted; see `Format.read`."""
        data_file = self.files.find(unit.shard)
        columns = [self._find_column(unit.shard, name) for name in schema.names]
        layout = _lay_out(data_file, columns)
        values = _find_values(layout, schema)
        stored_fields = []
        names = {}
        for name, (field, _) in layout.stored.items():
            names[field.name] = name
            if name in schema.names:
                stored_fields.append(schema.field(name).with_name(field.name))
            else:
                stored_fields.append(field)
        stored_key = None
        if record.key is not None and record.key in layout.stored:
            field, _ = layout.stored[record.key]
            stored_key = field.name
        stored_record = replace(record, key=stored_key)
        deletions = data_file.deletions
        whole = _find_stored_unit(unit) if deletions else unit
        stored_schema = pa.schema(stored_fields)
        batches = self.inner.read(whole, stored_schema, rows_per_batch, stored_record)
        named = _name_columns(batches, names, schema, values, record)
        if not deletions:
            yield from named
            return
        # Of all of the file, as a unit may be a part of it.
        _, footer = read_footer(unit.shard)
        deleted = read_deleted(unit.shard, deletions, footer.num_rows)
        yield from _take_live(named, unit, whole, deleted)

    def _find_column(self, url: str, name: str) -> TableColumn:
        for column in self.columns:
            if column.name == name:
                return column
        names = [column.name for column in self.columns]
        raise InputError(f"{url}: its table has no column {name!r}{nearest(name, names)}")


class _Layout(NamedTuple):
    """Where the columns of a data file are: in the file, by the table's name, or not in it."""

    stored: dict[str, tuple[Field, TableColumn]]
    lacking: dict[str, tuple[TableColumn, str | None]]


def _lay_out(data_file: DataFile, columns: Sequence[TableColumn]) -> _Layout:
    """Return where each column is, and whatever column tells how many rows there are."""
    url = data_file.url
    schema, _ = read_footer(url)
    by_number = _number_fields(url, schema)
    layout = _Layout({}, {})
    for column in columns:
        field = None
        if column.field_id is not None and by_number:
            field = by_number.get(column.field_id)
        elif column.field_id is not None:
            field = _find_by_name(url, schema, column)
        elif column.stored_name in schema.names:
            field = schema.field(column.stored_name)
        # A value of the log counts: the file may hold an older one, or nothing.
        is_told = column.name in data_file.values and column.field_id is None
        if field is None or is_told:
            layout.lacking[column.name] = (column, data_file.values.get(column.name))
            continue
        _refuse_other_type(url, column, field.type)
        layout.stored[column.name] = (field, column)
    if not layout.stored:
        field = _choose_narrow(url, schema)
        # By a name that no column of a table has.
        layout.stored[""] = (field, TableColumn("", field.type, "", field.name))
    return layout


def _number_fields(url: str, schema: Schema) -> dict[int, Field]:
    """Return a file's columns by the numbers that it gives them."""
    found: dict[int, Field] = {}
    for field in schema:
        metadata = field.metadata or {}
        if _FIELD_ID not in metadata:
            continue
        number = int(metadata[_FIELD_ID])
        if number in found:
            raise InputError(f"{url}: gives two columns the number {number}; replace the file")
        found[number] = field
    return found


def _find_by_name(url: str, schema: Schema, column: TableColumn) -> Field | None:
    """Return a column of a file that numbers none, as one that was added to a table as it was."""
    if not column.names:
        raise InputError(
            f"{url}: does not number its columns, and its table does not say what such files call "
            f"{column.name!r}; write it into the table again, or set schema.name-mapping.default"
        )
    found = [name for name in column.names if name in schema.names]
    if not found:
        return None
    return schema.field(found[0])


def _choose_narrow(url: str, schema: Schema) -> Field:
    """Return a column that is read for the number of its rows alone."""
    for field in schema:
        if field.type.num_fields == 0:
            return field
    raise InputError(
        f"{url}: has no plain column, so its rows cannot be counted; name another file"
    )


def _refuse_unreadable(url: str, column: TableColumn) -> DataType:
    """Return a column's type; refuse one that Arrow has none for."""
    if column.type is None:
        raise InputError(
            f"{url}: column {column.name!r} of its table is {column.kind}, which is not read; "
            "leave it out of the job, or write its table with a type that is"
        )
    return column.type


def _refuse_other_type(url: str, column: TableColumn, actual: DataType) -> None:
    """Refuse a file's column that is not the table's, nor a narrower one of an older version."""
    dtype = _refuse_unreadable(url, column)
    is_same = join_types(dtype, actual) is not None
    # Times are compared once it is known what an old file's are in.
    are_moments = is_timestamp(dtype) and is_timestamp(actual)
    if is_same or are_moments or widens(actual, dtype) or fits_exactly(actual, dtype):
        return
    raise InputError(
        f"{url}: column {column.name!r} is {actual}, and {dtype} in its table, which does not hold "
        "every such value; write the table's files again with the types that it has today"
    )


def _find_values(layout: _Layout, schema: Schema) -> Values:
    """Return the value of each column that a file lacks, in the type in which it comes out."""
    values: dict[str, Array] = {}
    for name, (column, text) in layout.lacking.items():
        if name not in schema.names:
            continue
        dtype = schema.field(name).type
        if text is None:
            values[name] = pa.nulls(1, dtype)
            continue
        table_type = column.type or dtype
        try:
            value = parse_value(text, table_type)
            values[name] = cast_exactly(value, dtype)
        except (ValueError, pa.ArrowException) as error:
            raise InputError(
                f"column {name!r}: its value in the table's log is not of type {table_type}; "
                "mend the table's log"
            ) from error
    return values


def _name_columns(
    batches: Iterator[RawBatch],
    names: Mapping[str, str],
    schema: Schema,
    values: Values,
    record: RowRecord,
) -> Iterator[RawBatch]:
    """Yield batches with the table's columns.

    Args:
        batches: as the file has them.
        names: the table's name of each of its columns.
        schema: the columns that are wanted.
        values: of those that the file lacks.
        record: what is kept of a rejected row.
    """
    for batch in batches:
        stored = batch.rows
        named = [names[name] for name in stored.schema.names]
        renamed = stored.rename_columns(named)
        rows = add_values(renamed, schema, values)
        rejected = []
        for records in batch.rejected:
            known = _rename_records(records, names)
            complete = add_to_records(known, schema, values, record)
            rejected.append(complete)
        yield replace(batch, rows=rows, rejected=tuple(rejected), record=record)


def _rename_records(records: RejectedBatch, names: Mapping[str, str]) -> RejectedBatch:
    rows = records.rows
    position = rows.schema.get_field_index("values")
    if position < 0:
        return records
    given = RecordBatch.from_struct_array(rows.column(position))
    named = [names[name] for name in given.schema.names]
    values = pa.StructArray.from_arrays(given.columns, named)
    return replace(records, rows=rows.set_column(position, "values", values))


def _leave_out(piece: Piece, deleted: np.ndarray) -> Piece:
    """Return a piece with its rows counted without the deleted ones."""
    first = piece.first_row
    rows = piece.rows or 0
    bounds = np.searchsorted(deleted, [first, first + rows])
    before, behind = bounds.tolist()
    return replace(
        piece,
        span=(first, rows, *piece.span),
        first_row=first - before,
        rows=rows - (behind - before),
    )


def _find_stored_unit(unit: WorkUnit) -> WorkUnit:
    """Return a unit with its rows as the file has them, of a file with deleted rows."""
    # None was left out of the file: its format knows no such numbers.
    first_row, rows, *span = unit.span
    return replace(unit, span=tuple(span), first_row=first_row, rows=rows)


def _take_live(
    batches: Iterator[RawBatch],
    unit: WorkUnit,
    whole: WorkUnit,
    deleted: np.ndarray,
) -> Iterator[RawBatch]:
    """Yield the rows of a unit that are not deleted, numbered without those.

    Args:
        batches: of the file's own rows.
        unit: as it is in the plan.
        whole: the same with all rows.
        deleted: positions in the file, ascending.
    """
    done = 0
    for batch in batches:
        first = batch.id.first_row - int(np.searchsorted(deleted, batch.id.first_row))
        batch_id = BatchId(unit.shard, first)
        is_live = ~np.isin(batch.row_numbers, deleted)
        numbers = batch.row_numbers[is_live]
        rejected = []
        for records in batch.rejected:
            kept = _take_live_records(records, batch_id, deleted)
            if kept.rows.num_rows:
                rejected.append(kept)
        live = replace(
            batch,
            unit=unit,
            id=batch_id,
            rows=filter_rows(batch.rows, is_live),
            row_numbers=numbers - np.searchsorted(deleted, numbers),
            rejected=tuple(rejected),
        )
        done += live.rows_in
        # A batch without a row says nothing, but that the unit ends.
        if live.rows_in or live.last:
            yield live
    if done != unit.rows:
        raise InputError(
            f"{unit.shard}: has {done:,} rows from row {whole.first_row:,} on that are not deleted, "
            f"and had {unit.rows:,} when the run was planned; start the run again"
        )


def _take_live_records(
    records: RejectedBatch,
    id: BatchId,
    deleted: np.ndarray,
) -> RejectedBatch:
    rows = records.rows
    position = rows.schema.get_field_index("row")
    numbers = rows.column(position).to_numpy()
    is_live = ~np.isin(numbers, deleted)
    kept = filter_rows(rows, is_live)
    live = numbers[is_live]
    new_numbers: Any = pa.array(live - np.searchsorted(deleted, live), type=pa.int64())
    return replace(records, id=id, rows=kept.set_column(position, "row", new_numbers))
