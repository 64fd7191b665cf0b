"""What is left of a shard that breaks while it is read: the rows before are scored, those behind are lost.

    rows       0 ... 199   200 ... 299          the page of row 200 is broken
    batches    0 ... 199   200 ... 299, rejected, each with its number
                           and the shard's name among those that are broken

For runs whose job allows some broken shards (`errors.max_broken_shards`); in all others the first one
ends the run. Of files that tell nowhere how many rows they have (CSV, JSON lines) nobody knows how many
are lost, and the shard alone is named.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pyarrow as pa
from pyarrow import RecordBatch, Schema

from configs.errors import InputError, RowError
from transforms.batches import BatchId, RawBatch, RejectedBatch, RowRecord, WorkUnit
from transforms.broken_shard import BrokenShard
from transforms.formats.format import no_rows, number_rows
from transforms.formats.read_failures import is_broken
from transforms.rejected import record_rows

# Of a record each: all rows of a batch are known by their numbers alone, and take little.
_ROWS_AT_ONCE = 1 << 16


def read_until_broken(
    unit: WorkUnit,
    batches: Iterator[RawBatch],
    schema: Schema,
    record: RowRecord,
    check: Callable[[WorkUnit], None],
) -> Iterator[RawBatch]:
    """Yield a unit's batches; where its shard breaks, then its other rows, which are rejected.

    Args:
        unit: rows of one shard.
        batches: as its format reads them.
        schema: of the rows.
        record: what is kept of a rejected row.
        check: refuses a file that is not what it was.

    Raises:
        InputError: it is not the shard that is broken, or it broke behind its last row.
    """
    rows_done = 0
    is_ended = False
    try:
        for batch in batches:
            rows_done += batch.rows_in
            is_ended = batch.last
            yield batch
        return
    except InputError as error:
        # Of a unit that has ended, or has more rows than were planned, no row is lost.
        has_too_many = unit.rows is not None and rows_done > unit.rows
        if is_ended or has_too_many or not is_broken(error):
            raise
        # A file that was replaced on the way explains any other complaint about it.
        check(unit)
        message = str(error)
    broken = _describe_rest(unit, rows_done, message)
    yield from _reject_rest(unit, broken, schema, record)


def _describe_rest(unit: WorkUnit, rows_done: int, message: str) -> BrokenShard:
    rows = None
    if unit.rows is not None:
        rows = unit.rows - rows_done
    return BrokenShard(
        shard=unit.shard,
        stage="read",
        row=unit.first_row + rows_done,
        rows=rows,
        message=message,
    )


def _reject_rest(
    unit: WorkUnit,
    broken: BrokenShard,
    schema: Schema,
    record: RowRecord,
) -> Iterator[RawBatch]:
    """Yield batches without rows, in which all that is lost is rejected; the last one names the shard."""
    rows = broken.rows or 0
    stop = broken.row + rows
    reason = RowError(broken.message)
    # At least one batch, also where no row is known to be lost.
    for first in range(broken.row, max(stop, broken.row + 1), _ROWS_AT_ONCE):
        behind = min(stop, first + _ROWS_AT_ONCE)
        is_last = behind == stop
        nothing = number_rows(unit, no_rows(schema), first - unit.first_row, is_last)
        records = _record_unread(nothing.id, range(first, behind), reason, schema, record)
        yield replace(
            nothing,
            rejected=(records,) if records.rows.num_rows else (),
            broken=(broken,) if is_last else (),
        )


def _record_unread(
    id: BatchId,
    numbers: range,
    reason: RowError,
    schema: Schema,
    record: RowRecord,
) -> RejectedBatch:
    """Return the records of rows of which nothing could be read.

    Args:
        id: of their batch.
        numbers: of the rows, in their shard.
        reason: why.
        schema: of the rows.
        record: what is kept of a rejected row.
    """
    count = len(numbers)
    unread = [pa.nulls(count, type=column.type) for column in schema]
    return record_rows(
        id,
        stage="read",
        row_numbers=np.array(numbers, dtype=np.int64),
        reasons=[reason] * count,
        rows=RecordBatch.from_arrays(unread, schema=schema),
        record=record,
    )
