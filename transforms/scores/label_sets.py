"""Logits of labels of which a row has any number -> `labels`, `classes`, `probabilities`."""

from functools import cache, partial

import numpy as np
import pyarrow as pa

from model_zoo.activations import sigmoid
from model_zoo.tensor_columns import to_column
from transforms.scores.makers import Best, Makers, find_best, list_best_makers, to_labels, to_lists


def list_label_set_makers(
    logits: np.ndarray,
    labels: tuple[str, ...],
    thresholds: np.ndarray,
    top_k: int,
) -> Makers:
    """Return the columns of a logit for each label, which say nothing about each other.

    Args:
        logits: (rows, labels).
        labels: names of them, or none.
        thresholds: (labels,): from this probability on, a row has the label.
        top_k: length of `top_*`, which know no threshold.
    """
    probabilities = sigmoid(logits)
    # In the type of the probabilities, in which 0.3 is as near to 0.3 as can be.
    is_given = probabilities >= thresholds.astype(probabilities.dtype)
    counts = is_given.sum(axis=1)
    # Row by row, and in each in the order of the labels.
    given = np.nonzero(is_given)[1].astype(np.int32)

    @cache
    def find() -> Best:
        return find_best(probabilities, top_k)

    return {
        **list_best_makers(find, labels),
        "probabilities": partial(to_column, probabilities),
        "classes": lambda: to_lists(pa.array(given), counts),
        "labels": lambda: to_lists(to_labels(given, labels), counts),
    }
