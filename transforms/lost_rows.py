"""What is left of a shard that breaks or changes while it is read: rows that cannot be read are lost, all others are scored.

    rows       0 ... 199   200 ... 299   300 ... 399      the page of row 200 is broken
    batches    0 ... 199   200 ... 299   300 ... 399      the second one rejected, each row with its number,
                                                          and the shard's name among those that are broken

Where reading may begin again, the format knows (`FindsRest`): a Parquet file's next row group is whole, however
broken the one before it is. Text has no such place; and of a shard that is not what it was when the run was planned, or is
gone, nothing more is read. What was read before is of the planned content: each batch is looked at behind its reading.

For runs whose job allows some broken shards (`errors.max_broken_shards`); in all others the first one
ends the run. Of files that tell nowhere how many rows they have (CSV, JSON lines) nobody knows how many
are lost, and the shard alone is named.
"""

from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from pyarrow import RecordBatch, Schema

from configs.errors import ChangedError, InputError, RowError
from transforms.batches import BatchId, RawBatch, RejectedBatch, RowRecord, WorkUnit
from transforms.broken_shard import BrokenShard
from transforms.formats.format import Format, no_rows, number_rows
from transforms.formats.read_failures import is_broken
from transforms.formats.stored_parts import find_rest
from transforms.rejected import record_rows

# Of a record each: all rows of a batch are known by their numbers alone, and take little.
_ROWS_AT_ONCE = 1 << 16
# Of a unit. Each begins a file anew, and of one that breaks as often hardly anything is whole.
_MOST_BREAKS = 100
# Reads rows of one shard; and refuses a shard that is not what it was.
Read = Callable[[WorkUnit], Iterator[RawBatch]]
Check = Callable[[WorkUnit], None]


class _Break(NamedTuple):
    """Where reading broke.

    Attributes:
        rows_done: how many rows came before.
        error: why.
    """

    rows_done: int
    error: InputError


def read_around_broken(
    unit: WorkUnit,
    read: Read,
    check: Check,
    format: Format,
    schema: Schema,
    record: RowRecord,
) -> Iterator[RawBatch]:
    """Yield a unit's batches; rows that cannot be read are rejected.

    Args:
        unit: rows of one shard.
        read: gives the batches of the unit, or of a part of it, all of them of the planned content.
        check: refuses a shard that is not what it was when the plan was made.
        format: what `read` reads with.
        schema: of the rows.
        record: what is kept of a rejected row.

    Raises:
        InputError: it is not the shard that is broken, or it broke behind its last row.
    """
    part: WorkUnit | None = unit
    breaks = 0
    while part is not None:
        broke = yield from _read_until_broken(unit, part, read, check)
        if broke is None:
            return
        breaks += 1
        rest = None
        if breaks < _MOST_BREAKS:
            rest = _find_rest(format, part, broke)
        broken = _describe_lost(part, rest, broke)
        yield from _reject_lost(unit, broken, schema, record, is_end=rest is None)
        part = rest


def _read_until_broken(
    unit: WorkUnit,
    part: WorkUnit,
    read: Read,
    check: Check,
) -> Generator[RawBatch, None, _Break | None]:
    """Yield batches of a part of a unit, up to its end; return where they break, or the shard has changed.

    Raises:
        InputError: it is not the shard that is broken, or it broke behind its last row.
    """
    rows_done = 0
    is_ended = False
    try:
        for batch in read(part):
            rows_done += batch.rows_in
            is_ended = batch.last
            yield replace(batch, unit=unit)
        return None
    except Exception as error:
        # Of a part that has ended, or has more rows than were planned, no row is lost.
        has_too_many = part.rows is not None and rows_done > part.rows
        if is_ended or has_too_many:
            raise
        # First: a file that was replaced on the way explains any other complaint about it.
        changed = _find_change(unit, check)
        if changed is not None:
            return _Break(rows_done, changed)
        if not isinstance(error, InputError) or not is_broken(error):
            raise
        return _Break(rows_done, error)


def _find_change(unit: WorkUnit, check: Check) -> ChangedError | None:
    """Return the error of a shard that is not what it was when the plan was made; None of any other.

    Raises:
        InputError: it cannot be looked at.
    """
    try:
        check(unit)
    except ChangedError as error:
        return error
    return None


def _find_rest(format: Format, part: WorkUnit, broke: _Break) -> WorkUnit | None:
    """Return the rows behind a break that can be read; None where there are none, or nobody knows which."""
    # What no library has failed at (another content, a bomb, other rows than were promised) is as wrong
    # behind it.
    if broke.error.__cause__ is None:
        return None
    try:
        return find_rest(format, part, broke.rows_done)
    except InputError as error:
        if not is_broken(error):
            raise
        return None


def _describe_lost(part: WorkUnit, rest: WorkUnit | None, broke: _Break) -> BrokenShard:
    first = part.first_row + broke.rows_done
    message = str(broke.error)
    rows = None
    if rest is not None:
        rows = rest.first_row - first
        message = f"{message} (it is read again from row {rest.first_row} on)"
    elif part.rows is not None:
        rows = part.rows - broke.rows_done
    return BrokenShard(
        shard=part.shard,
        stage="read",
        row=first,
        rows=rows,
        message=message,
    )


def _reject_lost(
    unit: WorkUnit,
    broken: BrokenShard,
    schema: Schema,
    record: RowRecord,
    is_end: bool,
) -> Iterator[RawBatch]:
    """Yield batches without rows, in which all that is lost is rejected; the last one names the shard.

    Args:
        unit: the unit.
        broken: which of its rows are lost.
        schema: of the rows.
        record: what is kept of a rejected row.
        is_end: whether the unit ends with them.
    """
    rows = broken.rows or 0
    stop = broken.row + rows
    reason = RowError(broken.message)
    # At least one batch, also where no row is known to be lost.
    for first in range(broken.row, max(stop, broken.row + 1), _ROWS_AT_ONCE):
        behind = min(stop, first + _ROWS_AT_ONCE)
        is_last = behind == stop
        offset = first - unit.first_row
        nothing = number_rows(unit, no_rows(schema), offset, last=is_last and is_end)
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
