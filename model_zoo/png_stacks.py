"""Put small PNGs of one size below one another: Pillow decodes them as one tall PNG.

Comes in: the bytes of PNGs. Goes out: those of one PNG, and where its pixels belong. Pillow takes
tens of microseconds of Python for each picture that it opens, and these take one or two.

    picture 1     its lines as they are packed: a byte that says how they are filtered, and bytes
    a black line  so that the next picture has nothing above it; that counts as black
    picture 2     ...

Only what is plain is taken: a head, one block of pixels, an end. Whatever says more, is broken or
is merely unusual stays with who opens pictures one by one, and knows what to say of it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
import struct
from typing import NamedTuple
import zlib

# Width, height, bits of a sample, kind of pixels, how they are packed and filtered, interlacing.
_HEADER = struct.Struct(">IIBBBBB")
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Length and kind of a chunk; its content and checksum follow.
_CHUNK = struct.Struct(">I4s")
_CHECKSUM = struct.Struct(">I")
# What stands before the pixels of a line, and says how they are filtered.
_FILTER_BYTES = 1
# Samples of a pixel by their kind: grey, colours, both with transparency. Palettes take one more chunk.
_SAMPLES = {0: 1, 2: 3, 4: 2, 6: 4}


class _Header(NamedTuple):
    """What a PNG says of itself first."""

    width: int
    height: int
    bits: int
    kind: int
    packing: int
    filtering: int
    interlacing: int


def _make_chunk(kind: bytes, content: bytes) -> bytes:
    begin = _CHUNK.pack(len(content), kind)
    checksum = zlib.crc32(kind + content)
    return begin + content + _CHECKSUM.pack(checksum)


def _make_head(header: _Header) -> bytes:
    packed = _HEADER.pack(*header)
    return _SIGNATURE + _make_chunk(b"IHDR", packed)


_END = _make_chunk(b"IEND", b"")
_HEAD_BYTES = len(_make_head(_Header(1, 1, 8, 0, 0, 0, 0)))
_HEADER_AT = len(_SIGNATURE) + _CHUNK.size
_LINES_AT = _HEAD_BYTES + _CHUNK.size
_BEHIND_LINES = _CHECKSUM.size + len(_END)


@dataclass
class PngStack:
    """PNGs of one head.

    Attributes:
        header: what that says.
        line_bytes: of a line, the byte that says how it is filtered included.
        places: of the pictures, in their batch.
        packed: the lines of each.
    """

    header: _Header
    line_bytes: int
    places: list[int] = field(default_factory=list)
    packed: list[bytes] = field(default_factory=list)

    def make_png(self) -> bytes:
        """Return a PNG of all pictures in their order, each with a black line below it."""
        black = bytes(self.line_bytes)
        # The nothing behind the last picture puts a black line below that one, too.
        lines = black.join([*self.packed, b""])
        height_of_each = self.header.height + 1
        height = len(self.packed) * height_of_each
        tall = self.header._replace(height=height)
        # Not compressed, as it is read at once.
        content = zlib.compress(lines, level=0)
        return _make_head(tall) + _make_chunk(b"IDAT", content) + _END


def stack_pngs(pictures: Iterable[object], height: int, width: int) -> Sequence[PngStack]:
    """Return the plain PNGs of a size, by what their heads say.

    Args:
        pictures: of a batch; bytes, or whatever stands where there are none.
        height, width: of those that are taken.
    """
    stacks: dict[bytes, PngStack | None] = {}
    for place, picture in enumerate(pictures):
        if not isinstance(picture, bytes) or not picture.startswith(_SIGNATURE):
            continue
        head = picture[:_HEAD_BYTES]
        if head not in stacks:
            stacks[head] = _start_stack(head, height, width)
        stack = stacks[head]
        if stack is None:
            continue
        lines = _unpack_lines(picture, height * stack.line_bytes)
        if lines is not None:
            stack.places.append(place)
            stack.packed.append(lines)
    return [stack for stack in stacks.values() if stack is not None and stack.places]


def _start_stack(head: bytes, height: int, width: int) -> PngStack | None:
    """Return a stack for the pictures with a head, or None where they are not plain."""
    if len(head) < _HEAD_BYTES:
        return None
    values = _HEADER.unpack_from(head, _HEADER_AT)
    header = _Header(*values)
    # Made anew, it has the right signature, length, and checksum.
    if head != _make_head(header):
        return None
    if (header.height, header.width) != (height, width):
        return None
    # An interlaced picture is seven pictures.
    if header.kind not in _SAMPLES or header.interlacing:
        return None
    bits = width * _SAMPLES[header.kind] * header.bits
    # Pixels of less than a byte share one, and a line begins with its own.
    pixel_bytes = (bits + 7) // 8
    return PngStack(header, line_bytes=_FILTER_BYTES + pixel_bytes)


def _unpack_lines(picture: bytes, line_bytes: int) -> bytes | None:
    """Return the lines of a PNG, or None where they are not in one chunk, or not as many bytes."""
    packed = picture[_LINES_AT:-_BEHIND_LINES]
    begin = _CHUNK.pack(len(packed), b"IDAT")
    if picture[_HEAD_BYTES:_LINES_AT] != begin or not picture.endswith(_END):
        return None
    unpacking = zlib.decompressobj()
    try:
        # No more than there should be, however much a picture that means harm would make.
        lines = unpacking.decompress(packed, line_bytes)
    except zlib.error:
        return None
    if len(lines) != line_bytes or not unpacking.eof:
        return None
    return lines
