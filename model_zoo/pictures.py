"""Open encoded pictures that anybody may have made: a closed list of formats, and no picture too large.

Comes in: the bytes of a file. Goes out: a Pillow image whose pixels are still packed, and whose
size, with that of every picture inside it, was compared with a limit first.
"""

from collections.abc import Iterator
import io
import struct
from typing import Any

from configs.errors import RowError

# What Pillow unpacks itself. Of the formats that it knows beside these, some start a program
# (PostScript), some hand the file to whatever is registered (BUFR, GRIB, HDF5), and others are so
# rare that nobody looks for mistakes in their readers. Those that Pillow imports anyway come first:
# the others are imported when a picture is none of these.
FORMATS = (
    "JPEG",
    "PNG",
    "BMP",
    "GIF",
    "PPM",
    "TIFF",
    "WEBP",
    "AVIF",
    "JPEG2000",
    "ICO",
    "ICNS",
    "PCX",
    "QOI",
    "SGI",
    "TGA",
)
# What icons hold; DIB is a BMP without its first lines.
_OF_PARTS = ("PNG", "JPEG2000", "DIB")
# A tile of a TIFF may be larger than a small picture, as encoders round up to their own size.
_PIXELS_OF_ANY_TILE = 1 << 20
_TILE_WIDTH = 322
_TILE_HEIGHT = 323
# What the files that icons hold begin with: PNG, and the two forms of JPEG 2000.
_PNG = b"\x89PNG\r\n\x1a\n"
_PACKED = (_PNG, b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  ", b"\r\n\x87\n")
_ICO = b"\0\0\1\0"
_ICNS = b"icns"
_GIF = (b"GIF87a", b"GIF89a")
# Width, height and flags, of the whole area and, behind its place there, of a frame.
_GIF_AREA = struct.Struct("<HHB")
_GIF_AREA_AT = 6
_GIF_BLOCKS_AT = 13
_GIF_FRAME = 0x2C
_GIF_EXTENSION = 0x21
# Of flags: whether a table of colours follows, and the bits that tell how many they are.
_GIF_HAS_COLOURS = 0x80
_GIF_COLOURS = 0x07
# Kind and length of a block, length included.
_ICNS_BLOCK = struct.Struct(">4sI")


def open_picture(encoded: bytes, max_pixels: int) -> Any:
    """Return a Pillow image of which the header alone was read.

    Args:
        encoded: a file's content.
        max_pixels: the most that it, or any part that would be unpacked for it, may have.

    Raises:
        RowError: it is of no format of `FORMATS`, or too large.
        Exception: whatever else Pillow has against it.
    """
    # Before Pillow is asked: it unpacks an icon to tell its size.
    for part in _list_parts(encoded):
        with _open(part, _OF_PARTS) as picture:
            width, height = picture.size
            # Colours and mask, one above the other.
            if picture.format == "DIB":
                height //= 2
            _refuse_large(width, height, max_pixels)
    # Also before: of a GIF it fills the whole area.
    for width, height in _list_areas_of_gif(encoded):
        _refuse_large(width, height, max_pixels)
    image = _open(encoded, FORMATS)
    try:
        width, height = image.size
        _refuse_large(width, height, max_pixels)
        _refuse_large_tiles(image, max_pixels)
    except BaseException:
        image.close()
        raise
    return image


def _open(encoded: bytes, formats: tuple[str, ...]) -> Any:
    # Takes a tenth of a second, and jobs without pictures need none.
    import PIL.Image

    file = io.BytesIO(encoded)
    try:
        return PIL.Image.open(file, formats=formats)
    except PIL.UnidentifiedImageError as error:
        names = ", ".join(formats)
        raise RowError(f"broken, or not a picture in one of the formats {names}") from error


def _refuse_large(width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise RowError(f"image of {width} x {height} pixels, more than max_pixels {max_pixels}")


def _refuse_large_tiles(image: Any, max_pixels: int) -> None:
    """Refuse a TIFF with tiles far larger than it: they are unpacked whole."""
    tags = getattr(image, "tag_v2", {})
    width = tags.get(_TILE_WIDTH, 0)
    height = tags.get(_TILE_HEIGHT, 0)
    if width * height > max(max_pixels, _PIXELS_OF_ANY_TILE):
        raise RowError(
            f"image with tiles of {width} x {height} pixels, more than max_pixels {max_pixels}"
        )


def _list_parts(encoded: bytes) -> Iterator[bytes]:
    """Yield the packed pictures in an icon; nothing of another format."""
    if encoded.startswith(_ICO):
        yield from _find_part_of_ico(encoded)
    if encoded.startswith(_ICNS):
        yield from _list_parts_of_icns(encoded)


def _find_part_of_ico(encoded: bytes) -> Iterator[bytes]:
    """Yield the picture that Pillow takes of an ICO."""
    from PIL.IcoImagePlugin import IcoFile

    file = io.BytesIO(encoded)
    # Read by Pillow's own class, so that both mean the same entry.
    entries = IcoFile(file).entry
    # The largest, as the list of contents says; what is said there need not be true.
    for entry in entries[:1]:
        yield encoded[entry.offset :]


def _list_parts_of_icns(encoded: bytes) -> Iterator[bytes]:
    """Yield every packed picture of an ICNS; the others in it have a size that the format sets."""
    place = _ICNS_BLOCK.size
    while place + _ICNS_BLOCK.size <= len(encoded):
        _, length = _ICNS_BLOCK.unpack_from(encoded, place)
        begins = place + _ICNS_BLOCK.size
        content = encoded[begins : place + length]
        if content.startswith(_PACKED):
            yield content
        # A block of no length would never end.
        place += max(length, _ICNS_BLOCK.size)


def _list_areas_of_gif(encoded: bytes) -> Iterator[tuple[int, int]]:
    """Yield width and height of a GIF's whole area and of its first frame, as far as they are there."""
    if not encoded.startswith(_GIF):
        return
    if len(encoded) < _GIF_BLOCKS_AT:
        return
    width, height, flags = _GIF_AREA.unpack_from(encoded, _GIF_AREA_AT)
    yield width, height
    place = _GIF_BLOCKS_AT
    # A table of 2 to 256 colours, three bytes each.
    if flags & _GIF_HAS_COLOURS:
        bits = (flags & _GIF_COLOURS) + 1
        place += 3 << bits
    while place < len(encoded) and encoded[place] != _GIF_FRAME:
        place = _skip_gif_block(encoded, place)
    # Behind the mark and where the frame stands in the area.
    place += 5
    if place + _GIF_AREA.size <= len(encoded):
        width, height, _ = _GIF_AREA.unpack_from(encoded, place)
        yield width, height


def _skip_gif_block(encoded: bytes, place: int) -> int:
    """Return where the block behind this one begins; Pillow, too, passes over what is none."""
    if encoded[place] != _GIF_EXTENSION:
        return place + 1
    place += 2
    # Pieces that begin with their length, the last one without content.
    while place < len(encoded) and encoded[place]:
        place += 1 + encoded[place]
    return place + 1
