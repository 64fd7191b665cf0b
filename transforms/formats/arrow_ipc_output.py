"""Arrow IPC files as output, uncompressed, so that readers can map them into memory."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
from pyarrow import Array, DataType, RecordBatch, Schema, Table
import pyarrow.compute as pc
from pyarrow.types import is_dictionary

from configs.errors import PublishError
from storage import files
from transforms.formats.output import FileFormat, TableWriter
from transforms.logical_types import decode, decoded_type, holds, is_text


class ArrowIpcOutput:
    """Write Arrow IPC files; see `OutputFormat` for the methods."""

    def find_problem(self, schema: Schema, escape_formulas: bool) -> str | None:
        """Refuse dictionaries that cannot grow, and an option that is for spreadsheets."""
        if escape_formulas:
            return (
                "sink.escape_formulas: is for spreadsheets, which open CSV; "
                "set sink.format=csv, or leave it out"
            )
        for field in schema:
            if _holds_fixed_dictionary(field.type):
                return (
                    f"sink.format arrow cannot hold column {field.name!r} of type {field.type}, "
                    "in whose files a dictionary of other values than texts, or inside a list or "
                    "struct, cannot grow; use parquet or leave it out"
                )
        return None

    def find_unfit(
        self,
        rows: RecordBatch,
        names: Sequence[str],
    ) -> Mapping[int, Exception]:
        """Return none: what was read can be stored."""
        return {}

    def open_writer(self, sink: Any, look: FileFormat) -> TableWriter:
        """Begin a file."""
        return _ArrowIpcWriter(sink, look.schema)

    def count_rows(self, url: str, file: Any) -> int:
        """Read the file again, a record batch at a time.

        Args:
            url: the file, for messages.
            file: open for reading.

        Raises:
            PublishError: it is not as it was written.
        """
        try:
            with pa.ipc.open_file(file) as stored:
                numbers = range(stored.num_record_batches)
                return sum(stored.get_batch(number).num_rows for number in numbers)
        except pa.ArrowInvalid as error:
            raise PublishError(
                f"{url}: cannot be read back: it is not as it was written"
            ) from error

    def read_schema(self, file: Any) -> Schema | None:
        """Return the footer's schema."""
        with pa.ipc.open_file(file) as stored:
            return stored.schema

    def read_first_rows(self, url: str) -> Table:
        """Return the first record batch."""
        with files.open_read(url) as file:
            stored = pa.ipc.open_file(file)
            first = stored.get_batch(0)
        return Table.from_batches([first])


class _ArrowIpcWriter:
    """A file on its way, each of whose columns has one dictionary that grows."""

    def __init__(self, sink: Any, schema: Schema) -> None:
        self._schema = schema
        # A dictionary may not be replaced in a file, and what was added to it is all that is written.
        options = pa.ipc.IpcWriteOptions(emit_dictionary_deltas=True)
        self._writer = pa.ipc.new_file(sink, schema, options=options)
        self._known: dict[str, Array] = {}

    def write_table(self, table: Table) -> None:
        """Append rows, as one record batch where they are in one piece."""
        whole = table.combine_chunks()
        for batch in whole.to_batches():
            columns = []
            for field, column in zip(self._schema, batch.columns, strict=True):
                stored = column
                if is_dictionary(field.type):
                    stored = self._encode(field.name, column, field.type)
                columns.append(stored)
            rows = RecordBatch.from_arrays(columns, schema=self._schema)
            self._writer.write_batch(rows)

    def close(self) -> None:
        """Finish the file; the sink stays open."""
        self._writer.close()

    def _encode(self, name: str, column: Array, dtype: DataType) -> Array:
        """Return a column with a dictionary that begins with the one before it."""
        text = pa.large_string()
        plain = decode(column).cast(text)
        known = self._known.get(name, pa.array([], text))
        given = column.dictionary.cast(text) if name not in self._known else plain
        is_known = pc.is_in(given, known)
        added = pc.unique(given.filter(pc.invert(is_known))).drop_null()
        known = pa.concat_arrays([known, added])
        self._known[name] = known
        places = pc.index_in(plain, known)
        try:
            indices = places.cast(dtype.index_type)
        except pa.ArrowInvalid as error:
            raise PublishError(
                f"column {name!r}: has more categories than {dtype.index_type} counts; "
                f"write --set source.types.{name}=string"
            ) from error
        values = known.cast(dtype.value_type)
        return pa.DictionaryArray.from_arrays(indices, values, ordered=dtype.ordered)


def _holds_fixed_dictionary(dtype: DataType) -> bool:
    if is_dictionary(dtype):
        return not is_text(decoded_type(dtype))
    return holds(dtype, is_dictionary)
