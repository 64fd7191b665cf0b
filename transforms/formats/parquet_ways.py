"""Columns of Parquet files that Arrow would change, refuse or wrap on the way in, read exactly.

INT96 timestamps have days and nanoseconds, more than any timestamp of Arrow holds: it wraps what does not
fit, in silence. Lists of a fixed size are stored like others, and Arrow refuses a whole batch for one
that is missing. Both are read in ways that show which rows are meant, and those rows are rejected.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from configs.errors import RowError
from storage import files
from transforms.logical_types import holds, take_values, to_lists_of_pairs

# What INT96 becomes unless the job or the contract says otherwise: all years that anybody writes, and
# all digits that Spark does.
INT96_UNIT = "us"
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
# A Parquet file ends with its footer, the footer's length, and four letters, with which it begins, too.
_LENGTH_BYTES = 4
_MAGIC = b"PAR1"
# How a footer names the types that Arrow had, before their text; and a name that nobody looks for.
_ARROW_TYPES = b"\x18\x0cARROW:schema\x18"
_NO_TYPES = b"\x18\x0cXRROW:schema\x18"


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
        return (self.unit, self.stored) == (other.unit, other.stored)


# How nearly every column is read.
USUAL = Reading(())


def has_int96(metadata: pq.FileMetaData) -> bool:
    """Tell whether a file has an INT96 column."""
    schema = metadata.schema
    leaves = range(metadata.num_columns)
    return any(schema.column(number).physical_type == "INT96" for number in leaves)


def list_int96(url: str, metadata: pq.FileMetaData, schema: pa.Schema) -> set[str]:
    """Return the names of the columns that are INT96, or hold some.

    Args:
        url: the file.
        metadata: its footer.
        schema: its columns as they are read with `INT96_UNIT`.
    """
    if not has_int96(metadata):
        return set()
    # The only types that depend on the unit, however deep.
    with open_for(url, Reading((), unit="s"), metadata=metadata) as file:
        others = file.schema_arrow
    pairs = zip(schema, others, strict=True)
    return {field.name for field, other in pairs if field.type != other.type}


def declare_int96(
    url: str,
    schema: pa.Schema,
    metadata: pq.FileMetaData,
    declared: Mapping[str, pa.DataType | None],
) -> pa.Schema:
    """Return a file's schema with INT96 columns in the units that somebody declared.

    All of them can be read so; those inside lists and the like stay as they are.

    Args:
        url: the file.
        schema: its columns as they are read with `INT96_UNIT`.
        metadata: its footer.
        declared: the types that the job or the contract states, by column.
    """
    for name in sorted(list_int96(url, metadata, schema).intersection(declared)):
        wanted = declared[name]
        position = schema.get_field_index(name)
        # None twice: of two columns of one name, and of a type that the first file decides.
        if position < 0 or wanted is None or not pa.types.is_timestamp(wanted):
            continue
        field = schema.field(position)
        # Not a zone: the file has none.
        if pa.types.is_timestamp(field.type):
            unit = pa.timestamp(wanted.unit)
            schema = schema.set(position, field.with_type(unit))
    return schema


def list_int96_units(schema: pa.Schema, int96: set[str]) -> dict[str, str]:
    """Return the units that INT96 columns come out in, by name.

    Args:
        schema: the columns to read, with the types that they must come out in.
        int96: names of the columns that hold INT96.
    """
    units = {}
    for field in schema:
        if field.name in int96:
            is_timestamp = pa.types.is_timestamp(field.type)
            units[field.name] = field.type.unit if is_timestamp else INT96_UNIT
    return units


def list_readings(
    names: Sequence[str], stored: pa.Schema, units: Mapping[str, str]
) -> list[Reading]:
    """Return the ways in which columns must be read, so that nothing is lost; mostly it is one.

    Args:
        names: the columns to read.
        stored: the columns of the file, as Arrow reads them.
        units: those that INT96 columns come out in.
    """
    fixed: list[str] = []
    others: list[str] = []
    for name in names:
        is_fixed = holds(stored.field(name).type, pa.types.is_fixed_size_list)
        (fixed if is_fixed else others).append(name)
    readings = [Reading(tuple(others)), Reading(tuple(fixed), stored=True)]
    # What wraps and what rounds shows where the units differ.
    check_units = {"ns", "s", *units.values()} - {INT96_UNIT}
    for unit in sorted(check_units):
        for some, is_stored in ((others, False), (fixed, True)):
            int96 = tuple(name for name in some if name in units)
            readings.append(Reading(int96, unit, is_stored))
    return [reading for reading in readings if reading.names]


def put_together(
    batches: Mapping[Reading, pa.RecordBatch], schema: pa.Schema, units: Mapping[str, str]
) -> tuple[pa.RecordBatch, dict[int, Exception]]:
    """Return the columns of a schema, and why some rows were not read exactly.

    Values that were not are null.

    Args:
        batches: the same rows, as each way gave them.
        schema: the columns, with the types that they will come out in.
        units: those that INT96 columns come out in.
    """
    # Nearly every file: one way, and nothing to compare.
    if len(batches) == 1 and not units:
        (rows,) = batches.values()
        return rows, {}
    read = _list_columns(batches)
    columns = {name: read[name, units.get(name, INT96_UNIT)] for name in schema.names}
    reasons: dict[int, Exception] = {}
    for name, unit in units.items():
        inexact = find_inexact(unit, columns[name], read[name, "ns"], read[name, "s"])
        if len(inexact):
            columns[name] = blank_out(columns[name], inexact)
            reasons.update(explain_inexact(inexact, schema.field(name), unit))
    return pa.RecordBatch.from_pydict(columns), reasons


def blank_out(column: pa.Array, rows: np.ndarray) -> pa.Array:
    """Return a column with nulls in some rows.

    Args:
        column: the column.
        rows: their positions, int64.
    """
    positions = np.arange(len(column), dtype=np.int64)
    is_blank = np.zeros(len(column), dtype=bool)
    is_blank[rows] = True
    return take_values(column, pa.array(positions, mask=is_blank))


def holds_nested_dictionary(dtype: pa.DataType) -> bool:
    """Tell whether there is a dictionary inside a type."""
    return pa.types.is_nested(dtype) and holds(dtype, pa.types.is_dictionary)


def open_for(url: str, reading: Reading, **options: Any) -> pq.ParquetFile:
    """Open a file to be read in one way.

    Args:
        url: the file.
        reading: the way.
        options: of `pyarrow.parquet.ParquetFile`.
    """
    if reading.stored:
        options["metadata"] = _read_stored_metadata(url)
    source = url if files.is_local(url) else files.open_read(url)
    return pq.ParquetFile(source, coerce_int96_timestamp_unit=reading.unit, **options)


def align(streams: Sequence[Iterator[pa.RecordBatch]]) -> Iterator[list[pa.RecordBatch]]:
    """Yield batches of the same rows, one of each stream.

    Streams of one file have the same rows, and not always the same batches: Arrow ends one where a
    dictionary ends.
    """
    heads: list[pa.RecordBatch] = [next(stream, None) for stream in streams]
    while all(head is not None for head in heads):
        rows = min(head.num_rows for head in heads)
        yield [head.slice(0, rows) for head in heads]
        heads = [
            head.slice(rows) if head.num_rows > rows else next(stream, None)
            for head, stream in zip(heads, streams, strict=True)
        ]


def find_inexact(
    unit: str, values: pa.Array, nanoseconds: pa.Array, seconds: pa.Array
) -> np.ndarray:
    """Return the rows (int64) with an INT96 timestamp that its unit does not hold exactly.

    Args:
        unit: of the values.
        values: a column, which may be nested.
        nanoseconds: the same, which wraps where 64 bits are too few.
        seconds: the same without fractions, which holds every day that INT96 has.
    """
    bad = [np.empty(0, dtype=np.int64)]
    per_second = _PER_SECOND[unit]
    all_rows = np.arange(len(values), dtype=np.int64)
    for arrays, rows in _walk([values, nanoseconds, seconds], all_rows):
        # Timestamps of 64 bits are the same in every reading.
        if not pa.types.is_timestamp(arrays[0].type) or arrays[1].type == arrays[2].type:
            continue
        value, nanosecond, second = (_to_integers(array) for array in arrays)
        is_right = value // per_second == second
        # Both sides wrap alike, so only what is below the unit makes a difference.
        is_right &= value * np.int64(_PER_SECOND["ns"] // per_second) == nanosecond
        bad.append(rows[~is_right])
    return np.unique(np.concatenate(bad))


def explain_inexact(rows: np.ndarray, field: pa.Field, unit: str) -> Mapping[int, Exception]:
    """Return why rows with an INT96 timestamp are rejected.

    Args:
        rows: their positions.
        field: the column.
        unit: of its values.
    """
    way_out = ""
    # A job can declare no nested type.
    if pa.types.is_timestamp(field.type):
        other_unit = "us" if unit == "ns" else "ns"
        way_out = f"; if all fit timestamp[{other_unit}], say so in source.types"
    reason = RowError(
        f"column {field.name!r}: an INT96 timestamp that timestamp[{unit}] cannot hold exactly"
        f"{way_out}"
    )
    return dict.fromkeys(rows.tolist(), reason)


def _list_columns(
    batches: Mapping[Reading, pa.RecordBatch],
) -> dict[tuple[str, str], pa.Array]:
    """Return columns by name and by the unit that they were read in."""
    columns = {}
    for reading, rows in batches.items():
        for name, column in zip(reading.names, rows.columns, strict=True):
            columns[name, reading.unit] = column
    return columns


def _read_stored_metadata(url: str) -> pq.FileMetaData:
    """Read a footer without the note in which Arrow says what types it had.

    Without it a list of a fixed size is a list, which may be missing.
    """
    with files.open_read(url) as file:
        end_bytes = _LENGTH_BYTES + len(_MAGIC)
        file.seek(-end_bytes, 2)
        end = file.read(end_bytes)
        footer_bytes = int.from_bytes(end[:_LENGTH_BYTES], "little")
        file.seek(-end_bytes - footer_bytes, 2)
        footer = file.read(footer_bytes)
    # Not longer and not shorter, so that everything else stays in its place.
    footer = footer.replace(_ARROW_TYPES, _NO_TYPES)
    return pq.read_metadata(pa.BufferReader(_MAGIC + footer + end))


def _walk(
    arrays: Sequence[pa.Array], rows: np.ndarray
) -> Iterator[tuple[Sequence[pa.Array], np.ndarray]]:
    """Yield arrays of one structure and all that is inside them, with the row of each value."""
    yield arrays, rows
    dtype = arrays[0].type
    if pa.types.is_map(dtype):
        arrays = [to_lists_of_pairs(array) for array in arrays]
        dtype = arrays[0].type
    if pa.types.is_struct(dtype):
        for children in zip(*(array.flatten() for array in arrays), strict=True):
            yield from _walk(children, rows)
    elif pa.types.is_nested(dtype):
        inside = rows[pc.list_parent_indices(arrays[0]).to_numpy()]
        yield from _walk([array.flatten() for array in arrays], inside)


def _to_integers(array: pa.Array) -> np.ndarray:
    integers = array.cast(pa.int64()).fill_null(0)
    numbers: np.ndarray = integers.to_numpy()
    return numbers
