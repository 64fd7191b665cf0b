"""JPEG decoded smaller than it is, beside what Pillow makes of the same scale and of the whole."""

import io
from typing import Any

import numpy as np
from PIL import Image as Pillow
import pyarrow as pa
import pytest

from configs.errors import RejectedRows
from model_zoo.steps.image import Image, decode_images

ORIENTATION = 0x0112
# Of one number: an eighth of a pixel's error in place shows as less than this.
CLOSE = 0.05


def make_step(**changes: Any) -> Image:
    fields = {
        "step": "image",
        "column": "picture",
        "into": "x",
        "height": 30,
        "width": 40,
        "mode": "RGB",
        "resize_with": "pillow",
        "decoding": "scaled",
    }
    return Image.model_validate(fields | changes)


def make_photo(width: int, height: int, **options: Any) -> bytes:
    """Return a JPEG with waves that no scale can make vanish, and of which no part is another's."""
    x = np.arange(width)
    y = np.arange(height)[:, None]
    pixels = np.empty((height, width, 3), np.uint8)
    pixels[..., 0] = 127 + 100 * np.sin(x / width * 9)
    pixels[..., 1] = 127 + 100 * np.cos(y / height * 7)
    pixels[..., 2] = 255 * x / width * y / height
    sink = io.BytesIO()
    Pillow.fromarray(pixels).save(sink, options.pop("format", "JPEG"), **options)
    return sink.getvalue()


def decode(step: Image, *photos: bytes) -> np.ndarray:
    return decode_images(pa.array(photos, pa.binary()), step)


@pytest.mark.parametrize(
    ("size", "scaled"),
    [
        # Resized to 40 x 30, so that 80 x 60 must be left.
        ((640, 480), (80, 60)),
        ((639, 480), (160, 120)),
        ((320, 240), (80, 60)),
        ((333, 251), (84, 63)),
        ((160, 1000), (80, 500)),
        ((159, 1000), (159, 1000)),
    ],
)
def test_a_jpeg_is_decoded_in_the_smallest_scale_that_is_twice_as_long_as_it_is_resized_to(
    size: tuple[int, int], scaled: tuple[int, int]
) -> None:
    photo = make_photo(*size)
    with Pillow.open(io.BytesIO(photo)) as image:
        # At least as large; sides that do not divide are rounded up.
        image.draft("RGB", (scaled[0] - 1, scaled[1] - 1))
        pixels = image.convert("RGB")
    assert pixels.size == scaled

    resized = pixels.resize((40, 30), Pillow.Resampling.BILINEAR)
    expected = np.asarray(resized, np.float32) / np.float32(255)
    (actual,) = decode(make_step(), photo)
    np.testing.assert_array_equal(actual.transpose(1, 2, 0), expected)


@pytest.fixture(scope="module")
def photos() -> list[bytes]:
    """Large ones, of both ways to stand."""
    return [make_photo(1201, 903), make_photo(700, 999)]


@pytest.mark.parametrize("resize_with", ["torch", "pillow"])
@pytest.mark.parametrize("resize", ["exact", "shorter"])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_photograph_looks_as_if_it_had_been_decoded_whole(
    photos: list[bytes], resize_with: str, resize: str, mode: str
) -> None:
    changes: dict[str, Any] = {"resize_with": resize_with, "resize": resize, "mode": mode}
    scaled = decode(make_step(**changes), *photos)
    whole = decode(make_step(**changes, decoding="whole"), *photos)
    np.testing.assert_allclose(scaled, whole, atol=CLOSE)
    # Or it was not decoded smaller, and all of this shows nothing.
    assert not np.array_equal(scaled, whole)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photograph_on_its_side_is_scaled_by_what_it_is_resized_to_once_it_stands(
    orientation: int,
) -> None:
    exif = Pillow.Exif()
    exif[ORIENTATION] = orientation
    # Resized to 20 x 120: of the wrong side less than twice as many pixels would be left.
    tall = make_step(width=20, height=120)
    photo = make_photo(500, 500, exif=exif)
    scaled = decode(tall, photo)
    whole = decode(make_step(width=20, height=120, decoding="whole"), photo)
    np.testing.assert_allclose(scaled, whole, atol=CLOSE)
    with Pillow.open(io.BytesIO(photo)) as image:
        image.draft("RGB", (250, 250))
        assert image.size == (250, 250)
        halved = image.convert("RGB")
    halved.getexif()[ORIENTATION] = orientation
    upright = halved
    for turn in _list_turns(orientation):
        upright = upright.transpose(turn)
    resized = upright.resize((20, 120), Pillow.Resampling.BILINEAR)
    expected = np.asarray(resized, np.float32) / np.float32(255)
    np.testing.assert_array_equal(scaled[0].transpose(1, 2, 0), expected)


def _list_turns(orientation: int) -> list[Pillow.Transpose]:
    turn = {
        2: Pillow.Transpose.FLIP_LEFT_RIGHT,
        3: Pillow.Transpose.ROTATE_180,
        4: Pillow.Transpose.FLIP_TOP_BOTTOM,
        5: Pillow.Transpose.TRANSPOSE,
        6: Pillow.Transpose.ROTATE_270,
        7: Pillow.Transpose.TRANSVERSE,
        8: Pillow.Transpose.ROTATE_90,
    }
    return [turn[orientation]] if orientation in turn else []


@pytest.mark.parametrize("format", ["PNG", "BMP", "WEBP"])
def test_other_formats_are_decoded_whole(format: str) -> None:
    photo = make_photo(640, 480, format=format)
    scaled = decode(make_step(), photo)
    whole = decode(make_step(decoding="whole"), photo)
    np.testing.assert_array_equal(scaled, whole)


def test_a_progressive_jpeg_is_scaled_too() -> None:
    plain, progressive = make_photo(640, 480), make_photo(640, 480, progressive=True)
    np.testing.assert_array_equal(decode(make_step(), plain), decode(make_step(), progressive))


def test_the_same_rows_are_rejected_as_of_whole_pictures() -> None:
    photo = make_photo(640, 480)
    photos = [photo[: len(photo) // 2], b"no picture", make_photo(2000, 1000), photo]
    rejected = {}
    for decoding in ("whole", "scaled"):
        step = make_step(decoding=decoding, max_pixels=640 * 480)
        with pytest.raises(RejectedRows) as caught:
            decode(step, *photos)
        rejected[decoding] = {row: str(why) for row, why in caught.value.reasons.items()}
    assert rejected["scaled"] == rejected["whole"]
    assert list(rejected["whole"]) == [0, 1, 2]


def test_a_package_of_whole_pictures_says_nothing_of_it() -> None:
    """So the same model has the same digest as before."""
    assert "decoding" not in make_step(decoding="whole").model_dump()
    assert make_step().model_dump()["decoding"] == "scaled"
