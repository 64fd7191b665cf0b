from collections.abc import Callable
import io
import struct
from typing import Any

import numpy as np
from PIL import Image as Pillow
from PIL.PngImagePlugin import PngInfo
import pyarrow as pa
from pydantic import ValidationError
import pytest
import torch

from configs.errors import RejectedRows
from model_zoo.steps import image
from model_zoo.steps.image import Image, decode_images
from tests.faults.counts import full_or

RANDOM = np.random.default_rng(7)


def encoded(pixels: np.ndarray, format: str = "PNG") -> bytes:
    sink = io.BytesIO()
    # Of PNG: to look for a shorter form takes longer than all that is done with it.
    Pillow.fromarray(pixels).save(sink, format, compress_level=0)
    return sink.getvalue()


def step(**changes: Any) -> Image:
    return Image.model_validate(
        {
            "step": "image",
            "column": "i",
            "into": "x",
            "height": 6,
            "width": 5,
            "mode": "L",
            **changes,
        }
    )


def column(*images: bytes | None) -> pa.Array:
    return pa.array(images, type=pa.binary())


def test_gray_pixels_are_divided_by_255_and_normalised() -> None:
    pixels = RANDOM.integers(0, 256, (4, 6, 5), dtype=np.uint8)
    x = decode_images(column(*map(encoded, pixels)), step(mean=[0.5], std=[0.25]))
    assert (x.dtype, x.shape, x.transpose(0, 2, 3, 1).flags.c_contiguous) == (
        np.float32,
        (4, 1, 6, 5),
        True,
    )
    np.testing.assert_allclose(x[:, 0], (pixels / 255 - 0.5) / 0.25, atol=1e-6)


def test_rgb_is_channels_first_with_a_mean_and_std_each() -> None:
    pixels = RANDOM.integers(0, 256, (3, 6, 5, 3), dtype=np.uint8)
    mean, std = [0.1, 0.2, 0.3], [0.5, 0.6, 0.7]
    x = decode_images(column(*map(encoded, pixels)), step(mode="RGB", mean=mean, std=std))
    expected = (
        torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255 - torch.tensor(mean).view(3, 1, 1)
    ) / torch.tensor(std).view(3, 1, 1)
    np.testing.assert_allclose(x, expected.numpy(), atol=1e-6)


def test_other_modes_become_the_declared_one() -> None:
    gray = RANDOM.integers(0, 256, (6, 5), dtype=np.uint8)
    rgba = np.dstack([gray, gray, gray, np.full_like(gray, 255)])
    same = decode_images(column(encoded(gray), encoded(rgba)), step(mode="RGB"))
    np.testing.assert_array_equal(same[0], same[1])
    np.testing.assert_array_equal(same[0, 0], gray.astype(np.float32) / np.float32(255))


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize(("height", "width"), [(40, 30), (3, 4), (6, 50), (300, 5), (7, 5)])
def test_resizing_is_that_of_pillow_but_for_a_rounded_number_here_and_there(
    mode: str, height: int, width: int
) -> None:
    pixels = RANDOM.integers(0, 256, (20, height, width, 3), dtype=np.uint8)
    images = [Pillow.fromarray(p).convert(mode) for p in pixels]
    x = decode_images(column(*(encoded(np.asarray(image)) for image in images)), step(mode=mode))
    resized = [image.resize((5, 6), Pillow.Resampling.BILINEAR) for image in images]
    expected = np.stack([np.asarray(r, dtype=int).reshape(6, 5, -1) for r in resized])
    differences = np.abs(np.rint(x * 255).astype(int).transpose(0, 2, 3, 1) - expected)
    assert (x.shape, x.transpose(0, 2, 3, 1).flags.c_contiguous) == ((20, len(mode), 6, 5), True)
    assert differences.max() <= 2
    assert np.count_nonzero(differences) < 0.05 * differences.size


def test_jpeg_is_read_too() -> None:
    pixels = np.full((6, 5, 3), 128, dtype=np.uint8)
    x = decode_images(column(encoded(pixels, "JPEG")), step(mode="RGB"))
    np.testing.assert_allclose(x, 128 / 255, atol=0.01)


def test_no_rows_give_an_empty_array_of_the_full_shape() -> None:
    assert decode_images(column(), step(mode="RGB")).shape == (0, 3, 6, 5)


def test_a_slice_of_a_column_is_its_own_rows() -> None:
    pixels = RANDOM.integers(0, 256, (4, 6, 5), dtype=np.uint8)
    x = decode_images(column(*map(encoded, pixels)).slice(2, 1), step())
    np.testing.assert_array_equal(x[0, 0], pixels[2] / np.float32(255))


def test_missing_broken_cut_and_oversized_images_are_bad_rows() -> None:
    good = encoded(RANDOM.integers(0, 256, (6, 5), dtype=np.uint8))
    noise = encoded(RANDOM.integers(0, 256, (64, 64), dtype=np.uint8))
    large = encoded(np.zeros((101, 100), dtype=np.uint8))
    with pytest.raises(RejectedRows) as caught:
        decode_images(
            column(good, None, b"", b"<html>", noise[: len(noise) // 2], large, good),
            step(max_pixels=10_000),
        )
    reasons = caught.value.reasons
    assert set(reasons) == {1, 2, 3, 4, 5}
    assert str(reasons[1]) == str(reasons[2]) == "no image"
    assert str(reasons[5]) == "image of 100 x 101 pixels, more than max_pixels 10000"


def test_an_image_of_as_many_pixels_as_it_may_have_is_read() -> None:
    image = column(encoded(np.zeros((100, 100), dtype=np.uint8)))
    assert decode_images(image, step(max_pixels=10_000)).shape == (1, 1, 6, 5)
    with pytest.raises(RejectedRows):
        decode_images(image, step(max_pixels=9_999))


def test_a_bomb_is_refused_by_its_header() -> None:
    """A PNG that says 60 000 x 60 000 and holds nothing: decoding it would take 3.6 GB."""
    bomb = bytearray(encoded(np.zeros((1, 1), dtype=np.uint8)))
    bomb[16:24] = (60_000).to_bytes(4, "big") * 2
    import zlib

    bomb[29:33] = zlib.crc32(bytes(bomb[12:29])).to_bytes(4, "big")
    with pytest.raises(RejectedRows) as caught:
        decode_images(column(bytes(bomb)), step())
    assert "pixels" in str(caught.value.reasons[0])


@pytest.mark.parametrize(("format", "order"), [("PNG", "<"), ("TIFF", "<"), ("TIFF", ">")])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_16_bit_grey_keeps_its_upper_byte(format: str, order: str, mode: str) -> None:
    pixels = RANDOM.integers(0, 1 << 16, (6, 5), dtype=np.uint16)
    pixels[0, :3] = (255, 256, 65_535)
    sink = io.BytesIO()
    Pillow.fromarray(pixels.astype(f"{order}u2")).save(sink, format)
    (x,) = decode_images(column(sink.getvalue()), step(mode=mode))
    for channel in x:
        np.testing.assert_array_equal(channel, (pixels // 256).astype(np.float32) / np.float32(255))


def tiff_of_12_bits(pixels: np.ndarray) -> bytes:
    """One uncompressed strip, two grey pixels in three bytes; Pillow reads such files, and writes none."""
    first, second = pixels.reshape(-1, 2).astype(np.uint16).T
    strip = np.stack([first >> 4, (first & 15) << 4 | second >> 8, second & 255], axis=1)
    height, width = pixels.shape
    # Width, height, bits, no compression, 0 is black, place, samples, rows of a strip, its bytes.
    tags = {256: width, 257: height, 258: 12, 259: 1, 262: 1, 273: 122}
    tags |= {277: 1, 278: height, 279: strip.size}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    head = b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)
    return head + strip.astype(np.uint8).tobytes()


def test_grey_of_12_bits_is_scaled_by_its_own_depth() -> None:
    pixels = RANDOM.integers(0, 1 << 12, (6, 5 + 1), dtype=np.uint16)
    pixels[0, :3] = (15, 16, 4095)
    (x,) = decode_images(column(tiff_of_12_bits(pixels)), step(width=6))
    np.testing.assert_array_equal(x[0], (pixels // 16).astype(np.float32) / np.float32(255))


def test_deep_grey_in_which_zero_is_white_is_turned_round() -> None:
    """As Pillow itself turns grey of 8 bits."""
    pixels = RANDOM.integers(0, 1 << 16, (6, 5), dtype=np.uint16)
    sink = io.BytesIO()
    Pillow.fromarray(pixels).save(sink, "TIFF", tiffinfo={262: 0})
    (x,) = decode_images(column(sink.getvalue()), step())
    np.testing.assert_array_equal(x[0], (255 - pixels // 256).astype(np.float32) / np.float32(255))


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_32_bit_pixels_are_bad_rows(dtype: type) -> None:
    sink = io.BytesIO()
    Pillow.fromarray(np.ones((6, 5), dtype=dtype)).save(sink, "TIFF")
    with pytest.raises(RejectedRows) as caught:
        decode_images(column(sink.getvalue()), step())
    assert "32 bits per pixel" in str(caught.value.reasons[0])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_that_a_camera_noted_is_applied(orientation: int) -> None:
    upright = RANDOM.integers(0, 256, (6, 5), dtype=np.uint8)
    turned = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: np.rot90(upright),
        7: upright[::-1, ::-1].T,
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    sink = io.BytesIO()
    Pillow.fromarray(np.ascontiguousarray(turned)).save(sink, "PNG", exif=exif)
    (x,) = decode_images(column(sink.getvalue()), step())
    np.testing.assert_array_equal(x[0], upright / np.float32(255))


def _note_in_text(orientation: int) -> PngInfo:
    """Return what older programs write: EXIF in hexadecimal digits, below three lines of their own."""
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    info = PngInfo()
    info.add_text("Raw profile type exif", f"\nexif\n0\n{exif.tobytes().hex()}", zip=True)
    return info


def _note_in_xmp(orientation: int) -> PngInfo:
    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", f'<x tiff:Orientation="{orientation}"/>')
    return info


@pytest.mark.parametrize("note", [_note_in_text, _note_in_xmp])
def test_wherever_a_png_notes_its_orientation(note: Callable[[int], PngInfo]) -> None:
    upright = RANDOM.integers(0, 256, (6, 5), dtype=np.uint8)
    sink = io.BytesIO()
    half_a_turn = np.ascontiguousarray(upright[::-1, ::-1])
    Pillow.fromarray(half_a_turn).save(sink, "PNG", pnginfo=note(3))
    (x,) = decode_images(column(sink.getvalue()), step())
    np.testing.assert_array_equal(x[0], upright / np.float32(255))


@pytest.mark.parametrize("at_once", [1, 30, 60, 90, 1 << 16])
def test_pictures_that_are_normalised_together_keep_their_rows(
    at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of five pictures the fourth is broken."""
    monkeypatch.setattr(image, "_NORMALISED_AT_ONCE", at_once)
    pictures = RANDOM.integers(0, 256, (5, 6, 5), dtype=np.uint8)
    contents = [encoded(picture) for picture in pictures]
    normalised = decode_images(column(*contents), step(mean=(0.25,), std=(0.5,)))
    expected = (pictures / np.float32(255) - np.float32(0.25)) * np.float32(2)
    np.testing.assert_array_equal(normalised[:, 0], expected)
    contents[3] = b"x"
    with pytest.raises(RejectedRows) as caught:
        decode_images(column(*contents), step())
    assert list(caught.value.reasons) == [3]


def test_cmyk_is_converted() -> None:
    sink = io.BytesIO()
    Pillow.new("CMYK", (5, 6), (255, 0, 0, 0)).save(sink, "TIFF")
    (x,) = decode_images(column(sink.getvalue()), step(mode="RGB"))
    np.testing.assert_array_equal(
        x, np.broadcast_to(np.array([0, 1, 1], dtype=np.float32)[:, None, None], x.shape)
    )


def _photos(count: int) -> list[bytes]:
    """Pictures of many sizes, smaller and larger than what networks take, upright and not."""
    photos = []
    for number in range(count):
        height, width = RANDOM.integers(20, 300, 2)
        y, x = np.mgrid[0:height, 0:width]
        waves = [127 + 120 * np.sin(x / (5 + c * 7 + number % 11) + y / 9) for c in range(3)]
        noisy = np.stack(waves, axis=-1) + RANDOM.normal(0, 12, (height, width, 3))
        pixels = noisy.clip(0, 255).astype(np.uint8)
        photos.append(encoded(pixels, "JPEG" if number % 2 else "PNG"))
    return photos


@pytest.mark.parametrize(
    ("interpolation", "resize", "crop"), [("bilinear", 64, 56), ("bicubic", 61, 75)]
)
def test_photographs_are_as_torchvisions_own_transforms_make_them(
    interpolation: Any, resize: int, crop: int
) -> None:
    """200 of them in `make test-long`; also where the picture is smaller than what is cut out of it."""
    transforms = pytest.importorskip("torchvision.transforms")
    presets = pytest.importorskip("torchvision.transforms._presets")
    photos = _photos(full_or(60, 200))
    like_torchvision = step(
        mode="RGB",
        height=crop,
        width=crop,
        mean=[0.485, 0.456, 0.406],
        std=[0.229, 0.224, 0.225],
        resize="shorter",
        resize_height=resize,
        interpolation=interpolation,
        resize_with="pillow",
    )
    transform = presets.ImageClassification(
        crop_size=crop,
        resize_size=resize,
        interpolation=transforms.InterpolationMode(interpolation),
    )
    expected = [transform(Pillow.open(io.BytesIO(photo)).convert("RGB")) for photo in photos]
    actual = decode_images(column(*photos), like_torchvision)
    np.testing.assert_allclose(actual, torch.stack(expected).numpy(), atol=1e-5)


def test_what_a_step_of_older_versions_says_is_all_that_a_package_holds_of_it() -> None:
    """So the same model has the same digest as before."""
    fields = step().model_dump(mode="json")
    assert set(fields) == {
        "step", "column", "into", "height", "width", "mode", "mean", "std", "max_pixels",
    }  # fmt: skip
    assert step(resize="shorter").model_dump()["resize"] == "shorter"


def test_a_picture_so_long_that_it_would_be_resized_to_more_pixels_is_rejected() -> None:
    """A line of a million pixels, whose shorter side becomes 100 times as long."""
    thin = encoded(np.zeros((1, 10_000), dtype=np.uint8))
    shorter = step(resize="shorter", resize_height=100)
    with pytest.raises(RejectedRows) as rejected:
        decode_images(column(thin, encoded(np.zeros((6, 5), dtype=np.uint8))), shorter)
    ((row, reason),) = rejected.value.reasons.items()
    assert row == 0
    assert "would be resized to more than" in str(reason)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"resize_height": 10**4, "resize_width": 10**4}, "must not make more than"),
        ({"resize": "shorter", "resize_height": 10**4}, "must not make more than"),
        ({"resize_height": 10**6, "resize_width": 10**6, "max_pixels": 10**15}, "must not make"),
        ({"resize": "shorter", "resize_width": 8}, "resize_height alone"),
        ({"resize_height": 0}, "greater than or equal to 1"),
        ({"max_pixels": 0}, "greater than or equal to 1"),
    ],
)
def test_a_size_that_is_none_is_refused(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        step(**changes)


@pytest.mark.parametrize(("max_pixels", "is_taken"), [(29, False), (30, True)])
def test_a_network_may_take_as_many_pixels_as_a_picture_may_have(
    max_pixels: int, is_taken: bool
) -> None:
    fields = {"step": "image", "column": "a", "into": "x", "height": 6, "width": 5}
    if is_taken:
        assert Image.model_validate({**fields, "max_pixels": max_pixels}).max_pixels == 30
        return
    with pytest.raises(ValidationError, match="must not be more than max_pixels, 29, got 6 x 5"):
        Image.model_validate({**fields, "max_pixels": max_pixels})
