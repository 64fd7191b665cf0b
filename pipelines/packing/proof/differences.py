"""How far two arrays of scores are apart, and may be."""

from collections.abc import Iterable

import numpy as np

from model_zoo.arrays import Arrays

# float32 keeps 24 bits; a sum of many products rounds some of them away.
_OF_SINGLES = 1e-5
# float16 keeps 11, so neighbours are up to 1e-3 apart; a sum in another order ends a few beside it.
_OF_HALVES = 4e-3


def choose_tolerance(dtypes: Iterable[object]) -> float:
    """Return how far scores of a model may be apart, for `find_difference`.

    Args:
        dtypes: of its weights and outputs, as torch or numpy name them.

    >>> choose_tolerance([np.dtype("float16")]) > choose_tolerance(["torch.bfloat16"])
    True
    """
    names = {str(dtype).removeprefix("torch.") for dtype in dtypes}
    if "float16" in names:
        return _OF_HALVES
    return _OF_SINGLES


def choose_smoke_tolerance(tolerance: float, outputs: Arrays) -> float:
    """Return how far smoke outputs may be off where another library or machine computes them.

    Args:
        tolerance: as `choose_tolerance` gives it, relative to the largest output.
        outputs: of the model for the sample (rows, ...), by name.

    >>> choose_smoke_tolerance(0.5, {"y": np.array([8.0, np.nan])})
    4.0
    """
    # Outputs below 1 are compared as they are.
    largest = 1.0
    for array in outputs.values():
        finite = array[np.isfinite(array)]
        size = np.abs(finite).max(initial=largest)
        largest = float(size)
    return tolerance * largest


def find_difference(scored: np.ndarray, expected: np.ndarray) -> float:
    """Return the largest difference, relative to the largest of the expected numbers or 1.

    Args:
        scored, expected: numbers (rows, ...) of one shape.

    >>> find_difference(np.array([1.0, np.nan, np.inf]), np.array([3.0, np.nan, np.inf]))
    0.6666666666666666
    >>> find_difference(np.array([1.0, np.nan]), np.array([np.nan, 1.0]))
    inf
    """
    ours = scored.astype(np.float64)
    theirs = expected.astype(np.float64)
    finite = theirs[np.isfinite(theirs)]
    sizes = np.abs(finite)
    # Numbers below 1 are compared as they are: next to 0, any difference is relatively large.
    scale = sizes.max(initial=1.0)
    # The same infinity is no difference, and neither are two NaN, which are not equal.
    both_missing = np.isnan(ours) & np.isnan(theirs)
    is_same = (ours == theirs) | both_missing
    with np.errstate(invalid="ignore"):
        distances = np.abs(ours - theirs)
    distances[is_same] = 0.0
    # Not a number is smaller than nothing, and a proof would pass by it.
    is_no_number = np.isnan(distances)
    distances[is_no_number] = np.inf
    largest = distances.max(initial=0.0)
    return float(largest / scale)
