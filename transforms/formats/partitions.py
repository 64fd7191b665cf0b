"""Columns that stand in the names of folders, as Hive and Spark write them: `dt=2026-01-01/region=north/`.

Every row of a file has the values of the folders that the file is in. The file's format reads the
columns in the file, and the values from the folders are added to them here.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar
from urllib.parse import unquote_to_bytes

import pyarrow as pa
from pyarrow import Array, Field, RecordBatch, Schema
import pyarrow.compute as pc

from configs.errors import InputError, JobError, RejectedRows
from storage.input_file import InputFile
from storage.partition_names import HIVE_NULL
from transforms.batches import RawBatch, RowRecord, WorkUnit
from transforms.bounds import Bounds, make_bounds_of
from transforms.formats.column import Column
from transforms.formats.constant_columns import Values, add_to_records, add_values
from transforms.formats.csv_values import convert_fields
from transforms.formats.format import (
    CountsNulls,
    FindsSections,
    Format,
    MayPass,
    NullCounts,
    Piece,
    Section,
    Shard,
    split_for_sample,
)
from transforms.formats.stored_parts import find_rest
from transforms.logical_types import decode, decoded_type


@dataclass(frozen=True)
class PartitionedFormat:
    """Read files of a format, and some columns from the names of their folders.

    Attributes:
        inner: how the files themselves are read.
        columns: names of the columns that stand in folders' names.
        checked: names of columns that stand in the files, too, where each value must be the same.
    """

    inner: Format
    columns: tuple[str, ...]
    checked: tuple[str, ...] = ()
    # A folder's name tells no type.
    needs_types: ClassVar[bool] = True

    def inspect(
        self,
        file: InputFile,
        wanted: Sequence[Column],
    ) -> tuple[Shard, Schema]:
        """Look into a file, and at the names of its folders; see `Format.inspect`."""
        in_file: list[Column] = []
        typed_names = []
        for column in wanted:
            name = column.name
            if name in self.columns:
                typed_names.append((name, column.type))
            else:
                in_file.append(column)
        fields = pa.schema(typed_names)
        # Here, so that a wrong name is told before any worker starts.
        read_values(file.url, fields)
        shard, schema = self.inner.inspect(file, in_file)
        for name in self.columns:
            if name in schema.names:
                raise InputError(
                    f"{file.url}: has a column {name!r}, which other files have in the names of "
                    "their folders alone; write it into all files or into none"
                )
        read_values(file.url, self._find_checked(schema))
        all_fields = pa.schema([*schema, *fields])
        return shard, all_fields

    def split(self, shard: Shard, rows: int) -> list[Piece]:
        """Cut a shard into pieces; see `Format.split`."""
        return self.inner.split(shard, rows)

    def split_for_sample(self, shard: Shard) -> list[Piece]:
        """Return pieces of which rows are looked at; see `CutsForSamples`."""
        return split_for_sample(self.inner, shard)

    def find_sections(
        self,
        unit: WorkUnit,
        fields: Schema,
        names: Sequence[str],
        may_pass: MayPass,
    ) -> list[Section]:
        """Cut a unit by what its folders' names say, and its file; see `FindsSections`."""
        in_folders: list[Field] = []
        in_file: list[Field] = []
        for field in fields:
            known_where = in_folders if field.name in self.columns else in_file
            known_where.append(field)
        values = read_values(unit.shard, pa.schema(in_folders))
        known = {name: make_bounds_of(value) for name, (value,) in values.items()}
        # Nothing of the file is looked at where its folders decide.
        if not may_pass(known):
            return [Section(unit, may_pass=False)]
        if not in_file or not isinstance(self.inner, FindsSections):
            return [Section(unit, may_pass=True)]

        def may_pass_there(bounds: Mapping[str, Bounds]) -> bool:
            return may_pass({**bounds, **known})

        stored_fields = pa.schema(in_file)
        stored_names = [name for name in names if name not in self.columns]
        return self.inner.find_sections(unit, stored_fields, stored_names, may_pass_there)

    def read(
        self,
        unit: WorkUnit,
        schema: Schema,
        rows_per_batch: int,
        record: RowRecord,
    ) -> Iterator[RawBatch]:
        """Read the unit's rows, with the values of its folders; see `Format.read`."""
        names = self.columns
        in_folders = [field for field in schema if field.name in names]
        in_file = [field for field in schema if field.name not in names]
        folder_schema = pa.schema(in_folders)
        file_schema = pa.schema(in_file)
        values = read_values(unit.shard, folder_schema)
        twice = read_values(unit.shard, self._find_checked(schema))
        record_in_file = record
        # The format knows nothing of a key that is not in the file.
        if record.key in values:
            record_in_file = replace(record, key=None)
        batches = self.inner.read(unit, file_schema, rows_per_batch, record_in_file)
        for batch in batches:
            _refuse_other_values(batch, twice)
            rows = add_values(batch.rows, schema, values)
            rejected = []
            for records in batch.rejected:
                complete = add_to_records(records, schema, values, record)
                rejected.append(complete)
            yield replace(
                batch,
                rows=rows,
                rejected=tuple(rejected),
                record=record,
            )

    def find_rest(self, unit: WorkUnit, rows_done: int) -> WorkUnit | None:
        """Return the rows behind those that cannot be read; see `FindsRest`."""
        return find_rest(self.inner, unit, rows_done)

    def _find_checked(self, schema: Schema) -> Schema:
        """Return the checked columns of a schema, in the types that a folder's name is read as."""
        fields = []
        for field in schema:
            if field.name in self.checked:
                plain = decoded_type(field.type)
                fields.append((field.name, plain))
        return pa.schema(fields)

    def count_nulls(self, url: str, names: Sequence[str]) -> NullCounts:
        """Return how many values are missing, as the file tells; see `CountsNulls`."""
        # What a folder's name says is nobody's statistics.
        untold = dict.fromkeys(names)
        if not isinstance(self.inner, CountsNulls):
            return untold
        in_file = [name for name in names if name not in self.columns]
        told = self.inner.count_nulls(url, in_file)
        return {**untold, **told}


def count_nulls_of(format: Format, url: str, names: Sequence[str]) -> NullCounts | None:
    """Return how many rows of a file have no value in some columns; None where its format does not tell.

    Args:
        format: how the file is read.
        url: the file.
        names: the columns, in the file or in the names of its folders.

    Raises:
        InputError: the file cannot be read.
    """
    if not isinstance(format, CountsNulls):
        return None
    return format.count_nulls(url, names)


def find_partitions(url: str) -> dict[str, list[bytes]]:
    """Return the columns that stand in the names of a file's folders, and the values of each.

    A column has several values where several folders name it.

    >>> find_partitions("s3://b/dt=2026-01-01/at=12%3A30/late/p.parquet")
    {'dt': [b'2026-01-01'], 'at': [b'12:30']}
    """
    found: dict[str, list[bytes]] = {}
    *folders, _ = url.split("/")
    for folder in folders:
        column, separator, text = folder.partition("=")
        if not column or not separator:
            continue
        # Escaped is what a file system does not take, or what separates.
        stored_name = unquote_to_bytes(column)
        name = stored_name.decode(errors="replace")
        value = unquote_to_bytes(text)
        values = found.setdefault(name, [])
        values.append(value)
    return found


def read_values(url: str, fields: Schema) -> Values:
    """Return the value of each column, from the names of a file's folders.

    Args:
        url: the file.
        fields: the columns, with the types that the names are read as.

    Raises:
        InputError: no folder names it, two name it otherwise, or its value is not of its type.
        JobError: a type that no text is read as.
    """
    partitions = find_partitions(url)
    values = {}
    for field in fields:
        name = field.name
        # A set, as two folders may say the same.
        texts = set(partitions.get(name, ()))
        if not texts:
            raise InputError(
                f"{url}: is in no folder {name}=..., as other files are; "
                "move it, or take it out of source.paths"
            )
        if len(texts) > 1:
            raise InputError(
                f"{url}: two of its folders give {name!r} a value; rename the one that is no column"
            )
        (text,) = texts
        values[name] = _convert(url, field, text)
    return values


def _convert(url: str, field: Field, text: bytes) -> Array:
    """Return the value that a folder's name gives a column, as an array of that one value."""
    given: bytes | None = text
    if text == HIVE_NULL.encode():
        given = None
    as_bytes = pa.binary()
    fields = pa.array([given], type=as_bytes)
    name = field.name
    row = RecordBatch.from_pydict({name: fields})
    # As in CSV files, where values are texts, too.
    try:
        schema = pa.schema([field])
        converted = convert_fields(row, schema)
    except pa.ArrowNotImplementedError as error:
        raise JobError(
            f"source.types.{name}: {field.type} cannot be read from the name of a folder; "
            "declare a number or string, and convert it in a step"
        ) from error
    except (InputError, RejectedRows) as error:
        raise InputError(
            f"{url}: the value of {name!r} in its folder's name is not of type "
            f"{field.type}; rename the folder, or declare source.types.{name} otherwise"
        ) from error
    return converted.column(0)


def _refuse_other_values(batch: RawBatch, values: Values) -> None:
    """Refuse a file with a value that is not the one in its folders' names.

    Raises:
        InputError: the first such row.
    """
    for name, (expected,) in values.items():
        column = decode(batch.rows.column(name))
        same = column.is_null()
        if expected.is_valid:
            equal = pc.equal(column, expected)
            same = equal.fill_null(False)
        position = same.index(False).as_py()
        if position >= 0:
            row = batch.row_numbers[position]
            raise InputError(
                f"{batch.id.shard}: its column {name!r} has another value in row {row} than the "
                "name of its folder; mend one of the two, or leave source.partitions out to read "
                "what the file has"
            )
