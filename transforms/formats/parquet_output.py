"""Parquet files as output, with page checksums, which readers can check."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
from pyarrow import DataType, Field, RecordBatch, Schema, Table
import pyarrow.parquet as pq
from pyarrow.types import is_fixed_size_list, is_struct

from storage import files
from storage.parquet_depth import open_parquet
from transforms.formats.output import FileFormat, TableWriter
from transforms.logical_types import holds, rebuild_type

# More than any preview shows.
_FIRST_ROWS = 100


class ParquetOutput:
    """Write Parquet, which holds nearly every Arrow type. See `OutputFormat` for the methods."""

    def find_problem(
        self,
        schema: Schema,
        escape_formulas: bool,
    ) -> str | None:
        """Refuse columns that nobody could read back, and an option that is for spreadsheets."""
        if escape_formulas:
            return (
                "sink.escape_formulas: is for spreadsheets, which open CSV; "
                "set sink.format=csv, or leave it out"
            )
        # Nearly always: at once.
        if can_store(schema):
            return None
        unfit = [field for field in schema if not can_store(pa.schema([field]))]
        if not unfit:
            return None
        first = unfit[0]
        return (
            f"sink.format parquet cannot hold column {first.name!r} of type {first.type}; "
            "leave it out, or try sink.format=arrow"
        )

    def find_unfit(
        self,
        rows: RecordBatch,
        names: Sequence[str],
    ) -> Mapping[int, Exception]:
        """Return none: what was read can be stored."""
        return {}

    def open_writer(self, sink: Any, look: FileFormat) -> TableWriter:
        """Begin a file: zstd at its fastest, dictionaries for texts alone."""
        writer: TableWriter = pq.ParquetWriter(
            sink,
            look.schema,
            compression="zstd",
            compression_level=1,
            # Of numbers that hardly repeat, a dictionary costs twice the time and space.
            use_dictionary=list(look.repeating),
            # A reader that checks them sees what a disk has changed.
            write_page_checksum=True,
        )
        return writer

    def count_rows(self, url: str, file: Any) -> int:
        """Return what the footer says, which is written last."""
        stored = open_parquet(file)
        return int(stored.metadata.num_rows)

    def read_schema(self, file: Any) -> Schema | None:
        """Return the footer's schema."""
        return open_parquet(file).schema_arrow

    def read_first_rows(self, url: str) -> Table:
        """Return the first rows alone, as a row group may be large."""
        with files.open_read(url) as file:
            stored = open_parquet(file)
            batches = stored.iter_batches(_FIRST_ROWS)
            first = next(batches)
        return Table.from_batches([first])


def can_store(schema: Schema) -> bool:
    """Tell whether Arrow writes Parquet of these columns that can be read again.

    >>> can_store(pa.schema({"a": pa.list_(pa.string())})), can_store(pa.schema({"a": pa.binary(0)}))
    (True, False)
    """
    if any(holds(field.type, _is_list_of_nothing) for field in schema):
        return False
    # Some types are refused only once there is a value, or a missing one.
    missing = {field.name: pa.nulls(1, _let_miss(field.type)) for field in schema}
    table = pa.table(missing)
    sink = pa.BufferOutputStream()
    try:
        pq.write_table(table, sink)
    except (pa.ArrowException, OSError):
        return False
    return True


def _let_miss(dtype: DataType) -> DataType:
    """Return a type of which a missing value can be written: what is inside of it may be missing, too."""
    if is_struct(dtype):
        return pa.struct([_let_field_miss(field) for field in dtype])
    if is_fixed_size_list(dtype):
        item = _let_field_miss(dtype.value_field)
        return pa.list_(item, dtype.list_size)
    return rebuild_type(dtype, _let_miss)


def _let_field_miss(field: Field) -> Field:
    inner = _let_miss(field.type)
    return field.with_type(inner).with_nullable(True)


def _is_list_of_nothing(dtype: DataType) -> bool:
    # Arrow stores its values as missing ones of a list that must be there.
    if not is_fixed_size_list(dtype):
        return False
    return bool(dtype.list_size == 0)
