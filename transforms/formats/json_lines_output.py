"""JSON lines as output: one object a line, each column under its name, in the order of the columns."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pyarrow import Array, RecordBatch, Schema, Table

from configs.errors import PublishError
from transforms.formats.csv_output import find_without_text
from transforms.formats.json_preview import read_first_lines
from transforms.formats.json_values import has_json, join_texts, quote_name, write_values
from transforms.formats.output import FileFormat, TableWriter

_COUNTED_BYTES = 1 << 20
_LINE_FEED = ord("\n")
_OPENING = ord("{")
_CLOSING = ord("}")


class JsonLinesOutput:
    """Write JSON lines, which hold no bytes, maps and extension types; the methods are `OutputFormat`'s."""

    def find_problem(self, schema: Schema, escape_formulas: bool) -> str | None:
        """Refuse columns that have no JSON, and an option that is for spreadsheets."""
        if escape_formulas:
            return (
                "sink.escape_formulas: is for spreadsheets, which open CSV; "
                "set sink.format=csv, or leave it out"
            )
        for field in schema:
            if not has_json(field.type):
                return (
                    f"sink.format jsonl cannot hold column {field.name!r} of type {field.type}; "
                    "use parquet or leave it out"
                )
        return None

    def find_unfit(
        self,
        rows: RecordBatch,
        names: Sequence[str],
    ) -> Mapping[int, Exception]:
        """Return the rows with a date or time that Arrow writes no text for."""
        return find_without_text(rows, names, "JSON")

    def open_writer(self, sink: Any, look: FileFormat) -> TableWriter:
        """Begin a file; without a row it has no byte."""
        return _JsonLinesWriter(sink)

    def count_rows(self, url: str, file: Any) -> int:
        """Read the file again."""
        return count_lines(url, file)

    def read_schema(self, file: Any) -> Schema | None:
        """Return None: JSON lines tell no types."""
        return None

    def read_first_rows(self, url: str) -> Table:
        """Return the first rows, as text."""
        return read_first_lines(url)


class _JsonLinesWriter:
    """A file on its way."""

    def __init__(self, sink: Any) -> None:
        self._sink = sink

    def write_table(self, table: Table) -> None:
        """Append rows."""
        for batch in table.to_batches():
            if batch.num_rows:
                self._sink.write(_write_batch(batch))

    def close(self) -> None:
        """Finish the file; the sink stays open."""


def _write_batch(batch: RecordBatch) -> bytes:
    """Return the lines of some rows."""
    parts: list[Array | str] = []
    opening = "{"
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        quoted = quote_name(name)
        parts.append(f"{opening}{quoted}:")
        parts.append(write_values(column))
        opening = ","
    lines = join_texts(*parts, "}\n")
    # All values of a new array lie behind each other in one buffer.
    _, offsets, content = lines.buffers()
    places = np.frombuffer(offsets, dtype=np.int64)
    stop = int(places[len(lines)])
    written = content.slice(0, stop)
    return bytes(written)


def count_lines(url: str, file: Any) -> int:
    """Count the lines of a file that was written here: each is an object and ends with a line feed.

    Args:
        url: of the file, for errors.
        file: open for reading.

    Raises:
        PublishError: it cannot be read back.
    """
    lines = 0
    # The first line begins behind a line end, too.
    last = _LINE_FEED
    is_whole = True
    while content := file.read(_COUNTED_BYTES):
        stored = np.frombuffer(content, dtype=np.uint8)
        codes = np.insert(stored, 0, last)
        before = codes[:-1]
        here = codes[1:]
        # A line ends behind a brace, and begins with one.
        ends = here == _LINE_FEED
        is_closed = before[ends] == _CLOSING
        begins = before == _LINE_FEED
        is_opened = here[begins] == _OPENING
        is_whole &= bool(is_closed.all() and is_opened.all())
        lines += int(np.count_nonzero(ends))
        last = int(codes[-1])
    if not is_whole or last != _LINE_FEED:
        raise PublishError(f"{url}: cannot be read back: it is not as it was written")
    return lines
