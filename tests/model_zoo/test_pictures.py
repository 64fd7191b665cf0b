"""Pictures that mean harm: no program is started for them, and none is unpacked that is too large."""

from collections.abc import Callable
from functools import partial
import io
from pathlib import Path
import struct
import zlib

import numpy as np
from PIL import Image as Pillow
import pytest

from configs.errors import RowError
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
