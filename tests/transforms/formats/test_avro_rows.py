"""Rows of an Avro file's blocks as batches: as many as may be, in order, with the reasons at their rows."""

from collections.abc import Iterator
from io import BytesIO

import fastavro
import pyarrow as pa
import pytest

from transforms.formats import avro_rows
from transforms.formats.avro_blocks import BrokenBlock
from transforms.formats.avro_rows import Chunk, Decoder, join_chunks
from transforms.formats.avro_types import AvroField, make_primitive

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


LONG = AvroField("n", make_primitive("long"))
TEXT = AvroField("s", make_primitive("string"))
NUMBERS = range(5)


def write_rows(numbers: range) -> bytes:
    """Return a block of a long each, as Avro stores it: zigzag, seven bits a byte."""
    sink = BytesIO()
    for number in numbers:
        fastavro.schemaless_writer(sink, "long", number)
    return sink.getvalue()


def read_numbers(chunks: list[Chunk]) -> list[list[int]]:
    return [chunk.rows["n"].to_pylist() for chunk in chunks]


@pytest.mark.parametrize(
    ("rows", "comes"), [(1_023, False), (1_024, True), (1_025, True), (2_048, True)]
)
def test_a_small_block_waits_for_the_next_one_and_no_row_is_lost(rows: int, comes: bool) -> None:
    decoder = Decoder([LONG], ["n"])
    first = decoder.decode(write_rows(range(rows)), rows)
    assert bool(first) is comes
    second = decoder.decode(write_rows(NUMBERS), 5)
    together = [
        number for some in read_numbers(first + second + decoder.flush()) for number in some
    ]
    assert together == [*range(rows), *NUMBERS]
    assert decoder.flush() == []


@pytest.mark.parametrize(("limit", "comes"), [(5, False), (4, True)])
def test_rows_wait_as_long_as_they_are_few_bytes(
    limit: int, comes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(avro_rows, "_WAITING_BYTES", limit)
    decoder = Decoder([LONG], ["n"])
    # Five rows of a byte each; and again, as the bytes are counted anew.
    for _ in range(2):
        chunks = decoder.decode(write_rows(NUMBERS), 5)
        assert read_numbers(chunks) == ([[*NUMBERS]] if comes else [])
        assert read_numbers(decoder.flush()) == ([] if comes else [[*NUMBERS]])


@pytest.mark.parametrize(
    ("content", "rows", "words"),
    [
        (write_rows(NUMBERS), 6, "its bytes are not rows|do not end where it ends"),
        (write_rows(NUMBERS), 4, "its rows do not end where it ends"),
        (write_rows(NUMBERS) + b"\0", 5, "its rows do not end where it ends"),
        (b"\xff" * 20, 1, "its bytes are not rows|do not end where it ends"),
    ],
)
def test_a_block_that_is_not_its_rows_is_broken(content: bytes, rows: int, words: str) -> None:
    with pytest.raises(BrokenBlock, match=words):
        Decoder([LONG], ["n"]).decode(content, rows)


@pytest.mark.parametrize("others", [0, 2, 3, 4, 9])
def test_columns_that_nobody_wants_are_passed_over(others: int) -> None:
    texts = [AvroField(f"s{number}", TEXT.type) for number in range(others)]
    fields = [*texts, LONG]
    sink = BytesIO()
    for number in NUMBERS:
        for _ in texts:
            fastavro.schemaless_writer(sink, "string", "ab")
        fastavro.schemaless_writer(sink, "long", number)
    decoder = Decoder(fields, ["n"])
    chunks = decoder.decode(sink.getvalue(), 5) + decoder.flush()
    assert read_numbers(chunks) == [[*NUMBERS]]
    assert decoder.row_bytes == others + 1
