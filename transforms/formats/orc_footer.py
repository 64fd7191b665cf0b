"""What the footer of an ORC file tells that pyarrow hands on to nobody: how much the columns come to in memory, and the rows of each stripe.

Texts and lists that repeat take next to nothing in a file, so neither its size nor the number of its
rows tells. Writers count the values of each column, those inside lists, too, and the bytes of texts
(https://orc.apache.org/specification/ORCv1/#file-footer).

    stripes | metadata | footer | postscript | its length, one byte
"""

from collections.abc import Iterator
import io
from typing import Any, NamedTuple
import zlib

import pyarrow as pa

# The postscript is shorter than its length can tell, and Arrow reads as much of the end.
_TAIL_BYTES = 16 << 10
# Of the postscript: how pieces are packed, by the number of it, and the room that one is unpacked into, unless
# it says another. A piece's length has 23 bits.
_CODEC, _BLOCK_SIZE = 2, 3
_CODECS = ("uncompressed", "zlib", "snappy", "lzo", "lz4", "zstd")
_USUAL_BLOCK_BYTES = 1 << 18
_MOST_BLOCK_BYTES = 1 << 23
# And how long what stands before it is.
_FOOTER_LENGTH, _METADATA_LENGTH = 1, 5
# Fields of the footer, of a column's type and of its statistics.
_STRIPES, _TYPES, _STATISTICS = 3, 4, 7
_ROWS_OF_STRIPE = 5
# And of a stripe: where it begins, and how long its index, its rows and its own footer are.
_START_OF_STRIPE, _PARTS_OF_STRIPE = 1, (2, 3, 4)
_KIND, _INNER, _PRECISION, _SCALE = 1, 2, 5, 6
# Deeper than columns of any table.
_MOST_LEVELS = 200
# The number of its kind, and the digits that it has at most.
_DECIMAL, _MOST_DIGITS = 14, 38
_KIND_BITS = (1 << 32) - 1
_VALUES, _OF_TEXTS, _OF_BYTES = 1, 4, 8
_SUM_OF_TEXTS, _SUM_OF_BYTES = 3, 1
# Bytes of a value, by the number of its kind: BOOLEAN, BYTE, SHORT, INT, LONG, FLOAT, DOUBLE, STRING,
# BINARY, TIMESTAMP, LIST, MAP, STRUCT, UNION, DECIMAL, DATE, VARCHAR, CHAR.
_WIDTHS = (0, 1, 2, 4, 8, 4, 8, 4, 4, 8, 4, 4, 0, 1, 16, 4, 4, 4)
# Three bytes before each piece of the footer: its length, and whether it is stored as it is.
_PIECE_HEAD_BYTES = 3
_VARINT, _LONG, _BYTES, _INT = 0, 1, 2, 5


class _Part(NamedTuple):
    """A field of a message: a number, or the bytes of a message or text."""

    field: int
    value: Any


class Tail(NamedTuple):
    """What a postscript tells, by the names that pyarrow has for it."""

    file_length: int
    file_postscript_length: int
    file_footer_length: int
    compression: str
    compression_size: int


def find_tail(file: Any) -> Tail | None:
    """Return what a file's postscript tells, before Arrow looks at it; None of an empty file.

    Args:
        file: open for reading at any position.

    Raises:
        IndexError, ValueError: it is none.
    """
    file_bytes = file.seek(0, io.SEEK_END)
    file.seek(max(0, file_bytes - _TAIL_BYTES))
    tail = file.read(_TAIL_BYTES)
    file.seek(0)
    if not tail:
        return None
    postscript_bytes = tail[-1]
    postscript = tail[-1 - postscript_bytes : -1]
    # Of a field that stands there twice the last one counts.
    told = {part.field: part.value for part in _parse(postscript) if isinstance(part.value, int)}
    return Tail(
        file_bytes,
        postscript_bytes,
        told.get(_FOOTER_LENGTH, 0),
        _CODECS[told.get(_CODEC, 0)],
        told.get(_BLOCK_SIZE, _USUAL_BLOCK_BYTES),
    )


def check_postscript(file: Any) -> None:
    """Refuse a file that asks for more room than a piece of it can fill, or has more before its end than there is.

    Arrow takes as much as a file asks for, and where it gets none, the process ends.

    Args:
        file: the file, open for reading at any position.

    Raises:
        ValueError: it does.
    """
    file_bytes = file.seek(0, io.SEEK_END)
    file.seek(max(0, file_bytes - _TAIL_BYTES))
    tail = file.read(_TAIL_BYTES)
    file.seek(0)
    # Of an empty file Arrow tells.
    if not tail:
        return
    postscript_bytes = tail[-1]
    postscript = tail[-1 - postscript_bytes : -1]
    most = {
        _BLOCK_SIZE: _MOST_BLOCK_BYTES,
        _FOOTER_LENGTH: file_bytes,
        _METADATA_LENGTH: file_bytes,
    }
    for part in _parse(postscript):
        # Each of them, as of a field that stands there twice the last one counts.
        is_size = part.field in most and isinstance(part.value, int)
        if is_size and part.value > most[part.field]:
            raise ValueError("its postscript asks for more than there is")


def check_types(footer: bytes) -> None:
    """Refuse what ends the process in Arrow, or never ends there: decimals that no file can hold, columns deep inside others.

    Raises:
        TypeError, ValueError: there are some, or the footer is none.
    """
    types = (part.value for part in _parse(footer) if part.field == _TYPES)
    # By the number of the type; those inside of one follow it.
    levels = {0: 0}
    for number, dtype in enumerate(types):
        level = levels.pop(number, 0) + 1
        if level > _MOST_LEVELS:
            raise ValueError("has columns too deep inside others")
        for inner in _list_inner(dtype):
            # Where each stands in two of those before it, Arrow makes more of them than memory holds.
            if inner <= number or inner in levels:
                raise ValueError("has a column inside of two others")
            levels[inner] = level
        # Each of them, as in the postscript; whoever reads a kind keeps 32 bits of it.
        kinds = [part.value & _KIND_BITS for part in _parse(dtype) if part.field == _KIND]
        digits = [part.value for part in _parse(dtype) if part.field in (_PRECISION, _SCALE)]
        if _DECIMAL in kinds and any(number > _MOST_DIGITS for number in digits):
            raise ValueError("has decimals of more digits than there are")


def _list_inner(dtype: bytes) -> Iterator[int]:
    """Yield the numbers of the types inside of one, each in a field or all in one."""
    for part in _parse(dtype):
        if part.field != _INNER:
            continue
        if isinstance(part.value, int):
            yield part.value
            continue
        place = 0
        while place < len(part.value):
            number, place = _read_number(part.value, place)
            yield number


def read_footer(file: Any, stored: Any) -> bytes:
    """Return a file's footer, unpacked.

    Args:
        file: the file, open for reading at any position.
        stored: the same, as pyarrow has opened it, or its `Tail`.

    Raises:
        ValueError: it cannot be unpacked.
    """
    footer_bytes = stored.file_footer_length
    behind = stored.file_postscript_length + 1
    file.seek(stored.file_length - behind - footer_bytes)
    packed = file.read(footer_bytes)
    try:
        return _unpack(packed, stored.compression.lower(), stored.compression_size)
    except zlib.error as error:
        raise ValueError("the footer is broken") from error


def list_stripe_rows(footer: bytes) -> list[int]:
    """Return the rows of each stripe.

    Raises:
        TypeError, ValueError: the footer is none.
    """
    parts = _parse(footer)
    stripes = [part.value for part in parts if part.field == _STRIPES]
    return [_find_number(stripe, _ROWS_OF_STRIPE) for stripe in stripes]


def list_stripe_places(footer: bytes) -> list[range]:
    """Return where each stripe stands in the file, or in none at all.

    Raises:
        TypeError, ValueError: the footer is none.
    """
    stripes = [part.value for part in _parse(footer) if part.field == _STRIPES]
    places = []
    for stripe in stripes:
        start = _find_number(stripe, _START_OF_STRIPE)
        stripe_bytes = sum(_find_number(stripe, field) for field in _PARTS_OF_STRIPE)
        places.append(range(start, start + stripe_bytes))
    return places


def count_decoded_bytes(footer: bytes) -> int:
    """Return what all columns of a file come to, as far as its footer says.

    Raises:
        TypeError, ValueError: the footer is none.
    """
    kinds = []
    statistics = []
    for part in _parse(footer):
        if part.field == _TYPES:
            kinds.append(_find_number(part.value, _KIND))
        elif part.field == _STATISTICS:
            statistics.append(part.value)
    total = 0
    # Older writers leave statistics out.
    for kind, of_column in zip(kinds, statistics, strict=False):
        width = _WIDTHS[kind] if kind < len(_WIDTHS) else 1
        total += width * _find_number(of_column, _VALUES)
        total += _find_sum(of_column, _OF_TEXTS, _SUM_OF_TEXTS)
        total += _find_sum(of_column, _OF_BYTES, _SUM_OF_BYTES)
    return total


def _unpack(packed: bytes, codec: str, most_bytes: int) -> bytes:
    """Return the footer as it was before it was packed, in pieces of up to so many bytes."""
    if codec == "uncompressed":
        return packed
    parts = []
    place = 0
    while place < len(packed):
        start = place + _PIECE_HEAD_BYTES
        head = int.from_bytes(packed[place:start], "little")
        stop = start + (head >> 1)
        piece = packed[start:stop]
        is_stored = head & 1
        if not is_stored:
            piece = _unpack_piece(piece, codec, most_bytes)
        parts.append(piece)
        place = stop
    return b"".join(parts)


def _unpack_piece(piece: bytes, codec: str, most_bytes: int) -> bytes:
    if codec == "zlib":
        # Without a head and a sum.
        unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
        return unpacker.decompress(piece, most_bytes)
    if codec == "zstd":
        stream = pa.CompressedInputStream(pa.BufferReader(piece), "zstd")
        content: bytes = stream.read(most_bytes)
        return content
    if codec == "snappy":
        # Its own length stands first.
        size, _ = _read_number(piece, 0)
        return _decompress(piece, "snappy", min(size, most_bytes))
    return _unpack_lz4(piece, most_bytes)


def _unpack_lz4(piece: bytes, most_bytes: int) -> bytes:
    """Unpack lz4, which does not say how much it holds: the smallest room that it fits into is it."""
    least, most = 0, most_bytes
    while least < most:
        middle = (least + most) // 2
        try:
            _decompress(piece, "lz4_raw", middle)
        except OSError:
            least = middle + 1
        else:
            most = middle
    return _decompress(piece, "lz4_raw", least)


def _decompress(piece: bytes, codec: str, size: int) -> bytes:
    content: bytes = pa.Codec(codec).decompress(piece, size, asbytes=True)
    return content


def _parse(message: bytes) -> Iterator[_Part]:
    """Yield the fields of a protobuf message."""
    place = 0
    while place < len(message):
        tag, place = _read_number(message, place)
        kind = tag & 7
        value: Any
        if kind == _VARINT:
            value, place = _read_number(message, place)
        else:
            size = {_LONG: 8, _INT: 4}.get(kind)
            if kind == _BYTES:
                size, place = _read_number(message, place)
            if size is None:
                raise ValueError("a field of a kind that is not known")
            value = message[place : place + size]
            place += size
        yield _Part(tag >> 3, value)


def _read_number(message: bytes, place: int) -> tuple[int, int]:
    """Return a number, and the place behind it: seven bits a byte, the lowest ones first."""
    value = 0
    for shift in range(0, 70, 7):
        if place >= len(message):
            break
        byte = message[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
    raise ValueError("a number does not end")


def _find_number(message: bytes, field: int) -> int:
    """Return a field of a message, 0 where it has none."""
    for part in _parse(message):
        if part.field == field and isinstance(part.value, int):
            return part.value
    return 0


def _find_sum(statistics: bytes, field: int, sum_field: int) -> int:
    """Return the bytes of all texts, which the statistics of columns of texts tell."""
    for part in _parse(statistics):
        if part.field == field and isinstance(part.value, bytes):
            number = _find_number(part.value, sum_field)
            # The lowest bit is the sign; less than nothing would make other columns look smaller.
            total = (number >> 1) ^ -(number & 1)
            return max(0, total)
    return 0
