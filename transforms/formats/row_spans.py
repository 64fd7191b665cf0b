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
from transforms.batches import BatchId, RawBatch, RejectedBatch, WorkUnit, count_rejected
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
    first_row = piece.first_row
    size_bytes = piece.bytes
    span = (_PART, first_row, count, size_bytes, *piece.span)
    parts = []
    for first in range(0, count, rows):
        left = count - first
        here = min(rows, left)
        part = Piece(
            span=span,
            first_row=first_row + first,
            rows=here,
            # Its share of the piece's: rows are taken for equally large.
            bytes=size_bytes * here // count,
        )
        parts.append(part)
    return parts


def find_whole(unit: WorkUnit) -> WorkUnit:
    """Return the unit of the whole piece that a unit is a part of; the same one if it is none."""
    if unit.span[:1] != (_PART,):
        return unit
    _, first_row, rows, size_bytes, *span = unit.span
    return replace(
        unit,
        span=tuple(span),
        first_row=first_row,
        rows=rows,
        bytes=size_bytes,
    )


def take_part(batches: Iterator[RawBatch], unit: WorkUnit) -> Iterator[RawBatch]:
    """Yield what batches of a whole piece hold of a part of it; nothing behind it is read.

    Args:
        batches: of the piece, in order.
        unit: the part.

    Raises:
        InputError: the piece ends before the part does.
    """
    begin = unit.first_row
    rows = unit.rows or 0
    stop = begin + rows
    for batch in batches:
        first = batch.id.first_row
        behind = first + batch.rows_in
        if behind <= begin:
            continue
        is_last = behind >= stop
        yield _cut_batch(batch, unit, stop, is_last)
        if is_last:
            return
    raise InputError(
        f"{unit.shard}: has fewer rows than when the run was planned; start the run again"
    )


def _cut_batch(
    batch: RawBatch,
    unit: WorkUnit,
    stop: int,
    last: bool,
) -> RawBatch:
    """Return a batch of a unit, with the rows alone that are of it.

    Args:
        batch: of the whole piece.
        unit: the part.
        stop: number of the first row behind the part.
        last: whether the part ends with it.
    """
    # By number, and not by position: rejected rows have left gaps.
    first = unit.first_row
    numbers = batch.row_numbers
    bounds = np.array([first, stop])
    positions = np.searchsorted(numbers, bounds)
    begin, end = positions.tolist()
    whole_id = batch.id
    first_row = max(whole_id.first_row, first)
    batch_id = BatchId(whole_id.shard, first_row)
    rejected = []
    for records in batch.rejected:
        kept = _cut_records(records, batch_id, first, stop)
        # A batch may have lost all of its rows on the other side.
        if kept.rows.num_rows:
            rejected.append(kept)
    count = end - begin
    behind = whole_id.first_row + batch.rows_in
    all_rows = min(stop, behind) - first_row
    return replace(
        batch,
        unit=unit,
        id=batch_id,
        rows=batch.rows.slice(begin, count),
        row_numbers=numbers[begin:end],
        last=last,
        rejected=tuple(rejected),
        # Whatever else stood here.
        rows_left_out=all_rows - count - count_rejected(tuple(rejected)),
    )


def _cut_records(
    records: RejectedBatch,
    id: BatchId,
    first: int,
    stop: int,
) -> RejectedBatch:
    rows = records.rows
    stored = rows.column("row")
    numbers = stored.to_numpy()
    is_behind_begin = numbers >= first
    is_before_end = numbers < stop
    is_here = is_behind_begin & is_before_end
    mask = pa.array(is_here)
    kept = rows.filter(mask)
    return replace(records, id=id, rows=kept)
