"""How far scores of faster settings are from those of the reference, on the same rows."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from configs.tolerance import Tolerance
from model_zoo.activations import sigmoid, softmax


@dataclass(frozen=True)
class Agreement:
    """How well two sets of scores of the same rows agree.

    Attributes:
        rows: how many were compared.
        max_difference: largest absolute difference of a probability; of outputs without activation,
            relative to the largest value.
        label_agreement: share of rows with the same label; None for outputs without activation.
        cosine: smallest cosine of a row's two output vectors; None for probabilities, and for
            outputs of one number a row.
    """

    rows: int
    max_difference: float
    label_agreement: float | None
    cosine: float | None

    def is_within(self, tolerance: Tolerance) -> bool:
        """Tell whether no figure is worse than allowed."""
        # A figure that is not a number is worse than any: both `<=` and `>=` are false for it.
        is_near = self.max_difference <= tolerance.max_difference
        is_same = self.label_agreement is None or self.label_agreement >= tolerance.label_agreement
        is_aligned = self.cosine is None or self.cosine >= tolerance.cosine
        return is_near and is_same and is_aligned


def agreement(
    reference: Mapping[str, np.ndarray],
    actual: Mapping[str, np.ndarray],
    activation: str,
    threshold: float = 0.5,
) -> Agreement:
    """Compare outputs as the model gives them, before activation.

    Args:
        reference, actual: arrays (rows, *shape) by name.
        activation: what makes probabilities of them: `sigmoid`, `softmax` or `none`.
        threshold: sigmoid: from this probability on, a row is of the second class.
    """
    pairs = []
    for name, expected in reference.items():
        pair = _flatten_rows(expected), _flatten_rows(actual[name])
        pairs.append(pair)
    if activation == "none":
        return _compare_vectors(pairs)
    # Only a single output can be made probabilities of.
    expected, found = pairs[0]
    return _compare_probabilities(expected, found, activation, threshold)


def _compare_vectors(pairs: list[tuple[np.ndarray, np.ndarray]]) -> Agreement:
    differences, cosines = [], []
    for expected, actual in pairs:
        # Relative: nothing says what size such outputs have.
        size = _find_largest(expected) or 1.0
        difference = _find_largest(expected - actual)
        differences.append(difference / size)
        # The cosine of two numbers is 1 or -1, and says nothing.
        if expected.shape[1] > 1:
            cosines.append(_find_smallest_cosine(expected, actual))
    rows = len(pairs[0][0])
    cosine = min(cosines) if cosines else None
    return Agreement(rows, max(differences), None, cosine)


def _compare_probabilities(
    expected: np.ndarray, actual: np.ndarray, activation: str, threshold: float
) -> Agreement:
    activate = sigmoid if activation == "sigmoid" else softmax
    expected = activate(expected)
    actual = activate(actual)
    difference = _find_largest(expected - actual)
    is_same = _choose_labels(expected, threshold) == _choose_labels(actual, threshold)
    rows = len(expected)
    # The mean of no rows is not a number, and would agree less than any.
    share = float(is_same.mean()) if rows else 1.0
    return Agreement(rows, difference, share, None)


def _flatten_rows(values: np.ndarray) -> np.ndarray:
    """Return float64 (rows, numbers of a row), so that comparing rounds nothing."""
    flat = values.reshape(len(values), -1)
    return flat.astype(np.float64)


def _find_largest(values: np.ndarray) -> float:
    """Return the largest absolute value; 0 of none."""
    sizes = np.abs(values)
    return float(sizes.max(initial=0.0))


def _choose_labels(probabilities: np.ndarray, threshold: float) -> np.ndarray:
    """Return labels (rows,): whether the only probability reaches the threshold, or the best class."""
    if probabilities.shape[1] == 1:
        reached: np.ndarray = probabilities[:, 0] >= threshold
        return reached
    return np.asarray(probabilities.argmax(axis=1))


def _find_smallest_cosine(expected: np.ndarray, actual: np.ndarray) -> float:
    lengths = np.linalg.norm(expected, axis=1)
    lengths = lengths * np.linalg.norm(actual, axis=1)
    products = (expected * actual).sum(axis=1)
    # Rows of zeros in both agree, and have no angle; one beside a row of numbers has none either.
    both_zero = ~expected.any(axis=1) & ~actual.any(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        cosines = np.where(both_zero, 1.0, products / lengths)
    return float(cosines.min(initial=1.0))
