"""Small shards that are put together: their rows in common batches, each row with its own shard.

    members    a.parquet 0..99 | b.parquet 0..99 | c.parquet 0..99
    batch      rows 0 ............................... 299, beside each the number of its member

So mini-batches fill across shards, and whatever is told of a row names the file that it stands in.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
from pyarrow import RecordBatch

from configs.errors import InputError
from configs.several_refusals import MOST_REFUSED, RefusedFile, refuse_all
from transforms.batches import BatchId, RawBatch, RejectedBatch, WorkUnit
from transforms.broken_shard import BrokenShard
from transforms.row_sizes import count_decoded_bytes, has_plain_sizes

# What travels together at most, in memory; formats have the same for rows of one shard.
_BATCH_BYTES = 64 << 20
# Reads the rows of one member.
Read: TypeAlias = Callable[[WorkUnit], Iterator[RawBatch]]


class _Placed(NamedTuple):
    """A batch of one member, and the number of that."""

    number: int
    batch: RawBatch


_Group: TypeAlias = Sequence[_Placed]


def read_together(
    unit: WorkUnit,
    read: Read,
    rows_per_batch: int,
) -> Iterator[RawBatch]:
    """Yield the rows of all members of a unit, in their order, several members in a batch.

    Args:
        unit: the unit.
        read: gives the batches of one member, in order.
        rows_per_batch: rows of a batch, at most.

    Raises:
        InputError: whatever `read` refuses, which names the member's shard.
    """
    rows_before = 0
    for group in _group(unit, read, rows_per_batch):
        for joined in _list_joined(group):
            batch = _join(unit, joined, rows_before)
            rows_before += batch.rows_in
            yield batch


def _group(unit: WorkUnit, read: Read, rows_per_batch: int) -> Iterator[_Group]:
    """Yield batches of members that become one together."""
    group: list[_Placed] = []
    rows = 0
    size_bytes = 0
    count_bytes: Callable[[RecordBatch], int] | None = None
    # Once, as what is packed is made again each time.
    members = tuple(unit.members)
    for number in range(len(members)):
        for batch in _read_member(members, number, read):
            # Once: all batches of a run have the same columns, and to look at each takes longer than
            # to read a small file.
            if count_bytes is None:
                is_plain = has_plain_sizes(batch.rows.schema)
                count_bytes = _count_plain_bytes if is_plain else count_decoded_bytes
            batch_bytes = count_bytes(batch.rows)
            has_too_many = rows + len(batch) > rows_per_batch
            is_too_large = size_bytes + batch_bytes > _BATCH_BYTES
            if group and (has_too_many or is_too_large):
                yield group
                group = []
                rows = 0
                size_bytes = 0
            placed = _Placed(number, batch)
            group.append(placed)
            rows += len(batch)
            size_bytes += batch_bytes
    yield group


def _read_member(
    members: Sequence[WorkUnit],
    number: int,
    read: Read,
) -> Iterator[RawBatch]:
    """Yield the rows of one member; where it cannot be read, all others that cannot are named with it.

    Args:
        members: of the unit.
        number: of the one that is read.
        read: as for `read_together`.

    Raises:
        InputError: members that cannot be read.
    """
    member = members[number]
    try:
        yield from read(member)
    except InputError as error:
        refused = [RefusedFile(member.shard, error)]
        refused += _find_refused(members[number + 1 :], read)
        if len(refused) == 1:
            raise
        is_all = len(refused) < MOST_REFUSED
        raise refuse_all(refused, is_all) from error


def _find_refused(members: Sequence[WorkUnit], read: Read) -> list[RefusedFile]:
    """Return the first members that cannot be read; their unit is lost already, and nothing is kept."""
    refused: list[RefusedFile] = []
    for member in members:
        # With the one before them.
        if len(refused) + 1 >= MOST_REFUSED:
            break
        try:
            for _ in read(member):
                pass
        except InputError as error:
            refused.append(RefusedFile(member.shard, error))
    return refused


def _count_plain_bytes(rows: RecordBatch) -> int:
    size_bytes: int = rows.nbytes
    return size_bytes


def _list_joined(group: _Group) -> Iterator[tuple[_Group, RecordBatch]]:
    """Yield a group with its rows; where Arrow cannot put them together, each batch by itself."""
    batches = [placed.batch.rows for placed in group]
    try:
        yield group, pa.concat_batches(batches)
    # Dictionaries inside lists, or with more values together than a small index counts.
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        for placed in group:
            yield [placed], placed.batch.rows


def _join(
    unit: WorkUnit,
    joined: tuple[_Group, RecordBatch],
    rows_before: int,
) -> RawBatch:
    """Return batches of members as one of the unit.

    Args:
        unit: the unit.
        joined: the batches, and their rows in their order.
        rows_before: how many rows of the unit come before them, with those that were rejected.
    """
    group, rows = joined
    last_number, last_batch = group[-1]
    numbers = np.array([placed.number for placed in group], dtype=np.int32)
    lengths = [len(placed.batch) for placed in group]
    row_numbers = [placed.batch.row_numbers for placed in group]
    rows_in_of: Counter[int] = Counter()
    left_out_of: Counter[int] = Counter()
    rejected: list[RejectedBatch] = []
    broken: list[BrokenShard] = []
    for number, batch in group:
        rows_in_of[number] += batch.rows_in
        left_out_of[number] += batch.rows_left_out
        rejected += batch.rejected
        broken += batch.broken
    first_shard = unit.members[group[0].number].shard
    last_shard = unit.members[last_number].shard
    is_last_member = last_number == len(unit.members) - 1
    return RawBatch(
        unit,
        id=BatchId(first_shard, rows_before, last_shard),
        rows=rows,
        row_numbers=np.concatenate(row_numbers),
        last=is_last_member and last_batch.last,
        rejected=tuple(rejected),
        record=last_batch.record,
        members=np.repeat(numbers, lengths),
        rows_in_of=dict(rows_in_of),
        left_out_of=dict(left_out_of),
        rows_left_out=left_out_of.total(),
        broken=tuple(broken),
    )
