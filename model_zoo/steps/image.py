"""Step `image`: decode with Pillow, turn upright, resize, crop the centre, normalise.

torch resizes bytes as Pillow does (a triangle as wide as the new pixel, in fixed point), two to three
times as fast; about one number in a thousand comes out one or two larger or smaller. Networks that
were trained on what Pillow resizes get exactly that (`resize_with: pillow`).
"""

from collections.abc import Callable, Sequence
from functools import partial
import operator
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, TypeAlias

import numpy as np
from pyarrow import Array
from pydantic import Field, model_validator

from configs.errors import RejectedRows, RowError, crashes_as_errors
from model_zoo.picture_pixels import (
    CropStarts,
    Interpolation,
    crop_centre,
    resize,
    resize_with_pillow,
    to_8_bits,
    turn_upright,
)
from model_zoo.pictures import open_picture
from model_zoo.piece_watch import one_piece
from model_zoo.png_stacks import PngStack, stack_pngs
from model_zoo.steps.arrays import get_column
from model_zoo.steps.columns import Columns, NewColumns, to_arrow
from model_zoo.steps.step import StepModel, Widths

Resize: TypeAlias = Literal["exact", "shorter"]
ResizeWith: TypeAlias = Literal["torch", "pillow"]
Decoding: TypeAlias = Literal["whole", "scaled"]
Side: TypeAlias = Annotated[int, Field(ge=1)]
PixelCount: TypeAlias = Annotated[int, Field(ge=1)]
# Pixels that a picture is resized to at most, where what is cut out of it has fewer: 50 MB of bytes.
_MOST_RESIZED = 1 << 24
# The largest value of a byte, in the width that pixels are computed in.
_WHITE = np.float32(255.0)

# Numbers of pictures that are normalised together, at most: what stays in a core's cache.
_NORMALISED_AT_ONCE = 1 << 16

# JPEG alone is decoded smaller; MPO is several of them, of which the first is taken.
_SCALABLE = ("JPEG", "MPO")
# What is left for the resizing to do, which looks at all pixels that a new one covers.
_LEAST_SHRINKING = 2
# The number of EXIF's orientation, of which the last four lay the picture on its side.
_ORIENTATION = 274
_ON_ITS_SIDE = range(5, 9)


def _is_default(default: object) -> Callable[[object], bool]:
    """Return whether to leave a field out of a package: then its digest is that of older versions."""
    return partial(operator.eq, default)


class Image(StepModel):
    """Decode a binary column of images into the array `into`, (rows, channels, height, width).

    Pixels are resized, divided by 255, and normalised as `(pixel - mean) / std` per channel, in
    float32. An image of more than `max_pixels`, before or after it is resized, rejects its row.

    Attributes:
        resize: `exact`, to height and width, or to `resize_height` and `resize_width`; or the
            `shorter` side to `resize_height` while the picture keeps its form. What is larger than
            height and width then loses its borders, and what is smaller gets black ones.
        resize_height, resize_width: None for height and width.
        interpolation: between pixels; shrinking takes all that a new one covers.
        crop_starts: where what is cut out starts when the borders cannot be of one width: `rounded`
            to the even side as torchvision does, or `cut` down as transformers does.
        resize_with: `torch`, or `pillow` as torchvision's and timm's transforms do.
        decoding: `whole`, or `scaled`: a JPEG is decoded in a half, a quarter or an eighth of its
            sides, while these stay twice as long as what they are resized to. Large photographs
            take much less time and memory, and their pixels differ a little from `whole`.
    """

    stage: ClassVar[str] = "decode"
    step: Literal["image"]
    column: str
    into: str
    height: Side
    width: Side
    mode: Literal["L", "RGB"] = "RGB"
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    max_pixels: PixelCount = 2**24
    resize: Resize = Field(default="exact", exclude_if=_is_default("exact"))
    resize_height: Side | None = Field(default=None, exclude_if=_is_default(None))
    resize_width: Side | None = Field(default=None, exclude_if=_is_default(None))
    interpolation: Interpolation = Field(default="bilinear", exclude_if=_is_default("bilinear"))
    crop_starts: CropStarts = Field(default="rounded", exclude_if=_is_default("rounded"))
    resize_with: ResizeWith = Field(default="torch", exclude_if=_is_default("torch"))
    decoding: Decoding = Field(default="whole", exclude_if=_is_default("whole"))

    @model_validator(mode="after")
    def _one_value_per_channel(self) -> "Image":
        self._check_channels("mean", self.mean)
        self._check_channels("std", self.std)
        if 0.0 in self.std:
            raise ValueError("std must not be 0")
        pixels = self.height * self.width
        if pixels > self.max_pixels:
            raise ValueError(
                f"height x width must not be more than max_pixels, {self.max_pixels}, "
                f"got {self.height} x {self.width}"
            )
        height, width = self._resized_at_least()
        most = self._most_resized()
        if height * width > most:
            raise ValueError(
                f"resize_height and resize_width must not make more than {most} "
                f"pixels, got {height} x {width}"
            )
        has_width = self.resize_width is not None
        if self.resize == "shorter" and has_width:
            raise ValueError("resize: shorter takes resize_height alone, the shorter side")
        return self

    def apply(self, columns: Columns, rows: int) -> NewColumns:
        """Return `into`, float32.

        Raises:
            RejectedRows: as `decode_images`.
        """
        column = get_column(columns, self.column, self.step)
        encoded = to_arrow(column)
        images = decode_images(encoded, self)
        return {self.into: images}

    def count_numbers(self, widths: Widths) -> dict[str, int]:
        pixels = self.height * self.width
        channels = _count_channels(self.mode)
        return {self.into: pixels * channels}

    def choose_size(self, height: int, width: int) -> tuple[int, int]:
        """Return the height and width that a picture is resized to.

        Args:
            height, width: of the picture.

        Raises:
            RowError: more than `max_pixels`, as of a very long picture.
        """
        new_height, new_width = self._resized_at_least()
        if self.resize == "shorter":
            side = new_height
            shorter, longer = sorted((height, width))
            # Cut down and not rounded, as torchvision does.
            long_side = int(side * longer / shorter)
            if height <= width:
                new_width = long_side
            else:
                new_height = long_side
        most = self._most_resized()
        if new_height * new_width > most:
            raise RowError(
                f"image of {height} x {width} pixels would be resized to more than {most:,} pixels"
            )
        return new_height, new_width

    def keeps_size(self) -> bool:
        """Return whether a picture of the size that the network takes stays as it is."""
        resized = self._resized_at_least()
        if self.resize == "shorter":
            shorter = min(self.height, self.width)
            return resized == (shorter, shorter)
        return resized == (self.height, self.width)

    def _most_resized(self) -> int:
        # A package may say any `max_pixels`, and its author delivers none of these pixels.
        pixels = self.height * self.width
        most = max(pixels, _MOST_RESIZED)
        return min(self.max_pixels, most)

    def _resized_at_least(self) -> tuple[int, int]:
        height = self.resize_height or self.height
        # The shorter side has this length, and the other one is no shorter.
        if self.resize == "shorter":
            return height, height
        width = self.resize_width or self.width
        return height, width

    def _check_channels(self, name: str, values: tuple[float, ...]) -> None:
        channels = _count_channels(self.mode)
        given = len(values)
        # One value stands for all channels.
        if given not in (1, channels):
            raise ValueError(
                f"{name} must hold 1 or {channels} values for mode {self.mode}, got {given}"
            )


def decode_images(encoded: Array, step: Image) -> np.ndarray:
    """Decode a binary column.

    Args:
        encoded: (rows,) of encoded images, in one of the formats of `model_zoo.pictures`.
        step: target size, mode, and normalisation.

    Returns:
        float32 (rows, channels, height, width), a view of (rows, height, width, channels).

    Raises:
        RejectedRows: rows whose image is missing, broken, of 32 bits per pixel, or has more than
            `step.max_pixels` pixels.
    """
    rows = len(encoded)
    channels = _count_channels(step.mode)
    line_length = step.width * channels
    shape = (step.height, line_length)
    pixels = np.empty((rows, *shape), dtype=np.float32)
    normalisation = _make_normalisation(step, line_length)
    # Tiny pictures by the hundred, as each call takes as long as their numbers; one of a photograph's
    # size alone, while it is in the cache.
    at_once = max(1, _NORMALISED_AT_ONCE // (step.height * line_length))
    decoded = np.empty((at_once, *shape), dtype=np.uint8)
    reasons: dict[int, Exception] = {}
    for first in range(0, rows, at_once):
        values = encoded[first : first + at_once]
        for place in _decode_together(values, step, decoded):
            try:
                with one_piece(), crashes_as_errors():
                    picture = values[place].as_py()
                    image = _decode_image(picture, step)
                decoded[place] = image.reshape(shape)
            except Exception as error:  # noqa: BLE001 - a decoder may raise anything on garbage; it belongs to the row
                reasons[first + place] = error
        count = len(values)
        normalised = pixels[first : first + count]
        _normalise(decoded[:count], normalisation, normalised)
    if reasons:
        raise RejectedRows(reasons)
    images = pixels.reshape(rows, step.height, step.width, channels)
    return images.transpose(0, 3, 1, 2)


def _count_channels(mode: str) -> int:
    if mode == "L":
        return 1
    return 3


class _Normalisation(NamedTuple):
    """What to subtract from a line of pixels, and what to multiply it by; float32 (line_length,)."""

    mean: np.ndarray
    factor: np.ndarray


def _make_normalisation(step: Image, line_length: int) -> _Normalisation:
    mean = np.array(step.mean, dtype=np.float32)
    std = np.array(step.std, dtype=np.float32)
    factor = np.float32(1.0) / std
    # As long as a line of pixels: numpy is three times as fast as with one pixel's three numbers.
    means = np.resize(mean, line_length)
    factors = np.resize(factor, line_length)
    return _Normalisation(means, factors)


def _normalise(decoded: np.ndarray, by: _Normalisation, into: np.ndarray) -> None:
    """Write bytes (rows, height, line_length) normalised into float32 of that shape."""
    np.divide(decoded, _WHITE, out=into, dtype=np.float32)
    into -= by.mean
    into *= by.factor


def _decode_together(values: Array, step: Image, into: np.ndarray) -> Sequence[int]:
    """Decode the plain small PNGs of a size that stays, and return the places of all other pictures.

    Args:
        values: (rows,) of encoded images.
        step: target size and mode.
        into: uint8 (rows or more, height, line_length), where the pixels are written.
    """
    places = range(len(values))
    if len(into) == 1 or not step.keeps_size():
        return places
    pictures = (value.as_py() for value in values)
    done = set[int]()
    for stack in stack_pngs(pictures, step.height, step.width):
        try:
            with one_piece(), crashes_as_errors():
                images = _decode_stack(stack, step)
            into[stack.places] = images.reshape(-1, *into.shape[1:])
            done.update(stack.places)
        except Exception:  # noqa: BLE001, S112 - which of them is broken shows when each is decoded by itself
            continue
    return [place for place in places if place not in done]


def _decode_stack(stack: PngStack, step: Image) -> np.ndarray:
    """Return uint8 (pictures, height, width) or (pictures, height, width, 3)."""
    count = len(stack.places)
    height = count * (step.height + 1)
    with open_picture(stack.make_png(), max_pixels=height * step.width) as image:
        shallow = _read_pixels(image, step.mode)
        lines = np.asarray(shallow)
    # The last line of each is what keeps it from the next one.
    images = lines.reshape(count, step.height + 1, *lines.shape[1:])
    return images[:, :-1]


def _decode_image(encoded: bytes | None, step: Image) -> np.ndarray:
    """Return one image as uint8 (height, width) or (height, width, 3), in the size of the step."""
    if not encoded:
        raise RowError("no image")
    with open_picture(encoded, step.max_pixels) as image:
        size = None
        if step.decoding == "scaled" and image.format in _SCALABLE:
            size = _ask_for_smaller(image, step)
        shallow = _read_pixels(image, step.mode)
        old_width, old_height = shallow.size
        height, width = size or step.choose_size(old_height, old_width)
        if step.resize_with == "pillow":
            pixels = resize_with_pillow(shallow, height, width, step.interpolation)
        elif (height, width) == (old_height, old_width):
            pixels = np.asarray(shallow)
        else:
            # A copy, as torch wants to be able to write.
            decoded = np.array(shallow)
            pixels = resize(decoded, height, width, step.interpolation)
    return crop_centre(pixels, step.height, step.width, step.crop_starts)


def _read_pixels(image: Any, mode: str) -> Any:
    """Return an image of Pillow upright, in 8 bits, and of the mode."""
    turn_upright(image)
    shallow = to_8_bits(image)
    # Else it would be a copy.
    if shallow.mode != mode:
        shallow = shallow.convert(mode)
    return shallow


def _ask_for_smaller(image: Any, step: Image) -> tuple[int, int]:
    """Have a JPEG decoded smaller, and return the height and width that it is resized to.

    They follow from the whole picture, whose form a smaller one has but for a part of a pixel.
    """
    width, height = image.size
    orientation = image.getexif().get(_ORIENTATION)
    is_on_its_side = orientation in _ON_ITS_SIDE
    if is_on_its_side:
        height, width = width, height
    upright = step.choose_size(height, width)
    new_height, new_width = upright
    if is_on_its_side:
        new_height, new_width = new_width, new_height
    least = (_LEAST_SHRINKING * new_width, _LEAST_SHRINKING * new_height)
    # Of no mode: its own brightness in place of grey is another number.
    image.draft(None, least)
    return upright
