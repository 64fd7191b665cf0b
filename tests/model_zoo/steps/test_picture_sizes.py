"""Widths and heights of encoded pictures, against those that they were made with."""

import io

import numpy as np
from PIL import Image as Pillow
import pyarrow as pa
import pytest

from model_zoo.steps.picture_sizes import read_sizes


def encode(width: int, height: int, format: str = "PNG", orientation: int | None = None) -> bytes:
    sink = io.BytesIO()
    picture = Pillow.new("RGB", (width, height))
    exif = picture.getexif()
    if orientation is not None:
        exif[274] = orientation
    picture.save(sink, format, exif=exif)
    return sink.getvalue()


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP"])
def test_sizes_are_those_that_are_stored(format: str) -> None:
    pictures = [encode(30, 20, format), None, encode(7, 9, format, orientation=6)]
    sizes = read_sizes(pa.array(pictures, pa.binary()), max_pixels=1_000)
    assert sizes.tolist() == [[30, 20], [7, 9]]


def test_what_cannot_be_opened_has_no_size() -> None:
    pictures = [b"", b"no picture", encode(30, 20), encode(40, 50)[:20], encode(40, 50)]
    sizes = read_sizes(pa.array(pictures), max_pixels=1_000)
    assert sizes.tolist() == [[30, 20]]
    assert read_sizes(pa.array([], pa.binary()), max_pixels=1).shape == (0, 2)


def test_a_header_is_enough() -> None:
    whole = encode(300, 200, "JPEG")
    rng = np.random.default_rng(0)
    broken = whole[: len(whole) // 2] + rng.bytes(10)
    assert read_sizes(pa.array([broken]), max_pixels=100_000).tolist() == [[300, 200]]
