"""Where the blocks of an Avro file are, and what each holds, unpacked.

    Obj1 | names and values, among them schema and codec | mark
    rows, bytes | rows, packed | mark
    rows, bytes | rows, packed | mark

The mark, sixteen bytes of the file's own, stands behind each block, so a block whose rows are broken is
still known by its place and by the number of its rows.
"""

from dataclasses import dataclass

from configs.errors import InputError
from transforms.formats.avro_codecs import (
    CODECS,
    FOLLOWS,
    MOST_BLOCK_BYTES,
    PACKED_WRONGLY,
    SEVEN_BITS,
)
from transforms.formats.csv_bytes import StoredBytes

_MAGIC = b"Obj\x01"
_MARK_BYTES = 16
# A schema of ten thousand columns has 2 MB.
_MOST_HEAD_BYTES = 16 << 20
_HEAD_PIECE_BYTES = 1 << 16
# Two numbers of up to ten bytes.
_BLOCK_HEAD_BYTES = 20
# Of a number in bytes of seven bits.
_LONGEST_NUMBER = 10


class BrokenBlock(Exception):
    """A block whose rows cannot be told apart."""


@dataclass(frozen=True)
class Head:
    """What a file begins with.

    Attributes:
        schema: as JSON.
        codec: how blocks are packed.
        mark: what stands behind each block.
        stop: where the first block begins.
    """

    schema: bytes
    codec: str
    mark: bytes
    stop: int


@dataclass(frozen=True)
class Block:
    """Rows of a file that are packed together.

    Attributes:
        start, stop: where its bytes are, with the mark.
        content_start: where the rows begin.
        rows: how many.
    """

    start: int
    content_start: int
    stop: int
    rows: int

    @property
    def content_bytes(self) -> int:
        """Return the size of its rows as they are stored."""
        return self.stop - _MARK_BYTES - self.content_start


def read_head(
    url: str,
    stored: StoredBytes,
) -> Head:
    """Return what a file begins with.

    Args:
        url: the file, for errors.
        stored: its bytes.

    Raises:
        InputError: it is no Avro file, is cut, or is packed in a way that is not known.
    """
    size = min(_HEAD_PIECE_BYTES, stored.size)
    most = min(_MOST_HEAD_BYTES, stored.size)
    while True:
        content = read_exactly(stored, 0, size)
        if not content.startswith(_MAGIC):
            raise InputError(
                f"{url}: is not an Avro file, or is one message of a queue without its schema; check "
                "source.format, or replace the file"
            )
        try:
            return _parse_head(url, content)
        except IndexError as error:
            # Read further, until all of it is there.
            if size == most:
                raise _refuse(url, "its head does not end, so it was cut") from error
            size = min(8 * size, most)


def find_blocks(
    url: str,
    stored: StoredBytes,
    head: Head,
) -> list[Block]:
    """Return where the blocks of a file are, by their heads.

    Args:
        url: the file, for errors.
        stored: its bytes.
        head: what it begins with.

    Raises:
        InputError: a block is cut, or does not end with the mark.
    """
    blocks: list[Block] = []
    position = head.stop
    while position < stored.size:
        block = _read_block_head(url, stored, position, len(blocks))
        mark_start = block.stop - _MARK_BYTES
        if read_exactly(stored, mark_start, _MARK_BYTES) != head.mark:
            raise _refuse(
                url,
                f"block {len(blocks)}, from byte {position} on, does not end with the file's mark, so "
                "nobody knows where the next one begins",
            )
        blocks.append(block)
        position = block.stop
    return blocks


def read_block(
    url: str,
    stored: StoredBytes,
    position: int,
) -> tuple[Block, bytes]:
    """Return a block and its bytes, as they are stored.

    Args:
        url: the file, for errors.
        stored: its bytes.
        position: where the block begins.

    Raises:
        InputError: its head cannot be read.
    """
    block = _read_block_head(url, stored, position, None)
    packed = read_exactly(stored, block.content_start, block.content_bytes)
    return block, packed


def unpack_block(
    url: str,
    block: Block,
    packed: bytes,
    codec: str,
) -> bytes:
    """Return a block's rows, unpacked.

    Args:
        url: the file, for errors.
        block: the block.
        packed: its bytes, as they are stored.
        codec: how they are packed.

    Raises:
        BrokenBlock: they cannot be unpacked.
        InputError: it is larger than blocks may be.
    """
    try:
        content = CODECS[codec](packed)
    except PACKED_WRONGLY as error:
        raise BrokenBlock("its bytes cannot be unpacked") from error
    if len(content) > MOST_BLOCK_BYTES:
        raise _refuse_large(url, block.start)
    return content


def read_exactly(
    stored: StoredBytes,
    position: int,
    size: int,
) -> bytes:
    """Return the bytes of a place; a store may give fewer at a time.

    Args:
        stored: the file.
        position: of the first one.
        size: how many.

    Raises:
        InputError: the file ends before.
    """
    parts = []
    while size > 0:
        part = stored.read_at(position, size)
        parts.append(part)
        position += len(part)
        size -= len(part)
    return b"".join(parts)


def _parse_head(
    url: str,
    content: bytes,
) -> Head:
    """Return the head that bytes begin with; IndexError where they end before it does."""
    position = len(_MAGIC)
    values: dict[bytes, bytes] = {}
    while True:
        count, position = _read_number(content, position)
        if count == 0:
            break
        # With its size behind it, which nobody needs.
        if count < 0:
            _, position = _read_number(content, position)
        for _ in range(abs(count)):
            name, position = _read_bytes(url, content, position)
            value, position = _read_bytes(url, content, position)
            values[name] = value
    stop = position + _MARK_BYTES
    if stop > len(content):
        raise IndexError("the mark is cut")
    codec = values.get(b"avro.codec", b"null").decode("ascii", "replace")
    if codec not in CODECS:
        known = ", ".join(CODECS)
        raise InputError(
            f"{url}: its blocks are packed with {codec!r}, which is not known here; write it with one "
            f"of {known}"
        )
    schema = values.get(b"avro.schema")
    if schema is None:
        raise _refuse(url, "its head holds no schema")
    return Head(schema, codec, content[position:stop], stop)


def _read_bytes(
    url: str,
    content: bytes,
    position: int,
) -> tuple[bytes, int]:
    size, start = _read_number(content, position)
    if size < 0:
        raise _refuse(url, "its head holds a text of a negative length")
    stop = start + size
    if stop > len(content):
        raise IndexError("a text is cut")
    return content[start:stop], stop


def _read_number(
    content: bytes,
    position: int,
) -> tuple[int, int]:
    """Return a number, and the position behind it: seven bits a byte, the lowest ones first.

    Raises:
        IndexError: it is cut, or longer than numbers are.
    """
    value = 0
    for place in range(_LONGEST_NUMBER):
        byte = content[position + place]
        value |= (byte & SEVEN_BITS) << (7 * place)
        if byte < FOLLOWS:
            # The lowest bit is the sign.
            number = (value >> 1) ^ -(value & 1)
            return number, position + place + 1
    raise IndexError("a number does not end")


def _read_block_head(
    url: str,
    stored: StoredBytes,
    position: int,
    number: int | None,
) -> Block:
    """Return the block that begins at a position.

    Args:
        url: the file, for errors.
        stored: its bytes.
        position: where the block begins.
        number: of the block, for errors; None where it was found before.
    """
    left = stored.size - position
    start = read_exactly(stored, position, min(_BLOCK_HEAD_BYTES, left))
    which = "a block" if number is None else f"block {number}"
    where = f"{which}, from byte {position} on,"
    try:
        rows, place = _read_number(start, 0)
        content_bytes, place = _read_number(start, place)
    except IndexError as error:
        raise _refuse(url, f"{where} is cut or has no head") from error
    if rows < 0 or content_bytes < 0:
        raise _refuse(url, f"{where} has a negative number of rows or bytes")
    content_start = position + place
    stop = content_start + content_bytes + _MARK_BYTES
    if stop > stored.size:
        raise _refuse(url, f"{where} ends behind the end of the file, so it was cut")
    if content_bytes > MOST_BLOCK_BYTES:
        raise _refuse_large(url, position)
    return Block(position, content_start, stop, rows)


def _refuse(
    url: str,
    why: str,
) -> InputError:
    return InputError(f"{url}: cannot be read as Avro: {why}; replace the file")


def _refuse_large(
    url: str,
    position: int,
) -> InputError:
    return InputError(
        f"{url}: the block from byte {position} on holds more than {MOST_BLOCK_BYTES >> 20} MiB, which "
        "are read as a whole; write the file with a smaller sync interval"
    )
