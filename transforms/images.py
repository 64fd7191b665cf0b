"""Encoded images to arrays: decode with Pillow, turn upright, resize with torch, normalise.

torch resizes bytes as Pillow does (a triangle as wide as the new pixel, in fixed point), two to three times as fast; about one
number in a thousand comes out one or two larger or smaller.
"""

import io
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch.nn import functional

from configs.errors import RowError
from configs.steps import Image
from transforms.batches import BadRows


def decode_images(encoded: pa.Array, step: Image) -> np.ndarray:
    """Decode a binary column.

    Args:
        encoded: (rows,) of encoded images in any format that Pillow reads.
        step: target size, mode, and normalisation.

    Returns:
        float32 (rows, channels, height, width), a view of (rows, height, width, channels); `(pixel / 255 - mean) / std`.

    Raises:
        BadRows: rows whose image is missing, broken, or has more than `step.max_pixels` pixels, or 32-bit ones.
    """
    channels = 1 if step.mode == "L" else 3
    pixels = np.empty((len(encoded), step.height, step.width, channels), dtype=np.float32)
    # A line of pixels long: numpy is three times as fast as with the three numbers of a pixel.
    mean = np.resize(np.asarray(step.mean, dtype=np.float32), step.width * channels)
    factor = np.resize(np.float32(1.0) / np.asarray(step.std, dtype=np.float32), step.width * channels)
    reasons: dict[int, Exception] = {}
    for row, value in enumerate(encoded):
        lines = pixels[row].reshape(step.height, -1)  # image by image, while its numbers are in the cache
        try:
            decoded = _decode_image(value.as_py(), step).reshape(lines.shape)
        except Exception as error:  # noqa: BLE001 - a decoder may raise anything on garbage; it belongs to the row
            reasons[row] = error
            continue
        np.divide(decoded, np.float32(255.0), out=lines, dtype=np.float32)
        lines -= mean
        lines *= factor
    if reasons:
        raise BadRows(reasons)
    return pixels.transpose(0, 3, 1, 2)


def _decode_image(encoded: bytes | None, step: Image) -> np.ndarray:
    import PIL.Image
    import PIL.ImageOps

    if not encoded:
        raise RowError("no image")
    with PIL.Image.open(io.BytesIO(encoded)) as image:
        width, height = image.size
        if width * height > step.max_pixels:
            raise RowError(f"image of {width} x {height} pixels, more than max_pixels {step.max_pixels}")
        PIL.ImageOps.exif_transpose(image, in_place=True)
        converted = np.array(_in_8_bits(image).convert(step.mode))
    return _resized(converted, step.height, step.width)


def _resized(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """uint8 (height, width) or (height, width, 3) in another size; each new pixel is the mean, by nearness, of those it covers."""
    if pixels.shape[:2] == (height, width):
        return pixels
    lines = torch.from_numpy(pixels.reshape(*pixels.shape[:2], -1))
    with torch.inference_mode():
        image = lines[None].permute(0, 3, 1, 2)  # a view, whose numbers stay pixel by pixel
        resized = functional.interpolate(image, size=(height, width), mode="bilinear", antialias=True)
    return resized[0].permute(1, 2, 0).numpy()


def _in_8_bits(image: Any) -> Any:
    """16-bit grey keeps its upper byte, where Pillow's `convert` would make white of all above 255."""
    import PIL.Image

    if image.mode.startswith("I;16"):
        return PIL.Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise RowError(f"image with 32 bits per pixel (mode {image.mode}), for which there is no black and white")
    return image
