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
    """Wisconsin diagnostic breast cancer: 569 tumours.

    Columns: `id` int64, 30 float64 measurements under scikit-learn's names (`mean radius`, ...), `diagnosis` string (`malignant`
    or `benign`). Source: Wolberg, Street and Mangasarian, UCI Machine Learning Repository, 1995.
    """
    found = datasets.load_breast_cancer()
    names = [str(n) for n in found.feature_names]
    measurements = dict(zip(names, map(pa.array, np.ascontiguousarray(found.data.T)), strict=True))
    diagnosis = pa.array([str(found.target_names[t]) for t in found.target])
    return pa.table({"id": _ids(len(diagnosis)), **measurements, "diagnosis": diagnosis})


def digits() -> pa.Table:
    """Handwritten digits: 1797 pictures of 8 x 8 grey pixels.

    Columns: `id` int64, `image` binary (PNG, mode L, scikit-learn's 0..16 stretched to 0..255), `digit` string (`0` to `9`).
    Source: Alpaydin and Kaynak, UCI Machine Learning Repository, 1998.
    """
    found = datasets.load_digits()
    pixels = np.rint(found.images * (255 / 16)).astype(np.uint8)
    images = pa.array([encode_png(p) for p in pixels], type=pa.binary())
    return pa.table({"id": _ids(len(pixels)), "image": images, "digit": pa.array([str(t) for t in found.target])})


DATASETS: dict[str, Callable[[], pa.Table]] = {"breast_cancer": breast_cancer, "digits": digits}


def encode_png(pixels: np.ndarray) -> bytes:
    """A grey picture, uint8 (height, width), as PNG.

    Stored without compression: what zlib makes of pixels depends on its version, and 64 pixels leave nothing to gain.
    """
    sink = io.BytesIO()
    Image.fromarray(pixels).save(sink, format="PNG", compress_level=0)
    return sink.getvalue()


def _ids(rows: int) -> pa.Array:
    return pa.array(np.arange(rows, dtype=np.int64))
