"""Rows of a data file without those that its table's log calls deleted, and numbered without them.

rows of the file    0   1   2   3   4   5
deleted                 x       x
live rows           0       1       2   3
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from configs.errors import InputError
from transforms.batches import BatchId, RawBatch, RejectedBatch, WorkUnit
from transforms.formats.format import Piece
from transforms.record_batches import filter_rows


def leave_out(piece: Piece, deleted: np.ndarray) -> Piece:
    """Return a piece with its rows counted without the deleted ones.

    Args:
        piece: of the file; in what is returned its first row and its rows stand before its span.
        deleted: positions in the file, ascending.
    """
    first = piece.first_row
    rows = piece.rows or 0
    bounds = np.searchsorted(deleted, [first, first + rows])
    deleted_before, deleted_up_to_end = bounds.tolist()
    deleted_here = deleted_up_to_end - deleted_before
    return replace(
        piece,
        span=(first, rows, *piece.span),
        first_row=first - deleted_before,
        rows=rows - deleted_here,
    )


def find_stored_unit(unit: WorkUnit) -> WorkUnit:
    """Return a unit with its rows as the file has them, of a file with deleted rows."""
    # None was left out of the file: its format knows no such numbers.
    first_row, rows, *span = unit.span
    return replace(unit, span=tuple(span), first_row=first_row, rows=rows)


def take_live(
    batches: Iterator[RawBatch],
    unit: WorkUnit,
    whole: WorkUnit,
    deleted: np.ndarray,
) -> Iterator[RawBatch]:
    """Yield the rows of a unit that are not deleted, numbered without those.

    Args:
        batches: of the file's own rows.
        unit: as it is in the plan.
        whole: the same with all rows.
        deleted: positions in the file, ascending.
    """
    done = 0
    for batch in batches:
        stored_first = batch.id.first_row
        deleted_before = int(np.searchsorted(deleted, stored_first))
        batch_id = BatchId(unit.shard, stored_first - deleted_before)
        is_live = ~np.isin(batch.row_numbers, deleted)
        numbers = batch.row_numbers[is_live]
        rejected = []
        for records in batch.rejected:
            kept = _take_live_records(records, batch_id, deleted)
            if kept.rows.num_rows:
                rejected.append(kept)
        live = replace(
            batch,
            unit=unit,
            id=batch_id,
            rows=filter_rows(batch.rows, is_live),
            row_numbers=numbers - np.searchsorted(deleted, numbers),
            rejected=tuple(rejected),
        )
        done += live.rows_in
        # A batch without a row says nothing, but that the unit ends.
        if live.rows_in or live.last:
            yield live
    if done != unit.rows:
        raise InputError(
            f"{unit.shard}: has {done:,} rows from row {whole.first_row:,} on that are not deleted, "
            f"and had {unit.rows:,} when the run was planned; start the run again"
        )


def _take_live_records(
    records: RejectedBatch,
    id: BatchId,
    deleted: np.ndarray,
) -> RejectedBatch:
    rows = records.rows
    position = rows.schema.get_field_index("row")
    numbers = rows.column(position).to_numpy()
    is_live = ~np.isin(numbers, deleted)
    kept = filter_rows(rows, is_live)
    live = numbers[is_live]
    deleted_before = np.searchsorted(deleted, live)
    new_numbers: Any = pa.array(live - deleted_before, type=pa.int64())
    renumbered = kept.set_column(position, "row", new_numbers)
    return replace(records, id=id, rows=renumbered)
