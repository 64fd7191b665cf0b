"""Logits of one label a row -> `probability`, `class`, `label`, and those of all classes."""

from functools import cache, partial

import numpy as np
import pyarrow as pa
from pyarrow import Array

from model_zoo.activations import sigmoid, softmax
from model_zoo.tensor_columns import to_column
from transforms.scores.makers import Best, Makers, find_best, list_best_makers, to_labels


def list_sigmoid_makers(
    logits: np.ndarray,
    labels: tuple[str, ...],
    threshold: float,
    top_k: int,
) -> Makers:
    """Return the columns of one logit a row, which is about the second of two classes.

    Args:
        logits: (rows,) or (rows, 1).
        labels: names of the two classes, or none.
        threshold: from this probability on, a row is of the second class.
        top_k: length of `top_*`.
    """
    probability = sigmoid(logits.reshape(len(logits)))
    is_second = probability >= threshold
    classes = is_second.astype(np.int32)

    # Few ask for both classes, and of many rows they take time.
    @cache
    def find_both() -> np.ndarray:
        return np.stack([1 - probability, probability], axis=1)

    @cache
    def find() -> Best:
        both = find_both()
        return find_best(both, top_k)

    def make_both() -> Array:
        both = find_both()
        return to_column(both)

    return {
        **list_best_makers(find, labels),
        "probabilities": make_both,
        "probability": partial(pa.array, probability),
        "class": partial(pa.array, classes),
        "label": partial(to_labels, classes, labels),
    }


def list_softmax_makers(
    logits: np.ndarray,
    labels: tuple[str, ...],
    top_k: int,
) -> Makers:
    """Return the columns of a logit for each class, of which a row has one.

    Args:
        logits: (rows, classes).
        labels: class names by class number, or none.
        top_k: length of `top_*`.

    Raises:
        JobError: there are fewer classes than `top_k`.
    """
    probabilities = softmax(logits)
    best = find_best(probabilities, top_k)
    best_class = best.classes[:, 0]
    best_probability = best.probabilities[:, 0]

    # Already there: the column of the best class needs them, too.
    def get_best() -> Best:
        return best

    return {
        **list_best_makers(get_best, labels),
        "probability": partial(to_column, best_probability),
        "class": partial(pa.array, best_class),
        "label": partial(to_labels, best_class, labels),
        "probabilities": partial(to_column, probabilities),
    }
