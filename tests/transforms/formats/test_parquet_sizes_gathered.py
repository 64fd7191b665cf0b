"""Rows that were read in small steps, in batches that are as large as they may be."""

import numpy as np
import pyarrow as pa
import pytest

from transforms.formats.parquet_sizes import gather_batches


def steps_of(*sizes: int) -> list[pa.RecordBatch]:
    """Return steps of rows that count through all of them, eight bytes each."""
    ends = np.cumsum(sizes)
    ranges = [np.arange(end - size, end) for size, end in zip(sizes, ends, strict=True)]
    return [pa.record_batch({"x": numbers}) for numbers in ranges]


@pytest.mark.parametrize(
    ("sizes", "rows", "most_bytes", "expected"),
    [
        ([3, 3, 3, 3], 10, 1 << 20, [10, 2]),
        ([5, 5], 10, 1 << 20, [10]),
        ([5, 5, 1], 10, 1 << 20, [10, 1]),
        ([10, 10], 10, 1 << 20, [10, 10]),
        ([], 10, 1 << 20, []),
        # Forty bytes are five rows.
        ([2, 3, 2], 10, 40, [5, 2]),
        ([2, 3, 2], 10, 39, [2, 3, 2]),
        ([5, 5], 10, 80, [10]),
        ([5, 5], 10, 79, [5, 5]),
    ],
)
def test_batches_are_as_large_as_they_may_be(
    sizes: list[int], rows: int, most_bytes: int, expected: list[int]
) -> None:
    batches = list(gather_batches(iter(steps_of(*sizes)), rows, most_bytes))
    assert [batch.num_rows for batch in batches] == expected
    numbers = [value for batch in batches for value in batch.column("x").to_pylist()]
    assert numbers == list(range(sum(sizes)))
