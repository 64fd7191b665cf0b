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
    scored_numbers = batch.members.tolist()
    written_numbers = members.tolist()
    left = Counter(scored_numbers)
    written = Counter(written_numbers)
    counts: list[ShardCounts] = []
    in_order = sorted(batch.rows_in_of.items())
    for number, rows_in in in_order:
        scored = written[number]
        filtered = left[number] - scored
        left_out = batch.left_out_of.get(number, 0)
        # Whatever is neither: the books balance for each shard, too.
        rejected = rows_in - left[number] - left_out
        count = (number, rows_in, scored, filtered, rejected, left_out)
        counts.append(count)
    return tuple(counts)


def add_counts(several: Iterable[Sequence[ShardCounts]]) -> Counts:
    """Return the sums for each shard, as its rows may be in several batches or parts."""
    sums: dict[int, ShardCounts] = {}
    for counts in several:
        for count in counts:
            number = count[0]
            if number in sums:
                count = _add(sums[number], count)
            sums[number] = count
    # By number, which each begins with.
    in_order = sorted(sums.values())
    return tuple(in_order)


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
