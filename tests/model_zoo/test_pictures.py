"""Pictures that mean harm: no program is started for them, and none is unpacked that is too large."""

from collections.abc import Callable
from functools import partial
import io
from pathlib import Path
import struct
from types import SimpleNamespace
import zlib

import numpy as np
from PIL import Image as Pillow
import pytest

from configs.errors import RowError
from model_zoo import pictures
from model_zoo.pictures import FORMATS, open_picture

LIMIT = 1 << 16
SIDE = 16
# Twice the pixels that may be unpacked.
HUGE = (512, 256)
# Formats that change colours a little, and by how much of 255.
LOSSY = {"JPEG": 3, "WEBP": 3, "AVIF": 3}


def encoded(size: tuple[int, int], format: str, **options: object) -> bytes:
    sink = io.BytesIO()
    Pillow.new("RGB", size, (200, 100, 50)).save(sink, format, **options)
    return sink.getvalue()


def ico(part: bytes, said: int = 64) -> bytes:
    """An icon that says to be of `said` pixels a side, whatever it holds."""
    entry = struct.pack("<BBBBHHII", said, said, 0, 0, 1, 32, len(part), 22)
    return struct.pack("<HHH", 0, 1, 1) + entry + part


def icns(part: bytes) -> bytes:
    block = struct.pack(">4sI", b"ic07", 8 + len(part)) + part
    return struct.pack(">4sI", b"icns", 8 + len(block)) + block


def dib(width: int, height: int) -> bytes:
    """The header of a bitmap as an icon has it, colours and mask one above the other; no pixels."""
    return struct.pack("<IiiHHIIiiII", 40, width, 2 * height, 1, 32, 0, 0, 0, 0, 0, 0)


def tiff_with_a_tile(side: int, tile: int) -> bytes:
    """A TIFF of `side` x `side` grey pixels in one packed tile."""
    short, long = 3, 4
    pixels = zlib.compress(bytes(tile * tile))
    tags = [(256, short, side), (257, short, side), (258, short, 8), (259, short, 8)]
    tags += [(262, short, 1), (277, short, 1), (322, short, tile), (323, short, tile)]
    at = 8 + 2 + 12 * (len(tags) + 2) + 4
    tags += [(324, long, at), (325, long, len(pixels))]
    # A short number stands in the first half of its place: the same bytes as a long one here.
    entries = [struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags]
    return struct.pack("<2sHIH", b"II", 42, 8, len(tags)) + b"".join(entries) + bytes(4) + pixels


def gif(area: tuple[int, int], frame: tuple[int, int]) -> bytes:
    """A GIF whose frame is to be wiped, for which Pillow fills the area when it opens the file."""
    head = b"GIF89a" + struct.pack("<HHBBB", *area, 0x80, 0, 0) + bytes(6)
    wiped = b"\x21\xf9\x04\x08\0\0\0\0"
    return (
        head + wiped + b"\x2c" + struct.pack("<HHHHB", 0, 0, *frame, 0) + b"\x02\x02\x44\x01\0\x3b"
    )


TOO_LARGE: dict[str, Callable[[], bytes]] = {
    "a PNG in an ICO": lambda: ico(encoded(HUGE, "PNG")),
    "a bitmap in an ICO": lambda: ico(dib(*HUGE)),
    "a PNG in an ICNS": lambda: icns(encoded(HUGE, "PNG")),
    "a JPEG 2000 in an ICNS": lambda: icns(encoded(HUGE, "JPEG2000")),
    "a second PNG in an ICNS": lambda: icns(encoded((128, 128), "PNG")) + icns(encoded(HUGE, "PNG"))[8:],
    "a tile of a TIFF": lambda: tiff_with_a_tile(SIDE, 2048),
    "the area of a GIF": lambda: gif(HUGE, (8, 8)),
    "the frame of a GIF": lambda: gif((8, 8), HUGE),
}  # fmt: skip
TOO_LARGE |= {kind: partial(encoded, HUGE, kind) for kind in FORMATS if kind not in ("ICO", "ICNS")}


@pytest.mark.parametrize("kind", TOO_LARGE)
def test_what_is_too_large_is_refused_before_anything_is_unpacked(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = TOO_LARGE[kind]()
    Pillow.init()
    # Memory for pixels is given by these alone.
    for name in ("new", "fill"):
        monkeypatch.setattr(Pillow.core, name, _refuse_memory)
    with pytest.raises(RowError, match=f"pixels, more than max_pixels {LIMIT}"):
        open_picture(content, LIMIT)


def _refuse_memory(*arguments: object) -> None:
    raise AssertionError(f"memory for pixels: {arguments}")


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_of_the_list_is_read(kind: str) -> None:
    # Of an ICNS that is the largest of the sizes that Pillow writes, 1024 x 1024.
    with open_picture(encoded((SIDE, SIDE), kind), 1 << 20) as image:
        image.load()
        pixels = np.asarray(image.convert("RGB"), dtype=int)
    assert np.abs(pixels - (200, 100, 50)).max() <= LOSSY.get(kind, 0)


def test_small_icons_and_tiles_that_are_rounded_up_are_read() -> None:
    whites = [ico(encoded((64, 64), "PNG")), tiff_with_a_tile(SIDE, 512)]
    for content in whites:
        with open_picture(content, 64 * 64) as image:
            image.load()


OTHERS = {
    "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n%%EOF\n",
    "a stub": b"GRIB" + bytes(3) + b"\1" + bytes(100),
    "another stub": b"\x89HDF\r\n\x1a\n" + bytes(100),
    "no picture": b"<html>",
    "an icon of nothing": ico(b"x" * 40),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_no_other_format_is_read_and_no_program_started(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ghostscript = tmp_path / "gs"
    ghostscript.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    ghostscript.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr("PIL.EpsImagePlugin.gs_binary", str(ghostscript))
    with pytest.raises(RowError, match="not a picture in one of the formats"):
        open_picture(OTHERS[kind], LIMIT)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "content", [b"GIF89a", gif((8, 8), (8, 8))[:20], b"icns", b"\0\0\1\0", b"\0\0\1\0\1\0"]
)
def test_what_is_cut_is_refused(content: bytes) -> None:
    with pytest.raises(Exception, match=r"."):
        open_picture(content, LIMIT).load()


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "GIF"])
def test_a_picture_of_as_many_pixels_as_allowed_is_read_and_one_of_more_is_not(kind: str) -> None:
    content = gif((64, 32), (64, 32)) if kind == "GIF" else encoded((64, 32), kind)
    with open_picture(content, 64 * 32) as image:
        assert image.size == (64, 32)
    with pytest.raises(RowError, match=r"image of 64 x 32 pixels, more than max_pixels 2047"):
        open_picture(content, 64 * 32 - 1)


@pytest.mark.parametrize("max_pixels", [1, 1024 * 1024 - 1, 1024 * 1024, 1024 * 1024 + 1024])
def test_a_tile_may_have_a_million_pixels_or_as_many_as_the_picture(max_pixels: int) -> None:
    def of_tiles(width: int, height: int) -> SimpleNamespace:
        return SimpleNamespace(tag_v2={322: width, 323: height})

    most = max(max_pixels, 1024 * 1024)
    pictures._refuse_large_tiles(of_tiles(1024, most // 1024), max_pixels)
    pictures._refuse_large_tiles(of_tiles(most // 1024, 1024), max_pixels)
    with pytest.raises(RowError, match="image with tiles of 1 x"):
        pictures._refuse_large_tiles(of_tiles(1, most + 1), max_pixels)
    # A picture without tiles, or with strips.
    pictures._refuse_large_tiles(SimpleNamespace(tag_v2={322: 1 << 40}), max_pixels)
    pictures._refuse_large_tiles(SimpleNamespace(tag_v2={323: 1 << 40}), max_pixels)
    pictures._refuse_large_tiles(object(), max_pixels)


def gif_of(flags: int, colours: int, blocks: bytes) -> bytes:
    """A small area, a table of colours, and whatever stands before a huge frame."""
    head = b"GIF87a" + struct.pack("<HHBBB", 8, 8, flags, 0, 0)
    return head + b"\x2c" * (3 * colours) + blocks + b"\x2c" + struct.pack("<HHHH", 0, 0, *HUGE)


BLOCKS = {
    "nothing": b"",
    "a stray byte": b"\0",
    "a comment": b"\x21\xfe\x03abc\0",
    "a comment in pieces": b"\x21\xfe\x01,\x02,,\0",
    "a comment without content": b"\x21\xfe\0",
    "two blocks": b"\x21\xf9\x04\x08\0\0\0\0\x21\xfe\x01,\0",
}


@pytest.mark.parametrize("blocks", BLOCKS)
@pytest.mark.parametrize(
    ("flags", "colours"),
    [(0x00, 0), (0x07, 0), (0x7F, 0), *((0x80 | size, 2 << size) for size in range(8))],
)
def test_the_frame_of_a_gif_is_found_behind_its_colours_and_whatever_stands_before_it(
    flags: int, colours: int, blocks: str
) -> None:
    """The colours are those of the mark of a frame: who begins too early finds none, or another."""
    content = gif_of(flags, colours, BLOCKS[blocks]) + b"\0"
    assert list(pictures._list_areas_of_gif(content)) == [(8, 8), HUGE]
    # One byte less, and its size is not there.
    assert list(pictures._list_areas_of_gif(content[:-1])) == [(8, 8)]


@pytest.mark.parametrize("length", range(12, 40))
def test_a_gif_that_is_cut_anywhere_has_the_areas_that_are_there(length: int) -> None:
    content = gif_of(0x80, 2, BLOCKS["a comment in pieces"])[:length]
    expected = [(8, 8)] if length >= 13 else []
    assert list(pictures._list_areas_of_gif(content)) == expected


def test_what_is_no_gif_has_no_areas() -> None:
    assert list(pictures._list_areas_of_gif(b"GIF90a" + bytes(40))) == []


def test_a_block_of_an_icon_that_ends_with_it_is_looked_at() -> None:
    """And one that says to have no length does not keep the reader for ever."""
    packed = encoded((8, 8), "PNG")
    for middle in (b"", struct.pack(">4sI", b"TOC ", 8), struct.pack(">4sI", b"TOC ", 0)):
        content = b"icns\0\0\0\0" + middle + struct.pack(">4sI", b"ic07", 8 + len(packed)) + packed
        assert list(pictures._list_parts(content)) == [packed]
