"""The scores of float32, eager, that those of all other settings are compared with."""

from dataclasses import dataclass

import numpy as np

from configs.errors import InputError
from model_zoo.arrays import Arrays, count_rows
from model_zoo.evaluation.agreement import Agreement, Threshold, agreement


@dataclass(frozen=True)
class Reference:
    """The scores of float32, eager, which others are compared with.

    Attributes:
        scores: raw outputs (rows, ...) of the sample.
        is_good: bool (rows,), which rows have finite scores; the others are not compared.
        activation, threshold: what makes labels of scores.
    """

    scores: Arrays
    is_good: np.ndarray
    activation: str
    threshold: Threshold

    @property
    def good_rows(self) -> int:
        return int(np.count_nonzero(self.is_good))

    def compare(self, scores: Arrays) -> Agreement:
        """Return how well scores of the sample's first rows agree with these."""
        rows = count_rows(scores)
        is_good = self.is_good[:rows]
        expected: Arrays = {}
        for name, values in self.scores.items():
            first_values = values[:rows]
            expected[name] = first_values[is_good]
        actual = select_rows(scores, is_good)
        return agreement(expected, actual, self.activation, self.threshold)


def make_reference(
    scores: Arrays,
    activation: str,
    threshold: Threshold,
) -> Reference:
    """Return scores as what others are compared with.

    Args:
        scores: raw outputs (rows, ...) of the whole sample.
        activation, threshold: what makes labels of them.

    Raises:
        InputError: they are finite for no row.
    """
    by_output = []
    for values in scores.values():
        # (rows, ...) -> (rows, numbers of a row)
        rows = len(values)
        numbers = values.reshape(rows, -1)
        is_finite = np.isfinite(numbers)
        by_output.append(is_finite.all(axis=1))
    is_good = np.logical_and.reduce(by_output)
    if not is_good.any():
        raise InputError(
            "the model's scores are finite for none of the sample's rows; "
            "name an input that it can score"
        )
    return Reference(scores, is_good, activation, threshold)


def select_rows(arrays: Arrays, is_wanted: np.ndarray) -> Arrays:
    """Return the wanted rows of every array.

    Args:
        arrays: arrays (rows, ...) by name.
        is_wanted: bool (rows,).
    """
    return {name: values[is_wanted] for name, values in arrays.items()}
