"""Step `image`: decode with Pillow, turn upright, resize with torch, normalise.

torch resizes bytes as Pillow does (a triangle as wide as the new pixel, in fixed point), two to three
times as fast; about one number in a thousand comes out one or two larger or smaller.
"""

from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field, model_validator
import torch
from torch.nn import functional

from configs.errors import RejectedRows, RowError, crashes_as_errors
from model_zoo.pictures import open_picture
from model_zoo.piece_watch import one_piece
from model_zoo.steps.arrays import get_column
from model_zoo.steps.columns import Columns, NewColumns, to_arrow
from model_zoo.steps.step import StepModel, Widths

# The largest value of a byte, in the width that pixels are computed in.
_WHITE = np.float32(255.0)

# Numbers of TIFF's tags, and what the second one may say.
_BITS_PER_SAMPLE = 258
_PHOTOMETRIC = 262
_WHITE_IS_ZERO = 0
# A PNG's pixels have all of them.
_DEEP_BITS = 16


class Image(StepModel):
    """Decode a binary column of images into the array `into`, (rows, channels, height, width).

    Pixels are resized (bilinear), divided by 255, and normalised as `(pixel - mean) / std` per
    channel, in float32. An image of more than `max_pixels` is not decoded: its row is rejected.
    """

    stage: ClassVar[str] = "decode"
    step: Literal["image"]
    column: str
    into: str
    height: Annotated[int, Field(ge=1)]
    width: Annotated[int, Field(ge=1)]
    mode: Literal["L", "RGB"] = "RGB"
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    max_pixels: Annotated[int, Field(ge=1)] = 2**24

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
        return self

    def apply(self, columns: Columns, rows: int) -> NewColumns:
        """Return `into`, float32.

        Raises:
            RejectedRows: as `decode_images`.
        """
        column = get_column(columns, self.column, self.step)
        encoded = to_arrow(column)
        return {self.into: decode_images(encoded, self)}

    def count_numbers(self, widths: Widths) -> dict[str, int]:
        channels = _count_channels(self.mode)
        return {self.into: self.height * self.width * channels}

    def _check_channels(self, name: str, values: tuple[float, ...]) -> None:
        channels = _count_channels(self.mode)
        # One value stands for all channels.
        if len(values) not in (1, channels):
            raise ValueError(
                f"{name} must hold 1 or {channels} values for mode {self.mode}, got {len(values)}"
            )


def decode_images(encoded: pa.Array, step: Image) -> np.ndarray:
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
                decoded = _decode_image(value.as_py(), step)
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


def _make_normalisation(step: Image, line_length: int) -> tuple[np.ndarray, np.ndarray]:
    """Return what to subtract from a line of pixels, and what to multiply it by; float32."""
    mean = np.array(step.mean, dtype=np.float32)
    std = np.array(step.std, dtype=np.float32)
    factor = np.float32(1.0) / std
    # As long as a line of pixels: numpy is three times as fast as with one pixel's three numbers.
    means = np.resize(mean, line_length)
    factors = np.resize(factor, line_length)
    return means, factors


def _decode_image(encoded: bytes | None, step: Image) -> np.ndarray:
    """Return one image as uint8 (height, width) or (height, width, 3), in the size of the step."""
    import PIL.ImageOps  # takes a tenth of a second, and jobs without images need none

    if not encoded:
        raise RowError("no image")
    with open_picture(encoded, step.max_pixels) as image:
        PIL.ImageOps.exif_transpose(image, in_place=True)
        plain = _to_8_bits(image)
        converted = plain.convert(step.mode)
        pixels = np.array(converted)
    return _resize(pixels, step.height, step.width)


def _resize(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return uint8 (height, width) or (height, width, 3) in another size.

    Each new pixel is the mean, by nearness, of those that it covers.
    """
    size = pixels.shape[:2]
    if size == (height, width):
        return pixels

    # Grey pixels have no axis of channels, and torch wants one.
    with_channels = pixels.reshape(*size, -1)
    image = torch.from_numpy(with_channels)
    with torch.inference_mode():
        # A batch of one, (1, channels, height, width): a view, whose numbers stay pixel by pixel.
        batch = image[None].permute(0, 3, 1, 2)
        resized = functional.interpolate(
            batch,
            size=(height, width),
            mode="bilinear",
            # Shrinking takes all pixels that a new one covers, and not the nearest four.
            antialias=True,
        )
    lines = resized[0].permute(1, 2, 0)
    return lines.numpy()


def _read_depth(image: Any) -> tuple[int, bool]:
    """Return the bits of a pixel of deep grey, and whether 0 is white.

    In TIFF alone they may be fewer than 16, and 0 may be white; Pillow changes neither.
    """
    tags = getattr(image, "tag_v2", {})
    depth = tags.get(_BITS_PER_SAMPLE, (_DEEP_BITS,))[0]
    return depth, tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO


def _to_8_bits(image: Any) -> Any:
    """Keep the upper 8 bits of deeper grey, where Pillow's `convert` would make white of all above 255."""
    import PIL.Image

    if image.mode.startswith("I;16"):
        depth, is_white_zero = _read_depth(image)
        lower_bits = depth - 8
        shifted = np.asarray(image) >> lower_bits
        upper_bits = shifted.astype(np.uint8)
        if is_white_zero:
            upper_bits = 255 - upper_bits
        return PIL.Image.fromarray(upper_bits)
    if image.mode in ("I", "F"):
        raise RowError(
            f"image with 32 bits per pixel (mode {image.mode}), for which there is no black and white"
        )
    return image
