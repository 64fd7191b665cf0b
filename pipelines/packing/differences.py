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
    finite = np.abs(theirs[np.isfinite(theirs)])
    scale = max(1.0, float(finite.max(initial=0.0)))
    # Both NaN, or both the same infinity, is no difference.
    # NaN is not equal to itself.
    both_missing = np.isnan(ours) & np.isnan(theirs)
    is_same = (ours == theirs) | both_missing
    with np.errstate(invalid="ignore"):
        apart = np.where(is_same, 0.0, np.abs(ours - theirs))
    return float(apart.max(initial=0.0)) / scale
