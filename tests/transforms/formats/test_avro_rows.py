"""Rows of an Avro file's blocks as batches: as many as may be, in order, with the reasons at their rows."""

from collections.abc import Iterator

import pyarrow as pa
import pytest

from transforms.formats import avro_rows
from transforms.formats.avro_rows import Chunk, join_chunks

BAD = ValueError("bad")


def chunks(*sizes: int) -> Iterator[Chunk]:
    """Yield chunks of ascending numbers, of which each fifth one has a reason."""
    first = 0
    for size in sizes:
        numbers = list(range(first, first + size))
        rows = pa.record_batch({"n": pa.array(numbers, pa.int64())})
        yield Chunk(rows, {place: BAD for place, n in enumerate(numbers) if n % 5 == 0})
        first += size


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([], []),
        ([4], [4]),
        ([5], [4, 1]),
        ([9], [4, 4, 1]),
        ([2, 2, 1], [4, 1]),
        ([2, 3, 4], [2, 3, 4]),
        ([1, 8], [1, 4, 4]),
    ],
)
def test_a_batch_is_filled_and_no_fuller(sizes: list[int], expected: list[int]) -> None:
    found = list(join_chunks(chunks(*sizes), rows_per_batch=4))
    assert [chunk.rows.num_rows for chunk in found] == expected
    numbers = [number for chunk in found for number in chunk.rows["n"].to_pylist()]
    assert numbers == list(range(sum(sizes)))
    for chunk in found:
        of_reasons = [chunk.rows["n"][place].as_py() for place in chunk.reasons]
        assert of_reasons == [n for n in chunk.rows["n"].to_pylist() if n % 5 == 0]


def test_a_batch_is_no_larger_than_a_piece_above_its_bytes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Two rows of eight bytes each.
    monkeypatch.setattr(avro_rows, "_BATCH_BYTES", 16)
    found = join_chunks(chunks(2, 2, 2, 2, 1), rows_per_batch=100)
    assert [chunk.rows.num_rows for chunk in found] == [4, 4, 1]
