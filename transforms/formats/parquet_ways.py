"""Columns of Parquet files that Arrow would change, refuse or wrap on the way in, read exactly.

INT96 timestamps have days and nanoseconds, more than any timestamp of Arrow holds: it wraps what does not
fit, in silence. Lists of a fixed size are stored like others, and Arrow refuses a whole batch for one
that is missing. Both are read in ways that show which rows are meant, and those rows are rejected.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
import os
from typing import Any, TypeAlias

import pyarrow as pa
from pyarrow import Array, DataType, RecordBatch, Schema
import pyarrow.parquet as pq
from pyarrow.types import is_dictionary, is_fixed_size_list, is_nested, is_timestamp

from storage import files
from storage.kept_in_memory import find_kept
from transforms.formats.checked_rows import CheckedRows, Reasons
from transforms.formats.parquet_int96 import INT96_UNIT, explain_inexact, find_inexact, has_int96
from transforms.logical_types import blank_out, holds

# A Parquet file ends with its footer, the footer's length, and four letters, with which it begins, too.
_LENGTH_BYTES = 4
_MAGIC = b"PAR1"
# How a footer names the types that Arrow had, before their text; and a name that nobody looks for.
_ARROW_TYPES = b"\x18\x0cARROW:schema\x18"
_NO_TYPES = b"\x18\x0cXRROW:schema\x18"


# By column, the unit that an INT96 column comes out in.
Units: TypeAlias = Mapping[str, str]
Stream: TypeAlias = Iterator[RecordBatch]


@dataclass(frozen=True)
class Reading:
    """One way to read some columns of a file.

    Attributes:
        names: the columns.
        unit: what INT96 is read as.
        stored: whether in the types that Parquet stores, and not in those that Arrow had.
    """

    names: tuple[str, ...]
    unit: str = INT96_UNIT
    stored: bool = False

    def opens_as(self, other: "Reading") -> bool:
        """Tell whether one open file serves both."""
        has_same_unit = self.unit == other.unit
        return has_same_unit and self.stored == other.stored


# How nearly every column is read.
USUAL = Reading(())


def list_int96(
    url: str,
    metadata: pq.FileMetaData,
    schema: Schema,
) -> set[str]:
    """Return the names of the columns that are INT96, or hold some.

    Args:
        url: the file.
        metadata: its footer.
        schema: its columns as they are read with `INT96_UNIT`.
    """
    if not has_int96(metadata):
        return set()
    # The only types that depend on the unit, however deep.
    in_seconds = Reading((), unit="s")
    with open_for(url, in_seconds, metadata=metadata) as file:
        others = file.schema_arrow
    names = set()
    pairs = zip(schema, others, strict=True)
    for field, other in pairs:
        if field.type != other.type:
            names.add(field.name)
    return names


def declare_int96(
    url: str,
    schema: Schema,
    metadata: pq.FileMetaData,
    declared: Mapping[str, DataType | None],
) -> Schema:
    """Return a file's schema with INT96 columns in the units that somebody declared.

    All of them can be read so; those inside lists and the like stay as they are.

    Args:
        url: the file.
        schema: its columns as they are read with `INT96_UNIT`.
        metadata: its footer.
        declared: the types that the job or the contract states, by column.
    """
    int96 = list_int96(url, metadata, schema)
    names = int96.intersection(declared)
    for name in sorted(names):
        wanted = declared[name]
        position = schema.get_field_index(name)
        # None twice: of two columns of one name, and of a type that the first file decides.
        if position < 0 or wanted is None:
            continue
        if not is_timestamp(wanted):
            continue
        field = schema.field(position)
        # Not a zone: the file has none.
        if is_timestamp(field.type):
            in_unit = pa.timestamp(wanted.unit)
            declared_field = field.with_type(in_unit)
            schema = schema.set(position, declared_field)
    return schema


def list_readings(
    names: Sequence[str],
    stored: Schema,
    units: Units,
) -> list[Reading]:
    """Return the ways in which columns must be read so that nothing is lost; mostly it is one.

    Args:
        names: the columns to read.
        stored: the columns of the file, as Arrow reads them.
        units: by column, the unit that an INT96 column comes out in.
    """
    fixed: list[str] = []
    others: list[str] = []
    for name in names:
        field = stored.field(name)
        if holds(field.type, is_fixed_size_list):
            fixed.append(name)
        else:
            others.append(name)
    usual_names = tuple(others)
    stored_names = tuple(fixed)
    readings = [
        Reading(usual_names),
        Reading(stored_names, stored=True),
    ]
    # What wraps and what rounds shows where the units differ.
    other_units = {"ns", "s", *units.values()}
    other_units.discard(INT96_UNIT)
    usual_names = tuple(name for name in others if name in units)
    stored_names = tuple(name for name in fixed if name in units)
    for unit in sorted(other_units):
        readings += [
            Reading(usual_names, unit),
            Reading(stored_names, unit, stored=True),
        ]
    return [reading for reading in readings if reading.names]


def put_together(
    batches: Mapping[Reading, RecordBatch],
    schema: Schema,
    units: Units,
) -> CheckedRows:
    """Return the columns of a schema from what several ways of reading gave.

    Args:
        batches: the same rows, as each way gave them.
        schema: the columns, with the types that they will come out in.
        units: by column, the unit that an INT96 column comes out in.
    """
    # Nearly every file: one way, and nothing to compare.
    if len(batches) == 1 and not units:
        (rows,) = batches.values()
        return CheckedRows(rows, {})
    read = _list_columns(batches)
    columns = {}
    for name in schema.names:
        unit = units.get(name, INT96_UNIT)
        columns[name] = read[name, unit]

    reasons: Reasons = {}
    for name, unit in units.items():
        column = columns[name]
        nanoseconds = read[name, "ns"]
        seconds = read[name, "s"]
        inexact = find_inexact(unit, column, nanoseconds, seconds)
        if len(inexact) == 0:
            continue
        columns[name] = blank_out(column, inexact)
        field = schema.field(name)
        explained = explain_inexact(inexact, field, unit)
        reasons.update(explained)
    together = RecordBatch.from_pydict(columns)
    return CheckedRows(together, reasons)


def holds_nested_dictionary(dtype: DataType) -> bool:
    """Tell whether there is a dictionary inside a type."""
    if not is_nested(dtype):
        return False
    return holds(dtype, is_dictionary)


def open_for(url: str, reading: Reading, **options: Any) -> pq.ParquetFile:
    """Open a file to be read in one way.

    Args:
        url: the file.
        reading: the way; its columns do not matter here.
        options: passed on to `pyarrow.parquet.ParquetFile`.
    """
    if reading.stored:
        options["metadata"] = _read_stored_metadata(url)
    options["coerce_int96_timestamp_unit"] = reading.unit
    return pq.ParquetFile(_find_source(url), **options)


def _find_source(url: str) -> Any:
    """Return what Arrow reads of a file: itself finds a path of this disk."""
    kept = find_kept(url)
    if kept is not None:
        return pa.BufferReader(kept)
    if files.is_local(url):
        return url
    return files.open_read(url)


def skip_rows(steps: Stream, rows: int) -> Stream:
    """Yield what comes behind the first rows."""
    ahead = rows
    for step in steps:
        dropped = min(ahead, step.num_rows)
        ahead -= dropped
        if dropped < step.num_rows:
            yield step.slice(dropped)


def align(streams: Sequence[Stream]) -> Iterator[list[RecordBatch]]:
    """Yield batches of the same rows, one of each stream.

    Streams of one file have the same rows, and not always the same batches: Arrow ends one where a
    dictionary ends.
    """
    heads: list[RecordBatch] = []
    for stream in streams:
        head = next(stream, None)
        heads.append(head)
    while all(head is not None for head in heads):
        rows = min(head.num_rows for head in heads)
        yield [head.slice(0, rows) for head in heads]
        following = []
        for head, stream in zip(heads, streams, strict=True):
            rest = _advance(head, rows, stream)
            following.append(rest)
        heads = following


def _advance(
    head: RecordBatch,
    rows: int,
    stream: Stream,
) -> RecordBatch | None:
    """Return what comes behind the first rows of a batch: its other rows, or the next batch."""
    if head.num_rows > rows:
        return head.slice(rows)
    return next(stream, None)


def _list_columns(
    batches: Mapping[Reading, RecordBatch],
) -> dict[tuple[str, str], Array]:
    """Return columns by name and by the unit that they were read in."""
    columns = {}
    for reading, rows in batches.items():
        unit = reading.unit
        named = zip(reading.names, rows.columns, strict=True)
        for name, column in named:
            columns[name, unit] = column
    return columns


def hide_arrow_types(footer: bytes) -> bytes:
    """Return a footer in which nobody finds the note of the types that Arrow had."""
    # Not longer and not shorter, so that everything else stays in its place.
    return footer.replace(_ARROW_TYPES, _NO_TYPES)


def _read_stored_metadata(url: str) -> pq.FileMetaData:
    """Read a footer without the note in which Arrow says what types it had.

    Without it a list of a fixed size is a list, which may be missing.
    """
    end_bytes = _LENGTH_BYTES + len(_MAGIC)
    with files.open_read(url) as file:
        file.seek(-end_bytes, os.SEEK_END)
        end = file.read(end_bytes)
        footer_length = end[:_LENGTH_BYTES]
        footer_bytes = int.from_bytes(footer_length, "little")
        from_end = footer_bytes + end_bytes
        file.seek(-from_end, os.SEEK_END)
        footer = file.read(footer_bytes)
    # A file without rows: only its footer is read.
    without_rows = _MAGIC + hide_arrow_types(footer) + end
    source = pa.BufferReader(without_rows)
    return pq.read_metadata(source)
