"""The rows of an Avro block, decoded by fastavro, as columns; and chunks of rows put together."""

from collections.abc import Iterator, Sequence
from io import BytesIO
from itertools import islice
from operator import itemgetter
from typing import Any, NamedTuple

import fastavro
import pyarrow as pa
from pyarrow import RecordBatch

from transforms.formats.avro_blocks import BrokenBlock
from transforms.formats.avro_columns import Reasons, make_column
from transforms.formats.avro_types import (
    AvroField,
    count_row_bytes,
    holds_items,
    make_raw_field,
    make_schema,
)

# Rows that are Python's for a moment, before they are columns.
_ROWS_AT_ONCE = 1_024
# Blocks are put together into batches up to this much.
_BATCH_BYTES = 64 << 20
_WAITING_BYTES = 8 << 20
# To skip a column takes nearly as long as to read it, and to match the others twice as long.
_FIELDS_PER_WANTED = 4
# Behind a block's rows, so that a row that is longer than the block ends elsewhere.
_BEHIND = b"\0"
_MARK = bytes(16)
# What fastavro raises of rows that are none.
_FAILURES = (
    EOFError,
    IndexError,
    KeyError,
    OverflowError,
    StopIteration,
    TypeError,
    ValueError,
)


class Chunk(NamedTuple):
    """Some rows, and by position why some of them are none."""

    rows: RecordBatch
    reasons: Reasons


class Decoder:
    """Decodes the rows of blocks, with the wanted columns of a file.

    Args:
        fields: the file's columns.
        names: the wanted ones.

    Attributes:
        row_bytes: what a row takes in a block, at least.
    """

    def __init__(
        self,
        fields: Sequence[AvroField],
        names: Sequence[str],
    ) -> None:
        numbers = {field.name: number for number, field in enumerate(fields)}
        places = [numbers[name] for name in names]
        self._wanted = [fields[place] for place in places]
        self._arrow = make_schema(self._wanted)
        self._keys = [f"f{place}" for place in places]
        raw_fields = []
        for number, field in enumerate(fields):
            raw_field = make_raw_field(number, field.type)
            raw_fields.append(raw_field)
        written = _make_record(raw_fields)
        read: Any = None
        # What skips an array believes how many items it has, and goes on behind the end of the block.
        may_skip = not any(holds_items(field["type"]) for field in raw_fields)
        if may_skip and len(names) * _FIELDS_PER_WANTED <= len(fields):
            kept = [raw_fields[place] for place in places]
            read = _make_record(kept)
        self.row_bytes = count_row_bytes(fields)
        self._file = BytesIO()
        fastavro.writer(self._file, written, [], codec="null", sync_marker=_MARK)
        self._file.seek(0)
        # One for all blocks, each of which is put into the file when it is its turn: with a schema of
        # many columns, to begin takes as long as to decode a small block.
        self._blocks = fastavro.block_reader(self._file, read)
        # Rows of small blocks, which become columns together.
        self._waiting: list[Any] = []
        self._waiting_bytes = 0

    def decode(
        self,
        content: bytes,
        rows: int,
    ) -> list[Chunk]:
        """Return the rows of a block, all of them before anybody takes one.

        Rows of a small block may come with those of the next one, or by `flush`.

        Args:
            content: the block, unpacked.
            rows: how many it promises.

        Raises:
            BrokenBlock: its bytes are not those rows.
        """
        self._put(content, rows)
        chunks = []
        some: list[Any] = []
        try:
            block = next(self._blocks)
            decoded = iter(block)
            some = _take(decoded)
            # The last ones may wait for those of the next block.
            while len(some) == _ROWS_AT_ONCE:
                chunk = self._make_chunk(some)
                chunks.append(chunk)
                some = _take(decoded)
        except _FAILURES as error:
            raise BrokenBlock("its bytes are not rows of its schema") from error
        # Where one row ends, the next one begins: a wrong length anywhere moves the end.
        if block.bytes_.tell() != len(content):
            raise BrokenBlock("its rows do not end where it ends")
        if chunks:
            chunks = [*self.flush(), *chunks]
        self._waiting += some
        self._waiting_bytes += len(content)
        are_many = len(self._waiting) >= _ROWS_AT_ONCE
        if are_many or self._waiting_bytes > _WAITING_BYTES:
            chunks += self.flush()
        return chunks

    def flush(self) -> list[Chunk]:
        """Return the rows that were decoded and did not come yet."""
        waiting = self._waiting
        self._waiting = []
        self._waiting_bytes = 0
        if not waiting:
            return []
        chunk = self._make_chunk(waiting)
        return [chunk]

    def give_up(
        self,
        rows: int,
        problem: Exception,
    ) -> Iterator[Chunk]:
        """Yield rows without values, each with the same reason.

        Args:
            rows: how many.
            problem: the reason.
        """
        for start in range(0, rows, _ROWS_AT_ONCE):
            count = min(_ROWS_AT_ONCE, rows - start)
            columns = [pa.nulls(count, dtype) for dtype in self._arrow.types]
            nothing = RecordBatch.from_arrays(columns, schema=self._arrow)
            reasons = dict.fromkeys(range(count), problem)
            yield Chunk(nothing, reasons)

    def _put(
        self,
        content: bytes,
        rows: int,
    ) -> None:
        """Make a block, unpacked, what is read next."""
        file = self._file
        # What a longer block has left behind the mark is never reached.
        file.seek(0)
        fastavro.schemaless_writer(file, "long", rows)
        fastavro.schemaless_writer(file, "bytes", content + _BEHIND)
        file.write(_MARK)
        file.seek(0)

    def _make_chunk(
        self,
        decoded: Sequence[Any],
    ) -> Chunk:
        columns = []
        reasons: Reasons = {}
        for key, field in zip(self._keys, self._wanted, strict=True):
            take = itemgetter(key)
            values = list(map(take, decoded))
            column, why = make_column(field, values)
            columns.append(column)
            reasons.update(why)
        rows = RecordBatch.from_arrays(columns, schema=self._arrow)
        return Chunk(rows, reasons)


def join_chunks(
    chunks: Iterator[Chunk],
    rows_per_batch: int,
) -> Iterator[Chunk]:
    """Yield the same rows, as many at a time as a batch has.

    Args:
        chunks: rows that follow each other.
        rows_per_batch: how many a batch has at most.
    """
    waiting: list[Chunk] = []
    rows = 0
    size_bytes = 0
    for chunk in _cut(chunks, rows_per_batch):
        count = chunk.rows.num_rows
        is_full = rows + count > rows_per_batch or size_bytes > _BATCH_BYTES
        if waiting and is_full:
            yield _join(waiting)
            waiting = []
            rows = 0
            size_bytes = 0
        waiting.append(chunk)
        rows += count
        size_bytes += chunk.rows.nbytes
    if waiting:
        yield _join(waiting)


def _cut(
    chunks: Iterator[Chunk],
    rows_per_batch: int,
) -> Iterator[Chunk]:
    """Yield chunks, none of which has more rows than a batch."""
    for chunk in chunks:
        if chunk.rows.num_rows <= rows_per_batch:
            yield chunk
            continue
        count = chunk.rows.num_rows
        for start in range(0, count, rows_per_batch):
            rows = chunk.rows.slice(start, rows_per_batch)
            stop = start + rows.num_rows
            reasons = {}
            for position, reason in chunk.reasons.items():
                is_here = start <= position < stop
                if is_here:
                    reasons[position - start] = reason
            yield Chunk(rows, reasons)


def _join(chunks: Sequence[Chunk]) -> Chunk:
    if len(chunks) == 1:
        return chunks[0]
    parts = [chunk.rows for chunk in chunks]
    rows = pa.concat_batches(parts)
    reasons: Reasons = {}
    before = 0
    for chunk in chunks:
        for position, reason in chunk.reasons.items():
            reasons[before + position] = reason
        before += chunk.rows.num_rows
    return Chunk(rows, reasons)


def _take(decoded: Iterator[Any]) -> list[Any]:
    some = islice(decoded, _ROWS_AT_ONCE)
    return list(some)


def _make_record(fields: Sequence[Any]) -> Any:
    return {"type": "record", "name": "r", "fields": list(fields)}
