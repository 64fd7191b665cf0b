"""Step `image`: decode with Pillow, turn upright, resize, crop the centre, normalise.

torch resizes bytes as Pillow does (a triangle as wide as the new pixel, in fixed point), two to three
times as fast; about one number in a thousand comes out one or two larger or smaller. Networks that
were trained on what Pillow resizes get exactly that (`resize_with: pillow`).
"""

from collections.abc import Callable
from functools import partial
import operator
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, TypeAlias

import numpy as np
from pyarrow import Array
from pydantic import Field, model_validator

from configs.errors import RejectedRows, RowError, crashes_as_errors
from model_zoo.pictures import open_picture
from model_zoo.piece_watch import one_piece
from model_zoo.steps.arrays import get_column
from model_zoo.steps.columns import Columns, NewColumns, to_arrow
from model_zoo.steps.step import StepModel, Widths

Resize: TypeAlias = Literal["exact", "shorter"]
Interpolation: TypeAlias = Literal["bilinear", "bicubic"]
CropStarts: TypeAlias = Literal["rounded", "cut"]
ResizeWith: TypeAlias = Literal["torch", "pillow"]
Decoding: TypeAlias = Literal["whole", "scaled"]
Side: TypeAlias = Annotated[int, Field(ge=1)]
PixelCount: TypeAlias = Annotated[int, Field(ge=1)]
# Pixels that a picture is resized to at most, where what is cut out of it has fewer: 50 MB of bytes.
_MOST_RESIZED = 1 << 24
# The largest value of a byte, in the width that pixels are computed in.
_WHITE = np.float32(255.0)

# JPEG alone is decoded smaller; MPO is several of them, of which the first is taken.
_SCALABLE = ("JPEG", "MPO")
# What is left for the resizing to do, which looks at all pixels that a new one covers.
_LEAST_SHRINKING = 2
# The number of EXIF's orientation, of which the last four lay the picture on its side.
_ORIENTATION = 274
_ON_ITS_SIDE = range(5, 9)

# Numbers of TIFF's tags, and what the second one may say.
_BITS_PER_SAMPLE = 258
_PHOTOMETRIC = 262
_WHITE_IS_ZERO = 0
# A PNG's pixels have all of them.
_DEEP_BITS = 16


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
    shape = (rows, step.height, line_length)
    pixels = np.empty(shape, dtype=np.float32)
    mean, factor = _make_normalisation(step, line_length)
    reasons: dict[int, Exception] = {}
    for row, value in enumerate(encoded):
        lines = pixels[row]
        try:
            with one_piece(), crashes_as_errors():
                picture = value.as_py()
                decoded = _decode_image(picture, step)
            decoded = decoded.reshape(lines.shape)
        except Exception as error:  # noqa: BLE001 - a decoder may raise anything on garbage; it belongs to the row
            reasons[row] = error
            continue
        # Normalised image by image, while its numbers are in the cache.
        np.divide(decoded, _WHITE, out=lines, dtype=np.float32)
        lines -= mean
        lines *= factor
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


def _decode_image(encoded: bytes | None, step: Image) -> np.ndarray:
    """Return one image as uint8 (height, width) or (height, width, 3), in the size of the step."""
    import PIL.ImageOps  # takes a tenth of a second, and jobs without images need none

    if not encoded:
        raise RowError("no image")
    with open_picture(encoded, step.max_pixels) as image:
        size = None
        if step.decoding == "scaled" and image.format in _SCALABLE:
            size = _ask_for_smaller(image, step)
        PIL.ImageOps.exif_transpose(image, in_place=True)
        shallow = _to_8_bits(image)
        converted = shallow.convert(step.mode)
        height, width = size or step.choose_size(converted.height, converted.width)
        if step.resize_with == "pillow":
            pixels = _resize_with_pillow(converted, height, width, step.interpolation)
        else:
            decoded = np.array(converted)
            pixels = _resize(decoded, height, width, step.interpolation)
    return _crop_centre(pixels, step.height, step.width, step.crop_starts)


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


def _crop_centre(
    pixels: np.ndarray,
    height: int,
    width: int,
    crop_starts: CropStarts,
) -> np.ndarray:
    """Return uint8 (height, width, ...): the middle of it, with black borders where it is smaller."""
    for axis, wanted in enumerate((height, width)):
        given = pixels.shape[axis]
        missing = wanted - given
        if missing == 0:
            continue
        if missing > 0:
            borders = [(0, 0)] * pixels.ndim
            before = missing // 2
            borders[axis] = (before, missing - before)
            pixels = np.pad(pixels, borders)
            continue
        surplus = -missing
        # Python rounds half a pixel to the even side, and so does torchvision.
        start = round(surplus / 2) if crop_starts == "rounded" else surplus // 2
        kept = range(start, start + wanted)
        pixels = np.take(pixels, kept, axis)
    return pixels


def _resize_with_pillow(
    image: Any,
    height: int,
    width: int,
    interpolation: Interpolation,
) -> np.ndarray:
    """Return uint8 (height, width) or (height, width, 3) of an image of Pillow in another size."""
    import PIL.Image

    name = interpolation.upper()
    resampling = getattr(PIL.Image.Resampling, name)
    # Pillow says the width first.
    resized = image.resize((width, height), resampling)
    return np.array(resized)


def _resize(
    pixels: np.ndarray,
    height: int,
    width: int,
    interpolation: Interpolation,
) -> np.ndarray:
    """Return uint8 (height, width) or (height, width, 3) in another size.

    Each new pixel is the mean, by nearness, of those that it covers.
    """
    size = pixels.shape[:2]
    if size == (height, width):
        return pixels

    # A second, which a job without images need not take before it is refused.
    import torch
    from torch.nn import functional

    # Grey pixels have no axis of channels, and torch wants one.
    with_channels = pixels.reshape(*size, -1)
    image = torch.from_numpy(with_channels)
    with torch.inference_mode():
        # A batch of one, (1, channels, height, width): a view, whose numbers stay pixel by pixel.
        rows = image[None]
        batch = rows.permute(0, 3, 1, 2)
        resized = functional.interpolate(
            batch,
            size=(height, width),
            mode=interpolation,
            # Shrinking takes all pixels that a new one covers, and not the nearest four.
            antialias=True,
        )
    only = resized[0]
    lines = only.permute(1, 2, 0)
    return lines.numpy()


def _read_depth(image: Any) -> tuple[int, bool]:
    """Return the bits of a pixel of deep grey, and whether 0 is white.

    In TIFF alone they may be fewer than 16, and 0 may be white; Pillow changes neither.
    """
    tags = getattr(image, "tag_v2", {})
    depths = tags.get(_BITS_PER_SAMPLE, (_DEEP_BITS,))
    is_white_zero = tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO
    return depths[0], is_white_zero


def _to_8_bits(image: Any) -> Any:
    """Keep the upper 8 bits of deeper grey, where Pillow's `convert` would make white of all above 255."""
    import PIL.Image

    if image.mode.startswith("I;16"):
        depth, is_white_zero = _read_depth(image)
        lower_bits = depth - 8
        pixels = np.asarray(image)
        shifted = pixels >> lower_bits
        upper_bits = shifted.astype(np.uint8)
        if is_white_zero:
            upper_bits = 255 - upper_bits
        return PIL.Image.fromarray(upper_bits)
    if image.mode in ("I", "F"):
        raise RowError(
            f"image with 32 bits per pixel (mode {image.mode}), for which there is no black and white"
        )
    return image
