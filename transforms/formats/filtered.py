"""Read a part of the rows: those that a job's `source.where` keeps, whatever the format of the files.

    row groups   | 0 ... 9 | 10 ... 19 | 20 ... 29 |      bounds say of the second: none can pass
    read         | 0 ... 9 |           | 20 ... 29 |
    batches        3 4 8     10 left out   21             and 7 and 9 rows are left out of the others

Every row of a unit is a row of some batch: read, rejected, or counted as left out.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

import pyarrow as pa
from pyarrow import RecordBatch, Schema

from storage.input_file import InputFile
from transforms.batches import RawBatch, RejectedBatch, RowRecord, WorkUnit
from transforms.formats.column import Column
from transforms.formats.format import (
    FindsSections,
    Format,
    Piece,
    Section,
    Shard,
    no_rows,
    number_rows,
    split_for_sample,
)
from transforms.formats.stored_parts import find_rest
from transforms.record_batches import filter_rows
from transforms.where import SOURCE, where_mask
from transforms.where_bounds import may_pass


@dataclass(frozen=True)
class FilteredFormat:
    """Read files of a format, and of their rows those that a filter keeps.

    Attributes:
        inner: how the files themselves are read.
        where: the filter.
        fields: the columns that it reads, in the types that they come out in.
    """

    inner: Format
    where: str
    fields: Schema
    # Whoever made it has asked the files' own format already.
    needs_types: ClassVar[bool] = False

    def inspect(
        self,
        file: InputFile,
        wanted: Sequence[Column],
    ) -> tuple[Shard, Schema]:
        """Look into a file; see `Format.inspect`."""
        return self.inner.inspect(file, wanted)

    def split(self, shard: Shard, rows: int) -> list[Piece]:
        """Cut a shard into pieces; see `Format.split`."""
        return self.inner.split(shard, rows)

    def split_for_sample(self, shard: Shard) -> list[Piece]:
        """Return pieces of which rows are looked at; see `CutsForSamples`."""
        return split_for_sample(self.inner, shard)

    def read(
        self,
        unit: WorkUnit,
        schema: Schema,
        rows_per_batch: int,
        record: RowRecord,
    ) -> Iterator[RawBatch]:
        """Read the unit's rows that pass, and count the others; see `Format.read`."""
        more = [field for field in self.fields if field.name not in schema.names]
        together = pa.schema([*schema, *more])
        sections = self._find_sections(unit, together.names)
        last = sections[-1]
        for section in sections:
            is_end = section is last
            if not section.may_pass:
                yield _leave_out(unit, section.unit, schema, is_end)
                continue
            batches = self.inner.read(section.unit, together, rows_per_batch, record)
            for batch in batches:
                is_last = batch.last and is_end
                of_unit = replace(batch, unit=unit, last=is_last)
                yield self._keep(of_unit, schema, record)

    def find_rest(self, unit: WorkUnit, rows_done: int) -> WorkUnit | None:
        """Return the rows behind those that cannot be read; see `FindsRest`."""
        return find_rest(self.inner, unit, rows_done)

    def _find_sections(self, unit: WorkUnit, names: Sequence[str]) -> list[Section]:
        """Return the unit in parts of which some rows may pass, or none."""
        inner = self.inner
        # How many rows were left out, only reading tells where nobody has counted them.
        if not unit.rows or not isinstance(inner, FindsSections):
            return [Section(unit, may_pass=True)]
        check = partial(may_pass, self.where)
        return inner.find_sections(unit, self.fields, names, check)

    def _keep(self, batch: RawBatch, schema: Schema, record: RowRecord) -> RawBatch:
        """Return a batch with the rows that pass, and the columns of a schema."""
        rows = batch.rows
        columns = {name: rows.column(name) for name in self.fields.names}
        mask = where_mask(self.where, columns, rows.num_rows, SOURCE)
        wanted = rows.select(schema.names)
        kept = filter_rows(wanted, mask)
        rejected = batch.rejected
        # What only the filter reads is no value of a row that others would know.
        if record.values:
            rejected = tuple(_select_values(records, schema) for records in rejected)
        return replace(
            batch,
            rows=RecordBatch.from_arrays(kept.columns, schema=schema),
            row_numbers=batch.row_numbers[mask],
            rejected=rejected,
            rows_left_out=batch.rows_left_out + rows.num_rows - kept.num_rows,
        )


def _leave_out(
    unit: WorkUnit,
    part: WorkUnit,
    schema: Schema,
    last: bool,
) -> RawBatch:
    """Return a batch without rows, which counts those of a part of a unit as left out.

    Args:
        unit: the unit.
        part: rows of it, none of which was read.
        schema: the columns that are read.
        last: whether the unit ends with them.
    """
    offset = part.first_row - unit.first_row
    nothing = number_rows(unit, no_rows(schema), offset, last)
    return replace(nothing, rows_left_out=part.rows or 0)


def _select_values(records: RejectedBatch, schema: Schema) -> RejectedBatch:
    """Return records of rejected rows, whose values have the columns of a schema."""
    rows = records.rows
    stored = rows.column("values")
    names = schema.names
    children = [stored.field(name) for name in names]
    # Of a row that could not be read there are none.
    missing = stored.is_null()
    values = pa.StructArray.from_arrays(children, names, mask=missing)
    place = rows.schema.get_field_index("values")
    selected = rows.set_column(place, "values", values)
    return replace(records, rows=selected)
