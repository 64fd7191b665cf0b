"""Widths and heights of encoded pictures, as their headers say them: no pixel is unpacked."""

import numpy as np
from pyarrow import Array

from configs.errors import crashes_as_errors
from model_zoo.pictures import open_picture
from model_zoo.piece_watch import one_piece


def read_sizes(encoded: Array, max_pixels: int) -> np.ndarray:
    """Return the widths and heights of those pictures that can be opened, int64 (pictures, 2).

    As they are stored: a photograph that is turned upright when it is decoded is counted as it lies.

    Args:
        encoded: (rows,) of encoded pictures; missing ones are left out.
        max_pixels: the most that one may have.
    """
    sizes = []
    for value in encoded.drop_null():
        # Whatever a decoder has against it is told where the picture is decoded, and its row rejected.
        try:
            with one_piece(), crashes_as_errors(), open_picture(value.as_py(), max_pixels) as image:
                sizes.append(image.size)
        except Exception:  # noqa: BLE001, S112 - see above
            continue
    return np.array(sizes, dtype=np.int64).reshape(-1, 2)
