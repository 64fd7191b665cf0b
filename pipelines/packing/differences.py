"""How far two arrays of scores are apart."""

import numpy as np


def find_difference(scored: np.ndarray, expected: np.ndarray) -> float:
    """Return the largest difference, relative to the largest of the expected numbers or 1.

    Args:
        scored, expected: numbers (rows, ...) of one shape.

    >>> find_difference(np.array([1.0, np.nan, np.inf]), np.array([3.0, np.nan, np.inf]))
    0.6666666666666666
    """
    ours = scored.astype(np.float64)
    theirs = expected.astype(np.float64)
    finite = theirs[np.isfinite(theirs)]
    # Numbers below 1 are compared as they are: next to 0, any difference is relatively large.
    scale = np.abs(finite).max(initial=1.0)
    # The same infinity is no difference, and neither are two NaN, which are not equal.
    both_missing = np.isnan(ours) & np.isnan(theirs)
    is_same = (ours == theirs) | both_missing
    with np.errstate(invalid="ignore"):
        distances = np.abs(ours - theirs)
    distances[is_same] = 0.0
    largest = distances.max(initial=0.0)
    return float(largest / scale)
