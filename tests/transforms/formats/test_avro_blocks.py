"""Where the blocks of an Avro file are, to the byte, in files that are written here and by fastavro."""

from io import BytesIO
from typing import Any

import pytest

from configs.errors import InputError
from transforms.formats import avro_blocks
from transforms.formats.avro_blocks import (
    Block,
    BrokenBlock,
    Head,
    _read_number,
    find_blocks,
    read_block,
    read_exactly,
    read_head,
    unpack_block,
)
from transforms.formats.avro_codecs import MOST_BLOCK_BYTES

MARK = b"0123456789abcdef"
SCHEMA = b'"long"'


class Stored:
    """Stands in for a stored file that gives a few bytes at a time."""

    def __init__(self, content: bytes, at_a_time: int = 1 << 30, size: int | None = None) -> None:
        self.content, self.at_a_time = content, at_a_time
        self.size = len(content) if size is None else size
        self.asked: list[int] = []

    def read_at(self, position: int, size: int) -> bytes:
        self.asked.append(size)
        assert position + size <= self.size
        return self.content[position : position + min(size, self.at_a_time)]


def store(content: bytes, **more: Any) -> Any:
    return Stored(content, **more)


def number(value: int) -> bytes:
    """Return a number as Avro has it: the sign last, then seven bits a byte, the lowest first."""
    left = 2 * value if value >= 0 else -2 * value - 1
    content = bytearray()
    while left >= 0x80:
        content.append(left % 0x80 + 0x80)
        left //= 0x80
    content.append(left)
    return bytes(content)


def text(content: bytes) -> bytes:
    return number(len(content)) + content


def head(pairs: dict[bytes, bytes] | None = None, is_sized: bool = False) -> bytes:
    """Return what a file begins with."""
    pairs = {b"avro.schema": SCHEMA} if pairs is None else pairs
    content = b"".join(text(name) + text(value) for name, value in pairs.items())
    count = number(len(pairs))
    if is_sized:
        count = number(-len(pairs)) + number(len(content))
    return b"Obj\x01" + count + content + number(0) + MARK


def block(rows: int, content: bytes) -> bytes:
    return number(rows) + text(content) + MARK


@pytest.mark.parametrize("value", [0, 1, -1, 63, 64, -64, -65, 8_191, 8_192, (1 << 62) + 3])
def test_a_number_is_read_with_its_sign_and_to_its_end(value: int) -> None:
    content = b"\xff" + number(value) + b"\x01"
    assert _read_number(content, 1) == (value, len(content) - 1)


def test_a_number_has_ten_bytes_at_most() -> None:
    assert _read_number(b"\x80" * 9 + b"\x01", 0)[1] == 10
    for content in (b"", b"\x80", b"\x80" * 10 + b"\x01"):
        with pytest.raises(IndexError):
            _read_number(content, 0)


@pytest.mark.parametrize("is_sized", [False, True])
@pytest.mark.parametrize("codec", [None, b"deflate"])
def test_a_head_ends_behind_its_mark(is_sized: bool, codec: bytes | None) -> None:
    pairs = {b"avro.schema": SCHEMA, b"other": b"x" * 300}
    if codec is not None:
        pairs[b"avro.codec"] = codec
    content = head(pairs, is_sized)
    found = read_head("u", store(content + block(1, b"x")))
    named = "null" if codec is None else codec.decode()
    assert found == Head(SCHEMA, named, MARK, len(content))
    # Nothing need follow.
    assert read_head("u", store(content)) == found


def test_a_long_head_is_read_further_until_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(avro_blocks, "_HEAD_PIECE_BYTES", 10)
    content = head({b"avro.schema": b"s" * 500})
    stored = store(content + bytes(1_000))
    assert read_head("u", stored).stop == len(content)
    assert stored.asked == [10, 80, 640]


@pytest.mark.parametrize("kept", [4, 5, 20, -1])
def test_a_head_that_is_cut_is_refused(kept: int) -> None:
    with pytest.raises(InputError, match="its head does not end, so it was cut"):
        read_head("u", store(head()[:kept]))


def test_no_head_is_read_beyond_16_mebibytes(monkeypatch: pytest.MonkeyPatch) -> None:
    stored = store(b"Obj\x01" + number(1) + number(1 << 40) + bytes(17 << 20))
    with pytest.raises(InputError, match="does not end"):
        read_head("u", stored)
    assert max(stored.asked) == 16 << 20
    assert stored.asked[0] == 1 << 16


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PAR1", "is not an Avro file"),
        (b"", "is not an Avro file"),
        (head({b"avro.codec": b"null"}), "its head holds no schema"),
        (head({b"avro.schema": SCHEMA, b"avro.codec": b"lzo"}), "packed with 'lzo'"),
        (b"Obj\x01" + number(1) + number(-1), "a text of a negative length"),
    ],
)
def test_what_is_no_head_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_head("u", store(content))


@pytest.mark.parametrize("at_a_time", [1, 7, 1 << 30])
def test_blocks_are_found_one_behind_the_other(at_a_time: int) -> None:
    parts = [head(), block(2, b"ab"), block(0, b""), block(1, b"c" * 200)]
    stored = store(b"".join(parts), at_a_time=at_a_time)
    found = find_blocks("u", stored, read_head("u", stored))
    starts = [sum(map(len, parts[:place])) for place in (1, 2, 3)]
    assert [place.start for place in found] == starts
    assert [place.stop for place in found] == [*starts[1:], stored.size]
    assert [place.rows for place in found] == [2, 0, 1]
    assert [place.content_bytes for place in found] == [2, 0, 200]
    contents = [read_block("u", stored, start)[1] for start in starts]
    assert contents == [b"ab", b"", b"c" * 200]


def test_a_file_without_blocks_has_none() -> None:
    stored = store(head())
    assert find_blocks("u", stored, read_head("u", stored)) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (block(1, b"x")[:-1], "block 1, from byte .* ends behind the end of the file"),
        (block(1, b"x")[:-16] + b"another mark....", "block 1, .* does not end with the file's"),
        (number(-1) + text(b"x") + MARK, "a negative number of rows or bytes"),
        (number(1) + number(-1) + MARK, "a negative number of rows or bytes"),
        (b"\x80", "block 1, from byte .* is cut or has no head"),
        (b"\x80" * 30, "is cut or has no head"),
    ],
)
def test_what_is_no_block_is_refused_by_its_number(content: bytes, message: str) -> None:
    stored = store(head() + block(1, b"a") + content)
    with pytest.raises(InputError, match=message):
        find_blocks("u", stored, read_head("u", stored))


@pytest.mark.parametrize(("more", "is_refused"), [(0, False), (1, True)])
def test_a_block_is_as_large_as_it_may_be(more: int, is_refused: bool) -> None:
    content_bytes = MOST_BLOCK_BYTES + more
    begins = number(1) + number(content_bytes)
    stored = store(begins, size=len(begins) + content_bytes + 16)
    stored.read_at = lambda position, size: (begins + bytes(20))[position : position + size]
    if is_refused:
        with pytest.raises(InputError, match=f"holds more than {MOST_BLOCK_BYTES >> 20} MiB"):
            avro_blocks._read_block_head("u", stored, 0, 0)
        return
    found = avro_blocks._read_block_head("u", stored, 0, 0)
    assert found == Block(0, len(begins), stored.size, 1)


@pytest.mark.parametrize(("spare", "is_refused"), [(0, False), (1, True)])
def test_what_a_block_unpacks_to_is_limited(
    spare: int, is_refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(avro_blocks, "MOST_BLOCK_BYTES", 5 - spare)
    place = Block(0, 2, 20, 1)
    if is_refused:
        with pytest.raises(InputError, match="the block from byte 0 on holds more than"):
            unpack_block("u", place, b"12345", "null")
        return
    assert unpack_block("u", place, b"12345", "null") == b"12345"


def test_what_cannot_be_unpacked_is_a_broken_block() -> None:
    with pytest.raises(BrokenBlock, match="cannot be unpacked"):
        unpack_block("u", Block(0, 2, 20, 1), b"\xff\xff", "deflate")


def test_bytes_of_a_place_are_read_in_as_many_parts_as_a_store_gives() -> None:
    stored = store(b"0123456789", at_a_time=3)
    assert read_exactly(stored, 2, 7) == b"2345678"
    assert stored.asked == [7, 4, 1]
    assert read_exactly(stored, 2, 0) == b""


def test_the_blocks_of_fastavro_are_found() -> None:
    fastavro = pytest.importorskip("fastavro")
    written = BytesIO()
    fastavro.writer(written, "long", range(100), sync_interval=30)
    written.seek(0)
    expected = [(found.num_records, found.offset) for found in fastavro.block_reader(written)]
    stored = store(written.getvalue())
    found = find_blocks("u", stored, read_head("u", stored))
    assert [(place.rows, place.start) for place in found] == expected


def test_a_text_of_a_head_may_be_empty() -> None:
    content = head({b"avro.schema": SCHEMA, b"": b"", b"note": b""})
    assert read_head("u", store(content)).schema == SCHEMA
