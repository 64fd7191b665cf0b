"""What became of the rows of each shard, where a unit has several: the books know every file.

A count is (number of the shard among the unit's members, rows in, scored, filtered, rejected,
left out before they were scored).
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TypeAlias

import numpy as np

from transforms.batches import RawBatch, ShardCounts

Counts: TypeAlias = tuple[ShardCounts, ...]


def count_by_shard(batch: RawBatch, members: np.ndarray | None) -> Counts:
    """Return what became of the rows of each shard of a batch; nothing where it has only one.

    Args:
        batch: the rows that were scored, without those that were rejected.
        members: int32, the number of the shard of each row that a filter left in.
    """
    if members is None or batch.members is None:
        return ()
    left = Counter(batch.members.tolist())
    written = Counter(members.tolist())
    counts: list[ShardCounts] = []
    for number, rows_in in sorted(batch.rows_in_of.items()):
        scored = written[number]
        filtered = left[number] - scored
        left_out = batch.left_out_of.get(number, 0)
        rejected = rows_in - left[number] - left_out
        counts.append((number, rows_in, scored, filtered, rejected, left_out))
    return tuple(counts)


def add_counts(several: Iterable[Sequence[ShardCounts]]) -> Counts:
    """Return the sums for each shard, as its rows may be in several batches or parts."""
    sums: dict[int, ShardCounts] = {}
    for counts in several:
        for count in counts:
            number = count[0]
            before = sums.get(number)
            sums[number] = count if before is None else _add(before, count)
    in_order = sorted(sums.items())
    return tuple(count for _, count in in_order)


def _add(one: ShardCounts, other: ShardCounts) -> ShardCounts:
    number, rows_in, scored, filtered, rejected, left_out = one
    _, more_in, more_scored, more_filtered, more_rejected, more_left_out = other
    return (
        number,
        rows_in + more_in,
        scored + more_scored,
        filtered + more_filtered,
        rejected + more_rejected,
        left_out + more_left_out,
    )
