"""Texts, from the bytes that they are in a mini-batch to what is sent to a server.

    97 98 255     98 99 100     ->     b"ab", b"bcd"

Our arrays are of numbers, and step `text_bytes` makes texts such; a server that takes texts gets
them back, and makes tokens of them itself.
"""

import numpy as np

from model_zoo.remote.failures import RefusedError
from model_zoo.steps.text_bytes import END, MISSING

# As `TensorSpec` has it.
TEXTS = "bytes"
# What `text_bytes` makes of them.
TEXT_DTYPE = "uint8"


def read_texts(spread: np.ndarray) -> np.ndarray:
    """Return the texts (rows,) of an array, as bytes of UTF-8.

    Args:
        spread: (rows, length) of uint8, as step `text_bytes` makes it.

    Raises:
        RefusedError: a text is missing, for which no server has a word.

    >>> read_texts(np.array([[97, 98, 255], [98, 99, 100]], np.uint8)).tolist()
    [b'ab', b'bcd']
    """
    rows, length = spread.shape
    is_missing = spread[:, 0] == MISSING
    if is_missing.any():
        raise RefusedError("a text is missing, and the server takes none that is; fill it")
    is_end = spread == END
    has_end = is_end.any(axis=1)
    first_end = is_end.argmax(axis=1)
    # Of a text that fills its place nothing ends.
    lengths = np.where(has_end, first_end, length)
    texts = np.empty(rows, object)
    for row, count in enumerate(lengths.tolist()):
        texts[row] = spread[row, :count].tobytes()
    return texts
