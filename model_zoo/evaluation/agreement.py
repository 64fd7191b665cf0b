"""Compare scores of faster settings with those of the reference, on the same rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
import math
from typing import NamedTuple, TypeAlias

import numpy as np

from configs.tolerance import Tolerance
from model_zoo.activations import sigmoid, softmax

# One for all, or (labels,) where each label has its own.
Threshold: TypeAlias = float | np.ndarray


@dataclass(frozen=True)
class Agreement:
    """The figures that tell how well two sets of scores of the same rows agree.

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
        has_same_labels = True
        if self.label_agreement is not None:
            has_same_labels = self.label_agreement >= tolerance.label_agreement
        is_aligned = True
        if self.cosine is not None:
            is_aligned = self.cosine >= tolerance.cosine
        return is_near and has_same_labels and is_aligned


def agreement(
    reference: Mapping[str, np.ndarray],
    actual: Mapping[str, np.ndarray],
    activation: str,
    threshold: Threshold = 0.5,
) -> Agreement:
    """Compare outputs as the model gives them, before activation.

    Args:
        reference, actual: arrays (rows, *shape) by name.
        activation: what makes probabilities of them: `sigmoid`, `softmax` or `none`.
        threshold: sigmoid: from this probability on, a row is of the second class, or has a label;
            of several labels (labels,) where each has its own.
    """
    outputs = []
    for name, expected in reference.items():
        output = _Output(
            expected=_flatten_rows(expected),
            actual=_flatten_rows(actual[name]),
        )
        outputs.append(output)
    if activation == "none":
        return _compare_vectors(outputs)
    # Only a single output can be made probabilities of.
    (only,) = outputs
    (first,) = reference.values()
    shape = first.shape
    is_of_tokens = len(shape) > 2
    if activation == "softmax" and is_of_tokens:
        only = _list_tokens(only, classes=shape[-1])
    found = _compare_probabilities(only, activation, threshold)
    return replace(found, rows=shape[0])


class _Output(NamedTuple):
    """One output as the reference gives it, and as the faster settings do; float64 (rows, numbers)."""

    expected: np.ndarray
    actual: np.ndarray


def _list_tokens(output: _Output, classes: int) -> _Output:
    """Return the logits of tokens (tokens of all rows, classes) of rows of them.

    Zeros stand for padding, which agrees with padding and would hide what does not.
    """
    expected = output.expected.reshape(-1, classes)
    actual = output.actual.reshape(-1, classes)
    is_token = expected.any(axis=1) | actual.any(axis=1)
    return _Output(expected[is_token], actual[is_token])


def _compare_vectors(outputs: Sequence[_Output]) -> Agreement:
    differences = []
    cosines = []
    for expected, actual in outputs:
        # Relative: nothing says what size such outputs have.
        size = _find_largest(expected) or 1.0
        difference = _find_largest(expected - actual)
        differences.append(difference / size)
        # The cosine of two numbers is 1 or -1, and says nothing.
        if expected.shape[1] > 1:
            cosine = _find_smallest_cosine(expected, actual)
            cosines.append(cosine)
    return Agreement(
        rows=len(outputs[0].expected),
        max_difference=max(differences),
        label_agreement=None,
        cosine=min(cosines, default=None),
    )


def _compare_probabilities(
    output: _Output,
    activation: str,
    threshold: Threshold,
) -> Agreement:
    activate = softmax
    if activation == "sigmoid":
        activate = sigmoid
    expected = activate(output.expected)
    actual = activate(output.actual)
    difference = _find_largest(expected - actual)

    is_of_sigmoid = activation == "sigmoid"
    expected_labels = _choose_labels(expected, is_of_sigmoid, threshold)
    labels = _choose_labels(actual, is_of_sigmoid, threshold)
    is_same = expected_labels == labels
    rows = len(expected)
    # The mean of no rows is not a number, and would agree less than any.
    share = 1.0
    if rows:
        share = float(is_same.mean())
    return Agreement(
        rows=rows,
        max_difference=difference,
        label_agreement=share,
        cosine=None,
    )


def _flatten_rows(values: np.ndarray) -> np.ndarray:
    """Return float64 (rows, numbers of a row), so that comparing rounds nothing."""
    # Not -1, which numpy cannot tell where there are no rows.
    numbers = math.prod(values.shape[1:])
    flat = values.reshape(len(values), numbers)
    return flat.astype(np.float64)


def _find_largest(values: np.ndarray) -> float:
    """Return the largest absolute value; 0 of none."""
    sizes = np.abs(values)
    return float(sizes.max(initial=0.0))


def _choose_labels(
    probabilities: np.ndarray,
    is_of_sigmoid: bool,
    threshold: Threshold,
) -> np.ndarray:
    """Return whether each probability reaches its threshold (rows, labels), or the best class (rows,)."""
    if is_of_sigmoid:
        reached: np.ndarray = probabilities >= threshold
        return reached
    best = probabilities.argmax(axis=1)
    return np.asarray(best)


def _find_smallest_cosine(expected: np.ndarray, actual: np.ndarray) -> float:
    expected_lengths = np.linalg.norm(expected, axis=1)
    actual_lengths = np.linalg.norm(actual, axis=1)
    lengths = expected_lengths * actual_lengths
    products = (expected * actual).sum(axis=1)

    # Rows of zeros in both agree, and have no angle; one beside a row of numbers has none either.
    expects_numbers = expected.any(axis=1)
    gives_numbers = actual.any(axis=1)
    has_numbers = expects_numbers | gives_numbers
    with np.errstate(invalid="ignore", divide="ignore"):
        cosines = products / lengths
    cosines = np.where(has_numbers, cosines, 1.0)
    return float(cosines.min(initial=1.0))
