"""Step `image`: decode with Pillow, turn upright, resize with torch, normalise.

torch resizes bytes as Pillow does (a triangle as wide as the new pixel, in fixed point), two to three
times as fast; about one number in a thousand comes out one or two larger or smaller.
"""

import io
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field, model_validator
import torch
from torch.nn import functional

from configs.errors import RejectedRows, RowError
from model_zoo.steps.arrays import Column, Columns, get_column, to_arrow
from model_zoo.steps.step import Word


class Image(Word):
    """A binary column of encoded images becomes the array `into`, (rows, channels, height, width).

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
        channels = _channels(self.mode)
        for name, values in (("mean", self.mean), ("std", self.std)):
            if len(values) not in (1, channels):
                raise ValueError(
                    f"{name} must hold 1 or {channels} values for mode {self.mode}, "
                    f"got {len(values)}"
                )
        if 0.0 in self.std:
            raise ValueError("std must not be 0")
        if self.height * self.width > self.max_pixels:
            raise ValueError(
                f"height x width must not be more than max_pixels, {self.max_pixels}, "
                f"got {self.height} x {self.width}"
            )
        return self

    def apply(self, columns: Columns, rows: int) -> dict[str, Column]:
        """Return `into`, float32."""
        encoded = to_arrow(get_column(columns, self.column, self.step))
        return {self.into: decode_images(encoded, self)}


def decode_images(encoded: pa.Array, step: Image) -> np.ndarray:
    """Decode a binary column.

    Args:
        encoded: (rows,) of encoded images in any format that Pillow reads.
        step: target size, mode, and normalisation.

    Returns:
        float32 (rows, channels, height, width), a view of (rows, height, width, channels).

    Raises:
        RejectedRows: rows whose image is missing, broken, of 32 bits per pixel, or has more than
            `step.max_pixels` pixels.
    """
    line_length = step.width * _channels(step.mode)
    pixels = np.empty((len(encoded), step.height, line_length), dtype=np.float32)
    # As long as a line of pixels: numpy is three times as fast as with one pixel's three numbers.
    mean = np.resize(np.asarray(step.mean, dtype=np.float32), line_length)
    factor = np.resize(np.float32(1.0) / np.asarray(step.std, dtype=np.float32), line_length)
    reasons: dict[int, Exception] = {}
    for row, value in enumerate(encoded):
        lines = pixels[row]
        try:
            decoded = _decode_image(value.as_py(), step).reshape(lines.shape)
        except Exception as error:  # noqa: BLE001 - a decoder may raise anything on garbage; it belongs to the row
            reasons[row] = error
            continue
        # Normalised image by image, while its numbers are in the cache.
        np.divide(decoded, np.float32(255.0), out=lines, dtype=np.float32)
        lines -= mean
        lines *= factor
    if reasons:
        raise RejectedRows(reasons)
    shape = (len(encoded), step.height, step.width, _channels(step.mode))
    return pixels.reshape(shape).transpose(0, 3, 1, 2)


def _channels(mode: str) -> int:
    return 1 if mode == "L" else 3


def _decode_image(encoded: bytes | None, step: Image) -> np.ndarray:
    """Return one image as uint8 (height, width) or (height, width, 3), in the size of the step."""
    import PIL.Image  # takes a tenth of a second, and jobs without images need none
    import PIL.ImageOps

    if not encoded:
        raise RowError("no image")
    with PIL.Image.open(io.BytesIO(encoded)) as image:
        width, height = image.size
        if width * height > step.max_pixels:
            raise RowError(
                f"image of {width} x {height} pixels, more than max_pixels {step.max_pixels}"
            )
        PIL.ImageOps.exif_transpose(image, in_place=True)
        converted = np.array(_to_8_bits(image).convert(step.mode))
    return _resize(converted, step.height, step.width)


def _resize(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return uint8 (height, width) or (height, width, 3) in another size.

    Each new pixel is the mean, by nearness, of those that it covers.
    """
    if pixels.shape[:2] == (height, width):
        return pixels
    lines = torch.from_numpy(pixels.reshape(*pixels.shape[:2], -1))
    with torch.inference_mode():
        image = lines[None].permute(0, 3, 1, 2)  # a view, whose numbers stay pixel by pixel
        resized = functional.interpolate(
            image, size=(height, width), mode="bilinear", antialias=True
        )
    return resized[0].permute(1, 2, 0).numpy()


def _to_8_bits(image: Any) -> Any:
    """Keep the upper byte of 16-bit grey, where Pillow's `convert` would make white of all above 255."""
    import PIL.Image

    if image.mode.startswith("I;16"):
        return PIL.Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise RowError(
            f"image with 32 bits per pixel (mode {image.mode}), for which there is no black and white"
        )
    return image
