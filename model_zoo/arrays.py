"""Arrays by name: what steps make for a network, and what a network gives back."""

from typing import TypeAlias

import numpy as np

# One array (rows, ...) per input or output; all have the same rows in the same order.
Arrays: TypeAlias = dict[str, np.ndarray]


def count_rows(arrays: Arrays) -> int:
    """Return how many rows the arrays have.

    >>> count_rows({"x": np.zeros((3, 2)), "y": np.zeros(3)})
    3
    """
    first = next(iter(arrays.values()))
    return len(first)
