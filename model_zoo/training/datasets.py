"""The real data sets that come with scikit-learn, as Arrow tables with a unique key.

Nothing is downloaded. Ids count from 0 in scikit-learn's own order, so that a row can be found again.
"""

from collections.abc import Callable
import io

import numpy as np
from PIL import Image
import pyarrow as pa
from sklearn import datasets


def breast_cancer() -> pa.Table:
    """Return the Wisconsin diagnostic breast cancer data: 569 tumours.

    Columns: `id` int64, 30 float64 measurements under scikit-learn's names (`mean radius`, ...),
    `diagnosis` string (`malignant` or `benign`). Source: Wolberg, Street and Mangasarian, UCI
    Machine Learning Repository, 1995.
    """
    found = datasets.load_breast_cancer()
    rows = len(found.target)
    columns = {"id": _make_ids(rows)}

    # By column: what Arrow takes over must lie side by side in memory.
    by_column = np.ascontiguousarray(found.data.T)
    for name, values in zip(found.feature_names, by_column, strict=True):
        columns[str(name)] = pa.array(values)

    diagnosis = []
    for target in found.target:
        name = found.target_names[target]
        diagnosis.append(str(name))
    columns["diagnosis"] = pa.array(diagnosis)
    return pa.table(columns)


def digits() -> pa.Table:
    """Return handwritten digits: 1797 pictures of 8 x 8 grey pixels.

    Columns: `id` int64, `image` binary (PNG, mode L, scikit-learn's 0..16 stretched to 0..255),
    `digit` string (`0` to `9`). Source: Alpaydin and Kaynak, UCI Machine Learning Repository, 1998.
    """
    found = datasets.load_digits()
    stretched = found.images * (255 / 16)
    rounded = np.rint(stretched)
    pictures = rounded.astype(np.uint8)
    images = [encode_png(pixels) for pixels in pictures]
    names = [str(target) for target in found.target]
    columns = {
        "id": _make_ids(len(pictures)),
        "image": pa.array(images, type=pa.binary()),
        "digit": pa.array(names),
    }
    return pa.table(columns)


DATASETS: dict[str, Callable[[], pa.Table]] = {
    "breast_cancer": breast_cancer,
    "digits": digits,
}


def encode_png(pixels: np.ndarray) -> bytes:
    """Return a grey picture, uint8 (height, width), as PNG."""
    sink = io.BytesIO()
    # Stored without compression: what zlib makes of pixels depends on its version, and 64 pixels
    # leave nothing to gain.
    image = Image.fromarray(pixels)
    image.save(sink, format="PNG", compress_level=0)
    return sink.getvalue()


def _make_ids(rows: int) -> pa.Array:
    numbers = np.arange(rows, dtype=np.int64)
    return pa.array(numbers)
