"""Avro as input: blocks of an object container file, and rows in the run's schema."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import ClassVar

from pyarrow import Schema

from configs.errors import InputError, RowError
from storage.input_file import InputFile
from transforms.batches import RawBatch, RowRecord, WorkUnit
from transforms.formats.avro_blocks import (
    Block,
    BrokenBlock,
    find_blocks,
    read_block,
    read_head,
    unpack_block,
)
from transforms.formats.avro_rows import Chunk, Decoder, join_chunks
from transforms.formats.avro_schema import read_schema
from transforms.formats.avro_types import AvroField, count_row_bytes, make_schema
from transforms.formats.cast_rows import cast_rows
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
from transforms.formats.read_failures import explain_failure, find_way_out

# A bomb is more than this much, decoded, and more than so many times the size of its file.
_BOMB_BYTES = 1 << 30
_MAX_EXPANSION = 1_000


@dataclass(frozen=True)
class AvroFormat:
    """Read Avro; the span of a unit is (first byte, end) of its blocks.

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
        """Read the schema, and the heads of all blocks; see `Format.inspect`."""
        url = file.url
        with _open(url) as stored:
            head = read_head(url, stored)
            fields = read_schema(url, head.schema)
            schema = make_schema(fields)
            _check_types(url, fields, wanted)
            check_columns(url, schema, wanted)
            blocks = find_blocks(url, stored, head)
        self._refuse_bomb(file, fields, blocks, head.codec)
        rows = sum(block.rows for block in blocks)
        return Shard(file, rows, tuple(blocks)), schema

    def split(
        self,
        shard: Shard,
        rows: int,
    ) -> list[Piece]:
        """Put blocks together, up to `rows` rows; one that has more stays whole."""
        blocks: tuple[Block, ...] = shard.details
        sizes = [(block.rows, block.stop - block.start) for block in blocks]
        pieces = group_parts(sizes, rows, shard.file.bytes)
        placed = []
        for piece in pieces:
            first, count = piece.span
            # A file may have none.
            span = (0, 0)
            if count:
                last = blocks[first + count - 1]
                span = (blocks[first].start, last.stop)
            placed.append(Piece(span, piece.first_row, piece.rows, piece.bytes))
        return placed

    def read(
        self,
        unit: WorkUnit,
        schema: Schema,
        rows_per_batch: int,
        record: RowRecord,
    ) -> Iterator[RawBatch]:
        """Read the unit's blocks; see `Format.read`."""
        total = unit.rows or 0
        done = 0
        # A unit without rows gives one batch without rows.
        if total == 0:
            yield number_rows(unit, no_rows(schema), 0, last=True)
            return
        with _open(unit.shard) as stored:
            chunks = _read_chunks(unit, stored, schema)
            for rows, reasons in join_chunks(chunks, rows_per_batch):
                stop = done + rows.num_rows
                batch = number_rows(unit, rows, done, last=stop == total)
                done = stop
                yield cast_rows(batch, schema, record, reasons)
        if done != total:
            raise InputError(
                f"{unit.shard}: {total} rows were counted from row {unit.first_row} on, "
                f"but there are {done}; replace the file"
            )

    def _refuse_bomb(
        self,
        file: InputFile,
        fields: Sequence[AvroField],
        blocks: Sequence[Block],
        codec: str,
    ) -> None:
        """Refuse a file whose blocks promise more rows than they can hold."""
        row_bytes = count_row_bytes(fields)
        # Of packed ones only unpacking tells.
        if codec == "null":
            for block in blocks:
                _check_rows(file.url, block, row_bytes, block.content_bytes)
        rows = sum(block.rows for block in blocks)
        limit = max(_BOMB_BYTES, self.max_expansion * file.bytes)
        if rows * row_bytes > limit:
            raise InputError(
                f"{file.url}: its rows come to more than {self.max_expansion:,} times its size and "
                "more than 1 GiB, so it may be a bomb; if it is not, raise source.max_expansion"
            )


def make_avro_format(options: InputOptions) -> AvroFormat:
    """Return the format with a job's options."""
    return AvroFormat(options.max_expansion or _MAX_EXPANSION)


def _check_types(
    url: str,
    fields: Sequence[AvroField],
    wanted: Sequence[Column],
) -> None:
    """Refuse wanted columns of types that no column has, all of them at once."""
    names = {column.name for column in wanted}
    untyped = [field for field in fields if field.type.problem and field.name in names]
    problems = [f"column {field.name!r} {field.type.problem}" for field in untyped]
    if problems:
        listed = "; ".join(problems)
        raise InputError(f"{url}: {listed}; or leave such columns out of the job")


def _read_chunks(
    unit: WorkUnit,
    stored: StoredBytes,
    schema: Schema,
) -> Iterator[Chunk]:
    """Yield the rows of a unit, block by block."""
    url = unit.shard
    head = read_head(url, stored)
    decoder = Decoder(read_schema(url, head.schema), schema.names)
    position, stop = unit.span
    first_row = unit.first_row
    while position < stop:
        block, packed = read_block(url, stored, position)
        try:
            content = unpack_block(url, block, packed, head.codec)
            _check_rows(url, block, decoder.row_bytes, len(content))
            yield from decoder.decode(content, block.rows)
        except BrokenBlock as error:
            last_row = first_row + block.rows - 1
            problem = RowError(
                f"the block of rows {first_row} to {last_row} is broken: {error}, and nobody knows "
                "where a row begins behind one that is broken"
            )
            yield from decoder.flush()
            yield from decoder.give_up(block.rows, problem)
        first_row += block.rows
        position = block.stop
    yield from decoder.flush()


def _check_rows(
    url: str,
    block: Block,
    row_bytes: int,
    content_bytes: int,
) -> None:
    """Refuse a block that promises more rows than can stand in it: their number is no number."""
    if block.rows * row_bytes > content_bytes:
        raise InputError(
            f"{url}: cannot be read as Avro: the block from byte {block.start} on promises "
            f"{block.rows} rows, which do not fit into it; replace the file"
        )


@contextmanager
def _open(url: str) -> Iterator[StoredBytes]:
    """Open a file, and refuse it where it cannot be read."""
    try:
        with closing(StoredBytes(url)) as stored:
            yield stored
    except OSError as error:
        reason = explain_failure(error, url)
        raise InputError(f"{url}: cannot be read: {reason}; {find_way_out(error)}") from error
