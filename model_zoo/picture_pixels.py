"""What is done to one decoded picture before it is numbers: turned upright, 8 bits, resized, cropped.

Comes in: an image of Pillow, or its pixels. Goes out: the same, changed. Apart from the step `image`,
which says what is wanted.
"""

from typing import Any, Literal, TypeAlias

import numpy as np

from configs.errors import RowError

Interpolation: TypeAlias = Literal["bilinear", "bicubic"]
CropStarts: TypeAlias = Literal["rounded", "cut"]

# What a PNG says of itself where Pillow looks for its orientation.
_SAY_ORIENTATION = ("exif", "Raw profile type exif", "XML:com.adobe.xmp", "xmp")

# Numbers of TIFF's tags, and what the second one may say.
_BITS_PER_SAMPLE = 258
_PHOTOMETRIC = 262
_WHITE_IS_ZERO = 0
# A PNG's pixels have all of them.
_DEEP_BITS = 16


def turn_upright(image: Any) -> None:
    """Decode an image, and turn it as its EXIF says."""
    # Decoding a PNG reads all that it says of itself.
    image.load()
    # Most say nothing, and to ask takes as long as to decode a tiny one.
    if image.format == "PNG" and image.info.keys().isdisjoint(_SAY_ORIENTATION):
        return
    # Takes a tenth of a second, and jobs without such pictures need none.
    import PIL.ImageOps

    PIL.ImageOps.exif_transpose(image, in_place=True)


def _read_depth(image: Any) -> tuple[int, bool]:
    """Return the bits of a pixel of deep grey, and whether 0 is white.

    In TIFF alone they may be fewer than 16, and 0 may be white; Pillow changes neither.
    """
    tags = getattr(image, "tag_v2", {})
    depths = tags.get(_BITS_PER_SAMPLE, (_DEEP_BITS,))
    is_white_zero = tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO
    return depths[0], is_white_zero


def to_8_bits(image: Any) -> Any:
    """Keep the upper 8 bits of deeper grey, where Pillow's `convert` would make white of all above 255.

    Args:
        image: of Pillow, of any mode; others than deeper grey stay as they are.

    Raises:
        RowError: of its 32 bits nobody knows which number is white.
    """
    if image.mode.startswith("I;16"):
        import PIL.Image

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


def resize_with_pillow(
    image: Any,
    height: int,
    width: int,
    interpolation: Interpolation,
) -> np.ndarray:
    """Return uint8 (height, width) or (height, width, 3) of an image of Pillow in another size.

    Args:
        image: of mode L or RGB.
        height, width: the new ones.
        interpolation: between pixels.
    """
    import PIL.Image

    name = interpolation.upper()
    resampling = getattr(PIL.Image.Resampling, name)
    # Pillow says the width first.
    resized = image.resize((width, height), resampling)
    return np.array(resized)


def resize(
    pixels: np.ndarray,
    height: int,
    width: int,
    interpolation: Interpolation,
) -> np.ndarray:
    """Return uint8 (height, width) or (height, width, 3) in another size.

    Each new pixel is the mean, by nearness, of those that it covers.

    Args:
        pixels: the old ones, which can be written to, as torch wants that.
        height, width: the new ones.
        interpolation: between pixels.
    """
    size = pixels.shape[:2]
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


def crop_centre(
    pixels: np.ndarray,
    height: int,
    width: int,
    crop_starts: CropStarts,
) -> np.ndarray:
    """Return uint8 (height, width, ...): the middle of it, with black borders where it is smaller.

    Args:
        pixels: uint8 (rows, columns, ...).
        height, width: of what is returned.
        crop_starts: where it starts when the borders cannot be of one width.
    """
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
