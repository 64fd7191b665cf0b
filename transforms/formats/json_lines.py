"""JSON lines as input: one object a line, plain or compressed; columns are the names in the objects.

Types are declared, never guessed: a number is whatever the contract says that it is. A name that a
line lacks is a missing value, as writers leave out nulls.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from pyarrow import Schema

from configs.errors import RejectedRows
from storage.input_file import InputFile
from transforms.batches import RawBatch, RowRecord, WorkUnit
from transforms.formats.column import Column
from transforms.formats.csv_archives import is_compressed
from transforms.formats.csv_bytes import CsvPiece
from transforms.formats.csv_split import cut_lines, cut_lines_for_sample
from transforms.formats.format import InputOptions, Piece, Shard, number_rows
from transforms.formats.json_first import check_first_lines
from transforms.formats.json_parse import LineParser, ParsedLines
from transforms.formats.json_text import count_mark_bytes, read_lines
from transforms.formats.unchanged import mark_last
from transforms.rejected import reject_rows


@dataclass(frozen=True)
class JsonLinesFormat:
    """Read JSON lines, plain, `.gz`, `.zst`, `.bz2` or `.xz`.

    The span of a unit is empty for a whole file, and (first byte,) for a piece of one.

    Attributes:
        max_expansion: how many times its stored size a file may hold, unpacked; None for the default.
        sparse: columns that no line of a file need have.
    """

    max_expansion: int | None = None
    sparse: tuple[str, ...] = ()
    needs_types: ClassVar[bool] = True

    def inspect(
        self,
        file: InputFile,
        wanted: Sequence[Column],
    ) -> tuple[Shard, Schema]:
        """Look at the first lines, and cut a large plain file; see `Format.inspect`."""
        blocks = read_lines(file.url, self.max_expansion)
        schema = check_first_lines(file.url, next(blocks, None), wanted, self.sparse)
        blocks.close()
        pieces: tuple[CsvPiece, ...] = ()
        if not is_compressed(file.url):
            pieces = cut_lines(file, count_mark_bytes(file.url))
        # Only a file that was cut was read to its end.
        rows = None
        if pieces:
            rows = sum(piece.rows for piece in pieces)
        return Shard(file, rows, pieces), schema

    def split(self, shard: Shard, rows: int) -> list[Piece]:
        """Return the pieces that `inspect` has found, or the whole file; `rows` are not known."""
        pieces: tuple[CsvPiece, ...] = shard.details
        if not pieces:
            whole = Piece(span=(), first_row=0, rows=None, bytes=shard.file.bytes)
            return [whole]
        return [_to_piece(piece) for piece in pieces]

    def split_for_sample(self, shard: Shard) -> list[Piece]:
        """Return pieces of a file that `split` leaves whole; see `CutsForSamples`."""
        pieces = cut_lines_for_sample(shard.file, count_mark_bytes(shard.file.url))
        return [_to_piece(piece) for piece in pieces]

    def read(
        self,
        unit: WorkUnit,
        schema: Schema,
        rows_per_batch: int,
        record: RowRecord,
    ) -> Iterator[RawBatch]:
        """Read the unit, one batch behind the parser; see `Format.read`."""
        batches = self._read_batches(unit, schema, rows_per_batch, record)
        yield from mark_last(unit, schema, batches)

    def _read_batches(
        self,
        unit: WorkUnit,
        schema: Schema,
        rows_per_batch: int,
        record: RowRecord,
    ) -> Iterator[RawBatch]:
        """Yield the unit's rows; no batch is marked as the last."""
        parser = LineParser(schema)
        piece = _get_piece(unit)
        done = 0
        for lines in read_lines(unit.shard, self.max_expansion, piece):
            parsed = parser.parse(lines)
            yield from _cut_block(unit, parsed, done, rows_per_batch, record)
            done += len(lines)


def make_json_lines_format(options: InputOptions) -> JsonLinesFormat:
    """Return the format with a job's options."""
    return JsonLinesFormat(options.max_expansion, options.sparse)


def _to_piece(piece: CsvPiece) -> Piece:
    return Piece(
        span=(piece.first_byte,),
        first_row=piece.first_row,
        rows=piece.rows,
        bytes=piece.bytes,
    )


def _get_piece(unit: WorkUnit) -> CsvPiece | None:
    """Return the piece that a unit is; None for a whole file."""
    if not unit.span:
        return None
    (first_byte,) = unit.span
    return CsvPiece(
        header_bytes=0,
        first_byte=first_byte,
        bytes=unit.bytes,
        first_row=unit.first_row,
        rows=unit.rows or 0,
    )


def _cut_block(
    unit: WorkUnit,
    parsed: ParsedLines,
    before: int,
    rows_per_batch: int,
    record: RowRecord,
) -> Iterator[RawBatch]:
    """Yield a block in batches, without the rows that are rejected.

    Args:
        unit: the unit.
        parsed: the block.
        before: lines of the unit before it.
        rows_per_batch: rows of a batch, at most.
        record: what is kept of a rejected row.
    """
    in_order = np.array(sorted(parsed.reasons), dtype=np.int64)
    for start in range(0, parsed.rows.num_rows, rows_per_batch):
        rows = parsed.rows.slice(start, rows_per_batch)
        numbered = number_rows(unit, rows, before + start, last=False)
        batch = replace(numbered, record=record)
        bounds = np.searchsorted(in_order, [start, start + rows.num_rows])
        first, stop = bounds.tolist()
        here = {}
        for position in in_order[first:stop].tolist():
            here[position - start] = parsed.reasons[position]
        if here:
            batch = reject_rows(batch, RejectedRows(here), "read")
        yield batch
