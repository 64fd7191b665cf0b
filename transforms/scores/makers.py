"""What score columns of every kind are made with: columns by name that are made when they are asked for."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
from pyarrow import Array

from configs.errors import JobError
from model_zoo.tensor_columns import to_column

# Of classes, by number.
Names: TypeAlias = Sequence[str]
Make: TypeAlias = Callable[[], Array]
# By name, what makes a column when it is asked for; a job wants few of those that there are.
Makers: TypeAlias = dict[str, Make]


class Best(NamedTuple):
    """The most probable classes of each row, the best first: numbers int32 (rows, k), probabilities (rows, k)."""

    classes: np.ndarray
    probabilities: np.ndarray


def to_labels(classes: np.ndarray, labels: Names) -> Array:
    """Return the label of each class number; without labels the number itself as text.

    Args:
        classes: int32 (rows,).
        labels: class names by class number, or none.
    """
    numbers = pa.array(classes)
    text = pa.string()
    if not labels:
        return numbers.cast(text)
    names = pa.array(labels, type=text)
    return names.take(numbers)


def to_lists(values: Array, counts: np.ndarray) -> Array:
    """Return values that stand one after the other as a list for each row.

    Args:
        values: of all rows.
        counts: (rows,), how many of them each row has.
    """
    # A list begins where the one before it ends, the first one at 0.
    size = len(counts) + 1
    offsets = np.zeros(size, dtype=np.int32)
    ends = offsets[1:]
    np.cumsum(counts, out=ends)
    begins = pa.array(offsets)
    return pa.ListArray.from_arrays(begins, values)


def list_best_makers(find: Callable[[], Best], labels: Names) -> Makers:
    """Return `top_classes`, `top_labels` and `top_probabilities`, the best first.

    Args:
        find: gives the best classes, when one of the columns is asked for.
        labels: class names by class number, or none.
    """

    def make_classes() -> Array:
        best = find()
        return to_column(best.classes)

    def make_labels() -> Array:
        best = find()
        return _to_label_lists(best.classes, labels)

    def make_probabilities() -> Array:
        best = find()
        return to_column(best.probabilities)

    return {
        "top_classes": make_classes,
        "top_labels": make_labels,
        "top_probabilities": make_probabilities,
    }


def find_best(probabilities: np.ndarray, top_k: int) -> Best:
    """Return the most probable classes of each row.

    Args:
        probabilities: (rows, classes).
        top_k: how many.

    Raises:
        JobError: there are fewer classes.
    """
    classes = probabilities.shape[1]
    if top_k > classes:
        raise JobError(f"postprocess.top_k is {top_k}, but the model has {classes} classes")
    # Stable, so that of equally probable classes the first one comes first, on every machine.
    falling = -probabilities
    order = np.argsort(falling, axis=1, kind="stable")
    best = order[:, :top_k]
    best = best.astype(np.int32)
    best_probabilities = np.take_along_axis(probabilities, best, axis=1)
    return Best(best, best_probabilities)


def _to_label_lists(classes: np.ndarray, labels: Names) -> Array:
    """Return the labels of several classes of each row, int32 (rows, k)."""
    flat = classes.reshape(-1)
    texts = to_labels(flat, labels)
    per_row = classes.shape[1]
    return pa.FixedSizeListArray.from_arrays(texts, per_row)
