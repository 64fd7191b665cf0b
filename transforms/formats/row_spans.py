"""Rows of a piece that a format reads as a whole only: cut out of what it reads, by their numbers.

Where each row is a file that must be opened, the table that names them is small, and to read it once
for each unit costs little; so one file, with one row group or of CSV, keeps all cores busy.

    piece   0 ... 999                         span (7, 1), as its format understands it
    parts   0 ... 399 | 400 ... 799 | ...     span (-1, 0, 1000, bytes of the piece, 7, 1)
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pyarrow as pa

from configs.errors import InputError
from transforms.batches import BatchId, RawBatch, RejectedBatch, WorkUnit
from transforms.formats.format import Piece

# What a part's span begins with: no format's own does.
_PART = -1


def cut_piece(piece: Piece, rows: int) -> list[Piece]:
    """Return parts of a piece, of up to `rows` rows each; the piece itself where it has no more.

    Args:
        piece: of a shard, whose rows are known.
        rows: of a part, at most.
    """
    count = piece.rows or 0
    if count <= rows:
        return [piece]
    span = (_PART, piece.first_row, count, piece.bytes, *piece.span)
    parts = []
    # Sizes are shares of the piece's: rows are taken for equally large.
    for first in range(0, count, rows):
        here = min(rows, count - first)
        part = Piece(
            span=span,
            first_row=piece.first_row + first,
            rows=here,
            bytes=piece.bytes * here // count,
        )
        parts.append(part)
    return parts


def find_whole(unit: WorkUnit) -> WorkUnit:
    """Return the unit of the whole piece that a unit is a part of; the same one if it is none."""
    if unit.span[:1] != (_PART,):
        return unit
    _, first_row, rows, size_bytes, *span = unit.span
    return replace(unit, span=tuple(span), first_row=first_row, rows=rows, bytes=size_bytes)


def take_part(batches: Iterator[RawBatch], unit: WorkUnit) -> Iterator[RawBatch]:
    """Yield what batches of a whole piece hold of a part of it; nothing behind it is read.

    Args:
        batches: of the piece, in order.
        unit: the part.

    Raises:
        InputError: the piece ends before the part does.
    """
    stop = unit.first_row + (unit.rows or 0)
    for batch in batches:
        first = batch.id.first_row
        behind = first + batch.rows_in
        if behind <= unit.first_row:
            continue
        is_last = behind >= stop
        yield _cut_batch(batch, unit, stop, is_last)
        if is_last:
            return
    raise InputError(
        f"{unit.shard}: has fewer rows than when the run was planned; start the run again"
    )


def _cut_batch(batch: RawBatch, unit: WorkUnit, stop: int, last: bool) -> RawBatch:
    """Return a batch of a unit, with the rows alone that are of it.

    Args:
        batch: of the whole piece.
        unit: the part.
        stop: number of the first row behind the part.
        last: whether the part ends with it.
    """
    # By number, and not by position: rejected rows have left gaps.
    bounds = np.array([unit.first_row, stop])
    positions = np.searchsorted(batch.row_numbers, bounds)
    begin, end = positions.tolist()
    first_row = max(batch.id.first_row, unit.first_row)
    batch_id = BatchId(batch.id.shard, first_row)
    rejected = []
    for records in batch.rejected:
        kept = _cut_records(records, batch_id, unit.first_row, stop)
        # A batch may have lost all of its rows on the other side.
        if kept.rows.num_rows:
            rejected.append(kept)
    return replace(
        batch,
        unit=unit,
        id=batch_id,
        rows=batch.rows.slice(begin, end - begin),
        row_numbers=batch.row_numbers[begin:end],
        last=last,
        rejected=tuple(rejected),
    )


def _cut_records(records: RejectedBatch, id: BatchId, first: int, stop: int) -> RejectedBatch:
    numbers = records.rows.column("row").to_numpy()
    is_behind_begin = numbers >= first
    is_before_end = numbers < stop
    is_here = is_behind_begin & is_before_end
    kept = records.rows.filter(pa.array(is_here))
    return replace(records, id=id, rows=kept)
