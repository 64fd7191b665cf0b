from dataclasses import replace

import numpy as np

from tests.support.builders import raw_batch
from transforms.shard_counts import add_counts, count_by_shard


def test_what_is_missing_was_filtered_or_rejected() -> None:
    batch = replace(
        raw_batch({"x": [0] * 5}),
        members=np.array([0, 0, 2, 2, 2], dtype=np.int32),
        rows_in_of={0: 4, 1: 1, 2: 5},
        left_out_of={2: 2},
    )
    kept = np.array([0, 2, 2], dtype=np.int32)
    assert count_by_shard(batch, kept) == (
        (0, 4, 1, 1, 2, 0),
        (1, 1, 0, 0, 1, 0),
        (2, 5, 2, 1, 0, 2),
    )


def test_a_unit_of_one_shard_has_no_such_counts() -> None:
    assert count_by_shard(raw_batch({"x": [0]}), None) == ()


def test_a_shard_in_two_batches_is_counted_once() -> None:
    first = [(0, 4, 1, 1, 2, 0), (3, 1, 1, 0, 0, 0)]
    second = [(3, 3, 1, 1, 0, 1), (4, 5, 5, 0, 0, 0)]
    assert add_counts([first, second]) == (
        (0, 4, 1, 1, 2, 0),
        (3, 4, 2, 1, 0, 1),
        (4, 5, 5, 0, 0, 0),
    )
