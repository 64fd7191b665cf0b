"""Arrow IPC as input, files (Feather) and streams: record batches, and rows in the run's schema."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, ClassVar

import pyarrow as pa
from pyarrow import RecordBatch, Schema

from configs.errors import InputError
from storage.input_file import InputFile
from transforms.batches import RawBatch, RowRecord, WorkUnit
from transforms.formats.cast_rows import cast_slices
from transforms.formats.column import Column
from transforms.formats.columns import check_columns
from transforms.formats.csv_bytes import StoredBytes
from transforms.formats.format import (
    InputOptions,
    Piece,
    Shard,
    group_parts,
    no_rows,
    number_rows,
)
from transforms.formats.ipc_messages import Layout, Message, find_messages
from transforms.formats.read_failures import explain_failure, find_way_out, is_out_of_reach
from transforms.formats.stored_parts import skip_part

# A bomb is more than this much, decoded, and more than so many times the size of its file.
_BOMB_BYTES = 1 << 30
_MAX_EXPANSION = 1_000
# Of a record batch, which a worker holds as a whole, once as it is stored and once as columns.
_MOST_MESSAGE_BYTES = 2 << 30
# What pyarrow and the system raise of a broken file; the last one of a type that Python has no class for.
_FAILURES = (OSError, pa.ArrowException, UnicodeDecodeError, OverflowError, KeyError)


@dataclass(frozen=True)
class ArrowIpcFormat:
    """Read Arrow IPC; the span of a unit is (first record batch, number of record batches).

    A record batch is read whole, whatever columns are wanted, and refused beyond 2 GiB.

    Attributes:
        max_expansion: how many times its stored size a file may hold, decoded.
    """

    max_expansion: int = _MAX_EXPANSION
    needs_types: ClassVar[bool] = False

    def inspect(
        self,
        file: InputFile,
        wanted: Sequence[Column],
    ) -> tuple[Shard, Schema]:
        """Read the schema, and the heads of all messages; see `Format.inspect`."""
        url = file.url
        with closing(StoredBytes(url, ahead=False)) as stored:
            layout = find_messages(url, stored)
            schema = _read_schema(url, stored, layout)
        check_columns(url, schema, wanted)
        decoded = [message.decoded_bytes for message in layout.messages]
        decoded_bytes = sum(decoded)
        limit = max(_BOMB_BYTES, self.max_expansion * file.bytes)
        if decoded_bytes > limit:
            raise InputError(
                f"{url}: its record batches come to more than {self.max_expansion:,} times its "
                "size and more than 1 GiB, so it may be a bomb; if it is not, raise "
                "source.max_expansion"
            )
        _refuse_large(url, layout.messages)
        batches = layout.batches
        rows = sum(batch.rows for batch in batches)
        shard = Shard(file, rows, batches)
        return shard, schema.remove_metadata()

    def split(self, shard: Shard, rows: int) -> list[Piece]:
        """Put record batches together, up to `rows` rows; one that has more stays whole."""
        batches: tuple[Message, ...] = shard.details
        sizes = [(batch.rows, batch.stop - batch.start) for batch in batches]
        return group_parts(sizes, rows, shard.file.bytes)

    def read(
        self,
        unit: WorkUnit,
        schema: Schema,
        rows_per_batch: int,
        record: RowRecord,
    ) -> Iterator[RawBatch]:
        """Read the unit's record batches; see `Format.read`."""
        total = unit.rows or 0
        done = 0
        # A unit without rows gives one batch without rows.
        if total == 0:
            yield number_rows(unit, no_rows(schema), 0, last=True)
            return
        try:
            for stored_rows in _read_batches(unit, schema.names):
                yield from cast_slices(unit, stored_rows, done, schema, rows_per_batch, record)
                done += stored_rows.num_rows
        except _FAILURES as error:
            row = unit.first_row + done
            raise _refuse(unit.shard, f"from row {row} on", error, schema.names) from error
        if done != total:
            raise InputError(
                f"{unit.shard}: the heads of its messages promised {total} rows from row "
                f"{unit.first_row} on, but there are {done}; replace the file"
            )

    def find_rest(self, unit: WorkUnit, rows_done: int) -> WorkUnit | None:
        """Return the record batches behind the one that cannot be read; see `FindsRest`."""
        first, count = unit.span
        with closing(StoredBytes(unit.shard, ahead=False)) as stored:
            layout = find_messages(unit.shard, stored)
        batches = layout.batches[first : first + count]
        counts = [batch.rows for batch in batches]
        return skip_part(unit, counts, rows_done)


def _refuse_large(url: str, messages: Sequence[Message]) -> None:
    """Refuse a file with a record batch or dictionary that is too large to be read as a whole."""
    largest = max((message.decoded_bytes for message in messages), default=0)
    if largest > _MOST_MESSAGE_BYTES:
        raise InputError(
            f"{url}: one of its record batches or dictionaries holds {largest:,} bytes, and each is "
            f"read whole, up to {_MOST_MESSAGE_BYTES >> 30} GiB; write it with record batches of some "
            "100,000 rows (Polars: record_batch_size, pyarrow: max_chunksize)"
        )


def make_arrow_ipc_format(options: InputOptions) -> ArrowIpcFormat:
    """Return the format with a job's options."""
    return ArrowIpcFormat(options.max_expansion or _MAX_EXPANSION)


class _Messages:
    """Some messages of a file, one after the other, as a stream that pyarrow reads.

    Args:
        start: the schema's.
        stored: the file.
        spans: where each of the others begins and ends.
    """

    # pyarrow asks before every read.
    closed = False

    def __init__(
        self,
        start: bytes,
        stored: StoredBytes,
        spans: Sequence[tuple[int, int]],
    ) -> None:
        self._start = start
        self._stored = stored
        self._spans = list(spans)

    def read(self, size: int) -> bytes:
        """Return so many bytes, fewer at the end."""
        first = self._start[:size]
        self._start = self._start[size:]
        size -= len(first)
        parts = [first]
        while self._spans and size > 0:
            start, stop = self._spans[0]
            wanted = min(size, stop - start)
            if wanted:
                part = self._stored.read_at(start, wanted)
                parts.append(part)
                size -= len(part)
                start += len(part)
            # A message may have no body.
            self._spans[0] = (start, stop)
            if start == stop:
                self._spans.pop(0)
        return b"".join(parts)


def _read_schema(url: str, stored: StoredBytes, layout: Layout) -> Schema:
    try:
        schema = _open(stored, layout.schema, ()).schema
        # A name that is no text fails where it is asked for.
        _ = schema.names
        return schema
    except _FAILURES as error:
        # It holds names and types, and no values: which type it is that nobody can read, is told.
        reason = explain_failure(error, url)
        raise InputError(
            f"{url}: cannot be read, its schema: {reason}; {find_way_out(error)}"
        ) from error


def _read_batches(unit: WorkUnit, names: Sequence[str]) -> Iterator[RecordBatch]:
    """Yield the record batches of a unit, with the wanted columns alone."""
    first, count = unit.span
    with closing(StoredBytes(unit.shard)) as stored:
        layout = find_messages(unit.shard, stored)
        spans = list(_list_spans(layout, first, count))
        with _open(stored, layout.schema, spans) as reader:
            for batch in reader:
                yield batch.select(list(names))


def _list_spans(
    layout: Layout,
    first: int,
    count: int,
) -> Iterator[tuple[int, int]]:
    """Yield where some record batches are, and the dictionaries before them.

    A dictionary holds for all batches behind it, until another takes its place or adds to it.

    Args:
        layout: of the file.
        first: number of the first record batch.
        count: how many.
    """
    number = 0
    for message in layout.messages:
        if number >= first + count:
            return
        if message.is_dictionary or number >= first:
            yield (message.start, message.stop)
        number += not message.is_dictionary


def _open(
    stored: StoredBytes,
    schema: bytes,
    spans: Sequence[tuple[int, int]],
) -> Any:
    messages = _Messages(schema, stored, spans)
    source = pa.PythonFile(messages, mode="r")
    # Not in threads of Arrow's own: the workers of a machine take all of its cores.
    options = pa.ipc.IpcReadOptions(use_threads=False)
    return pa.ipc.open_stream(source, options=options)


def _refuse(
    url: str,
    where: str,
    error: Exception,
    names: Sequence[str],
) -> InputError:
    # Arrow's words may quote what stands in the file.
    reason = type(error).__name__
    if is_out_of_reach(error):
        reason = explain_failure(error, url, names)
    return InputError(f"{url}: cannot be read, {where}: {reason}; {find_way_out(error)}")
