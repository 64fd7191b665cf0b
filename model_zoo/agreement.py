"""How far scores of a faster setting are from those of the reference, float32 eager, on the same rows."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Tolerance:
    """How much faster scores may differ; `Agreement` says what is meant."""

    max_difference: float
    label_agreement: float
    cosine: float


@dataclass(frozen=True)
class Agreement:
    """How well two sets of scores of the same rows agree.

    Attributes:
        rows: how many were compared.
        max_difference: largest absolute difference of a probability; of outputs without activation, relative to the largest value.
        label_agreement: share of rows with the same label; None for outputs without activation.
        cosine: smallest cosine of a row's two output vectors; None for probabilities, and for outputs of one number a row.
    """

    rows: int
    max_difference: float
    label_agreement: float | None
    cosine: float | None

    def is_within(self, tolerance: Tolerance) -> bool:
        """Whether no figure is worse than allowed; one that is not a number is."""
        return (
            self.max_difference <= tolerance.max_difference
            and (self.label_agreement is None or self.label_agreement >= tolerance.label_agreement)
            and (self.cosine is None or self.cosine >= tolerance.cosine)
        )


def agreement(reference: Arrays, actual: Arrays, activation: str, threshold: float = 0.5) -> Agreement:
    """Compare outputs (rows, *shape) as the model gives them, before activation.

    Args:
        activation: what makes probabilities of them: `sigmoid`, `softmax` or `none`.
        threshold: sigmoid: from this probability on, a row is of the second class.
    """
    rows = len(next(iter(reference.values())))
    pairs = [(_wide(reference[name]), _wide(actual[name])) for name in reference]
    if activation == "none":
        differences = [_largest(np.abs(a - b)) / (_largest(np.abs(a)) or 1.0) for a, b in pairs]
        cosines = [_cosine(a, b) for a, b in pairs if a.shape[1] > 1]
        return Agreement(rows, max(differences), None, min(cosines) if cosines else None)
    a, b = (_probabilities(values, activation) for values in pairs[0])
    same = np.mean(_labels(a, threshold) == _labels(b, threshold)) if rows else 1.0
    return Agreement(rows, _largest(np.abs(a - b)), float(same), None)


def _wide(values: np.ndarray) -> np.ndarray:
    """Float64 (rows, numbers of a row)."""
    return values.reshape(len(values), -1).astype(np.float64)


def _largest(values: np.ndarray) -> float:
    return float(values.max(initial=0.0))


def _probabilities(values: np.ndarray, activation: str) -> np.ndarray:
    if activation == "sigmoid":
        return 1.0 / (1.0 + np.exp(-values))
    shifted = np.exp(values - values.max(axis=1, keepdims=True, initial=-np.inf))
    result: np.ndarray = shifted / shifted.sum(axis=1, keepdims=True)
    return result


def _labels(probabilities: np.ndarray, threshold: float) -> np.ndarray:
    """Of one probability a row, whether it reaches the threshold; of several, the class of the largest."""
    result: np.ndarray = probabilities[:, 0] >= threshold if probabilities.shape[1] == 1 else probabilities.argmax(axis=1)
    return result


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    """The smallest over rows; rows of zeros in both agree."""
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    both_zero = ~a.any(axis=1) & ~b.any(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        cosines = np.where(both_zero, 1.0, (a * b).sum(axis=1) / lengths)
    return float(cosines.min(initial=1.0))
