"""Data files of a table that has a log, read as the log says.

The Parquet format reads a file; here its columns get the table's names, those that it lacks are null
or have the log's value, and the rows that the log calls deleted are left out. A file's rows are
numbered without them, so that books and numbers stay whole.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple

import numpy as np
import pyarrow as pa
from pyarrow import RecordBatch, Schema
from pyarrow.types import is_timestamp

from configs.errors import InputError
from configs.suggest import nearest
from storage.input_file import InputFile
from transforms.batches import RawBatch, RejectedBatch, RowRecord, WorkUnit
from transforms.bounds import Bounds, make_bounds_of
from transforms.formats.column import Column
from transforms.formats.columns import refuse_type, takes_type
from transforms.formats.constant_columns import Values, add_to_records, add_values
from transforms.formats.format import (
    FindsSections,
    Format,
    MayPass,
    Piece,
    Section,
    Shard,
)
from transforms.formats.live_rows import find_stored_unit, leave_out, take_live
from transforms.formats.parquet_footer import read_footer
from transforms.formats.stored_parts import find_rest
from transforms.formats.table_layout import find_values, lay_out, refuse_unreadable
from transforms.lakes.deleted_rows import read_deleted
from transforms.lakes.snapshot import TableColumn
from transforms.lakes.stored_files import TableFiles


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

    def inspect(
        self,
        file: InputFile,
        wanted: Sequence[Column],
    ) -> tuple[Shard, Schema]:
        """Look into a data file; see `Format.inspect`."""
        data_file = self.files.find(file.url)
        columns = [self._find_column(file.url, column.name) for column in wanted]
        file_schema, _ = read_footer(data_file.url)
        layout = lay_out(data_file, file_schema, columns)
        in_file = []
        for field, column in layout.stored.values():
            is_moment = column.type is not None and is_timestamp(column.type)
            # Old files do not tell what their times are in.
            declared = column.type if is_moment else None
            in_file.append(Column(field.name, declared, castable=is_moment))
        shard, _ = self.inner.inspect(file, in_file)
        fields = []
        for asked, known in zip(wanted, columns, strict=True):
            dtype = refuse_unreadable(file.url, known)
            if not takes_type(asked, dtype):
                raise refuse_type(file.url, asked, dtype)
            fields.append((asked.name, dtype))
        rows = shard.rows or 0
        deleted = read_deleted(file.url, data_file.deletions, rows)
        live_rows = rows - len(deleted)
        details = _Details(shard, deleted)
        # So that a value that is not of its type is told before any worker starts.
        schema = pa.schema(fields)
        find_values(layout, schema)
        return Shard(file, live_rows, details), schema

    def split(self, shard: Shard, rows: int) -> list[Piece]:
        """Cut a file into pieces, and count their rows without the deleted ones."""
        details: _Details = shard.details
        pieces = self.inner.split(details.shard, rows)
        # As `read` asks: what the log names may delete rows of other files alone.
        if not self.files.find(shard.file.url).deletions:
            return pieces
        live = [leave_out(piece, details.deleted) for piece in pieces]
        kept = [piece for piece in live if piece.rows]
        # At least one, of a file of which nothing is left.
        return kept or live[:1]

    def find_sections(
        self,
        unit: WorkUnit,
        fields: Schema,
        names: Sequence[str],
        may_pass: MayPass,
    ) -> list[Section]:
        """Cut a unit by what its file's footer and the log say; see `FindsSections`."""
        data_file = self.files.find(unit.shard)
        # Rows of row groups are counted with the deleted ones.
        if data_file.deletions or not isinstance(self.inner, FindsSections):
            return [Section(unit, may_pass=True)]
        columns = [self._find_column(unit.shard, name) for name in names]
        file_schema, _ = read_footer(data_file.url)
        layout = lay_out(data_file, file_schema, columns)
        values = find_values(layout, fields)
        known = {name: make_bounds_of(value) for name, (value,) in values.items()}
        # The file calls its columns otherwise, perhaps: it is asked by its own names.
        table_names = {}
        asked = []
        for name, (field, _) in layout.stored.items():
            table_names[field.name] = name
            if name in fields.names:
                wanted = fields.field(name)
                asked.append(wanted.with_name(field.name))

        def may_pass_there(bounds: Mapping[str, Bounds]) -> bool:
            named = {table_names[name]: bounds[name] for name in bounds}
            return may_pass({**named, **known})

        stored_fields = pa.schema(asked)
        stored_names = list(table_names)
        return self.inner.find_sections(unit, stored_fields, stored_names, may_pass_there)

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
        file_schema, _ = read_footer(data_file.url)
        layout = lay_out(data_file, file_schema, columns)
        values = find_values(layout, schema)
        stored_fields = []
        names = {}
        for name, (field, _) in layout.stored.items():
            names[field.name] = name
            # As it is wanted, or as it is, where it is looked at and not kept.
            stored_field = field
            if name in schema.names:
                stored_field = schema.field(name).with_name(field.name)
            stored_fields.append(stored_field)
        stored_key = None
        if record.key is not None and record.key in layout.stored:
            field, _ = layout.stored[record.key]
            stored_key = field.name
        stored_record = replace(record, key=stored_key)
        deletions = data_file.deletions
        whole = find_stored_unit(unit) if deletions else unit
        stored_schema = pa.schema(stored_fields)
        batches = self.inner.read(whole, stored_schema, rows_per_batch, stored_record)
        named = _name_columns(batches, names, schema, values, record)
        if not deletions:
            yield from named
            return
        # Of all of the file, as a unit may be a part of it.
        _, footer = read_footer(unit.shard)
        deleted = read_deleted(unit.shard, deletions, footer.num_rows)
        yield from take_live(named, unit, whole, deleted)

    def find_rest(self, unit: WorkUnit, rows_done: int) -> WorkUnit | None:
        """Return the rows behind those that cannot be read; see `FindsRest`."""
        deletions = self.files.find(unit.shard).deletions
        if not deletions:
            return find_rest(self.inner, unit, rows_done)
        _, footer = read_footer(unit.shard)
        deleted = read_deleted(unit.shard, deletions, footer.num_rows)
        whole = find_stored_unit(unit)
        stored = np.arange(whole.first_row, whole.first_row + (whole.rows or 0))
        live = np.setdiff1d(stored, deleted, assume_unique=True)
        # Behind the last one that is live, nothing is lost.
        if rows_done == len(live):
            return None
        stored_done = int(live[rows_done]) - whole.first_row
        rest = find_rest(self.inner, whole, stored_done)
        if rest is None:
            return None
        piece = Piece(rest.span, rest.first_row, rest.rows, rest.bytes)
        kept = leave_out(piece, deleted)
        # A unit ends with a row, or was planned without any.
        if not kept.rows:
            return None
        return replace(unit, span=kept.span, first_row=kept.first_row, rows=kept.rows)

    def _find_column(self, url: str, name: str) -> TableColumn:
        for column in self.columns:
            if column.name == name:
                return column
        names = [column.name for column in self.columns]
        raise InputError(f"{url}: its table has no column {name!r}{nearest(name, names)}")


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
