"""Small PNGs that are decoded together, against the same ones decoded one by one, by Pillow as it comes."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
import io
import struct
from typing import Any
import zlib

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
from PIL import Image as Pillow
import pyarrow as pa
import pytest

from configs.errors import RejectedRows
from model_zoo.png_stacks import stack_pngs
from model_zoo.steps import image
from model_zoo.steps.image import Image, decode_images

HEIGHT, WIDTH = 6, 5
SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Bits of a sample, kind of pixels, and bits of a pixel: grey, colours, and both with transparency.
KINDS = [
    (1, 0, 1), (2, 0, 2), (4, 0, 4), (8, 0, 8), (16, 0, 16), (8, 2, 24), (16, 2, 48),
    (8, 4, 16), (16, 4, 32), (8, 6, 32), (16, 6, 64),
]  # fmt: skip
GREY, COLOURS = (8, 0, 8), (8, 2, 24)
RANDOM = np.random.default_rng(3)


def make_step(height: int = HEIGHT, width: int = WIDTH, mode: str = "L", **more: Any) -> Image:
    fields = {"step": "image", "column": "i", "into": "x", "mode": mode}
    return Image.model_validate(fields | {"height": height, "width": width} | more)


def chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def head(height: int, width: int, bits: int = 8, kind: int = 0, last: bytes = bytes(3)) -> bytes:
    return SIGNATURE + chunk(b"IHDR", struct.pack(">IIBB", width, height, bits, kind) + last)


END = chunk(b"IEND", b"")
HEAD = head(HEIGHT, WIDTH)


def make_lines(height: int, width: int, pixel_bits: int, filters: Sequence[int]) -> bytes:
    """Lines of any bytes, which any filter makes pixels of."""
    count = (width * pixel_bits + 7) // 8
    lines = [bytes([filters[line % len(filters)]]) + RANDOM.bytes(count) for line in range(height)]
    return b"".join(lines)


def packed(lines: bytes) -> bytes:
    return chunk(b"IDAT", zlib.compress(lines))


def make_png(
    height: int = HEIGHT,
    width: int = WIDTH,
    kind: tuple[int, int, int] = GREY,
    filters: Sequence[int] = (4, 3, 2, 1, 0),
) -> bytes:
    lines = make_lines(height, width, kind[2], filters)
    return head(height, width, *kind[:2]) + packed(lines) + END


@contextmanager
def one_by_one() -> Iterator[None]:
    """No picture has another one beside it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(image, "_NORMALISED_AT_ONCE", 1)
        yield


@contextmanager
def none_alone() -> Iterator[None]:
    """A picture that is decoded by itself is an error of its row."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delattr(image, "_decode_image")
        yield


def outcome(pictures: Sequence[bytes | None], step: Image) -> tuple[Any, Any]:
    """The pixels of pictures, or why rows were rejected."""
    try:
        return decode_images(pa.array(pictures, pa.binary()), step).tolist(), {}
    except RejectedRows as rejected:
        return None, {row: (type(why), str(why)) for row, why in rejected.reasons.items()}


def test_they_are_decoded_together() -> None:
    pictures = [make_png() for _ in range(3)]
    with none_alone():
        pixels, reasons = outcome(pictures, make_step())
        assert not reasons
        # Another size is not that of the network.
        assert outcome([*pictures, make_png(5, 5)], make_step())[1].keys() == {3}
    expected = [np.asarray(Pillow.open(io.BytesIO(picture))) for picture in pictures]
    np.testing.assert_array_equal(pixels, np.stack(expected)[:, None] / np.float32(255))


@given(
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=6),
    filters=st.lists(st.integers(0, 4), min_size=1, max_size=9),
    mode=st.sampled_from(["L", "RGB"]),
)
def test_all_kinds_and_filters_give_the_pixels_that_each_gives_by_itself(
    height: int,
    width: int,
    kinds: list[tuple[int, int, int]],
    filters: list[int],
    mode: str,
) -> None:
    # Two of each kind, so that one stands above the other.
    pictures = [make_png(height, width, kind, filters) for kind in kinds * 2]
    step = make_step(height, width, mode)
    with none_alone():
        together = outcome(pictures, step)
    with one_by_one():
        assert outcome(pictures, step) == together
    assert not together[1]


def test_rows_keep_their_places_among_all_others() -> None:
    sink = io.BytesIO()
    Pillow.new("RGB", (WIDTH, HEIGHT), (9, 90, 200)).save(sink, "JPEG")
    others = [sink.getvalue(), make_png(9, 9), make_png(kind=COLOURS)]
    pictures = [picture for other in others for picture in (make_png(), other, make_png())]
    for step in (make_step(), make_step(mode="RGB", mean=[0.5], std=[0.25])):
        together = outcome(pictures, step)
        assert not together[1]
        with one_by_one():
            assert outcome(pictures, step) == together
    bad = [None, b"", b"<html>", pictures[0][:-30], *pictures]
    assert outcome(bad, make_step())[1].keys() == {0, 1, 2, 3}


LINES = make_lines(HEIGHT, WIDTH, 8, (1, 2, 3, 4))
_UNPLAIN = {
    "nothing": HEAD + END,
    "no end": HEAD + packed(LINES),
    "bytes behind the end": HEAD + packed(LINES) + END + b"x",
    "no signature": b"\x88" + (HEAD + packed(LINES) + END)[1:],
    "a checksum of the head": HEAD[:-1] + bytes([HEAD[-1] ^ 1]) + packed(LINES) + END,
    "a checksum of the pixels": HEAD + packed(LINES)[:-4] + bytes(4) + END,
    "another chunk before": HEAD + chunk(b"gAMA", bytes(4)) + packed(LINES) + END,
    "another chunk behind": HEAD + packed(LINES) + chunk(b"tEXt", b"a\0b") + END,
    "one grey that is transparent": HEAD + chunk(b"tRNS", bytes(2)) + packed(LINES) + END,
    "two chunks of pixels": HEAD + chunk(b"IDAT", zlib.compress(LINES)[:9]) + chunk(b"IDAT", zlib.compress(LINES)[9:]) + END,
    "pixels of another name": HEAD + packed(LINES).replace(b"IDAT", b"IDAX") + END,
    "a line too few": HEAD + packed(LINES[: -WIDTH - 1]) + END,
    "a byte too few": HEAD + packed(LINES[:-1]) + END,
    "a byte too many": HEAD + packed(LINES + b"x") + END,
    "a million bytes too many": HEAD + packed(LINES + bytes(1 << 20)) + END,
    "packed pixels that are cut": HEAD + chunk(b"IDAT", zlib.compress(LINES)[:-7]) + END,
    "packed pixels without their checksum": HEAD + chunk(b"IDAT", zlib.compress(LINES)[:-4]) + END,
    "bytes behind the packed pixels": HEAD + chunk(b"IDAT", zlib.compress(LINES) + b"x") + END,
    "garbage": HEAD + chunk(b"IDAT", b"garbage") + END,
    "a filter that there is not": HEAD + packed(b"\5" + LINES[1:]) + END,
    "interlaced": head(HEIGHT, WIDTH, last=b"\0\0\1") + packed(LINES + bytes(99)) + END,
    "another way to pack": head(HEIGHT, WIDTH, last=b"\1\0\0") + packed(LINES) + END,
    "another way to filter": head(HEIGHT, WIDTH, last=b"\0\1\0") + packed(LINES) + END,
    "a palette": head(HEIGHT, WIDTH, 8, 3) + chunk(b"PLTE", RANDOM.bytes(768)) + packed(LINES) + END,
    "no palette": head(HEIGHT, WIDTH, 8, 3) + packed(LINES) + END,
    "bits that there are not": head(HEIGHT, WIDTH, 7, 0) + packed(LINES) + END,
    "a kind that there is not": head(HEIGHT, WIDTH, 8, 9) + packed(LINES) + END,
    "no height": head(0, WIDTH) + packed(LINES) + END,
    "lengths that do not fit": HEAD + b"\0\0\0\xff" + packed(LINES)[4:] + END,
}  # fmt: skip


@pytest.mark.parametrize("what", _UNPLAIN)
def test_what_is_not_plain_is_what_it_is_by_itself(what: str) -> None:
    """And costs the pictures beside it nothing."""
    pictures = [make_png(), _UNPLAIN[what], make_png()]
    for mode in ("L", "RGB"):
        together = outcome(pictures, make_step(mode=mode))
        with one_by_one():
            assert outcome(pictures, make_step(mode=mode)) == together
        assert together[1].keys() <= {1}


@pytest.mark.parametrize("kind", [GREY, COLOURS])
def test_whatever_bit_is_another_makes_no_difference_between_them(
    kind: tuple[int, int, int],
) -> None:
    """A bit of each byte, and each file cut there."""
    whole, step = make_png(kind=kind), make_step()
    for place in range(len(whole)):
        changed = bytearray(whole)
        changed[place] ^= 1 << (place % 8)
        for broken in (bytes(changed), whole[:place]):
            pictures = [whole, broken]
            together = outcome(pictures, step)
            with one_by_one():
                assert outcome(pictures, step) == together, place


def test_a_picture_that_would_unpack_to_much_is_unpacked_to_little() -> None:
    bomb = HEAD + packed(LINES + bytes(1 << 24)) + END
    assert not stack_pngs([bomb], HEIGHT, WIDTH)


def test_what_is_resized_is_not_stacked() -> None:
    sizes: list[dict[str, Any]] = [
        {},
        {"resize_height": 9},
        {"resize_width": 9},
        {"resize": "shorter"},
    ]
    sizes += [{"resize": "shorter", "resize_height": side} for side in (4, 5, 6)]
    for height, width in ((HEIGHT, WIDTH), (WIDTH, HEIGHT), (5, 5)):
        for size in sizes:
            step = make_step(height, width, **size)
            stays = step.choose_size(height, width) == (height, width)
            assert step.keeps_size() is stays
            pictures = [make_png(height, width) for _ in range(2)]
            together = outcome(pictures, step)
            with one_by_one():
                assert outcome(pictures, step) == together
            with none_alone():
                rejected = outcome(pictures, step)[1]
            assert len(rejected) == (0 if stays else 2)


def test_no_picture_is_changed_by_the_one_above_it() -> None:
    """A first line may be filtered by what stands above it: nothing."""
    pictures = [make_png(filters=[number]) for number in range(5)]
    (stack,) = stack_pngs(pictures, HEIGHT, WIDTH)
    with Pillow.open(io.BytesIO(stack.make_png())) as tall:
        assert (tall.format, tall.size) == ("PNG", (WIDTH, 5 * (HEIGHT + 1)))
        lines = np.asarray(tall).reshape(5, HEIGHT + 1, WIDTH)
    for picture, pixels in zip(pictures, lines, strict=True):
        np.testing.assert_array_equal(pixels[:-1], np.asarray(Pillow.open(io.BytesIO(picture))))
        assert not pixels[-1].any()
    assert stack.places == [0, 1, 2, 3, 4]
