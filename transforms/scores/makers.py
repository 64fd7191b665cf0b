"""What score columns of every kind are made with: columns by name that are made when they are asked for."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from configs.errors import JobError
from model_zoo.tensor_columns import to_column

# By name, what makes a column when it is asked for; a job wants few of those that there are.
Makers: TypeAlias = dict[str, Callable[[], pa.Array]]


def to_labels(classes: np.ndarray, labels: tuple[str, ...]) -> pa.Array:
    """Return the label of each class number; without labels the number itself as text.

    Args:
        classes: int32 (rows,).
        labels: class names by class number, or none.
    """
    numbers = pa.array(classes)
    if not labels:
        return numbers.cast(pa.string())
    names = pa.array(labels, type=pa.string())
    return names.take(numbers)


def to_lists(values: pa.Array, counts: np.ndarray) -> pa.Array:
    """Return values that stand one after the other as a list for each row.

    Args:
        values: of all rows.
        counts: (rows,), how many of them each row has.
    """
    ends = np.cumsum(counts)
    offsets = np.concatenate(([0], ends)).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), values)


def list_best_makers(
    probabilities: np.ndarray,
    labels: tuple[str, ...],
    top_k: int,
) -> Makers:
    """Return `top_classes`, `top_labels` and `top_probabilities`, the best first.

    Args:
        probabilities: (rows, classes).
        labels: class names by class number, or none.
        top_k: how many of the best classes.
    """
    # Three columns of one order, which is found once, and only if one of them is wanted.
    found: list[np.ndarray] = []

    def find() -> np.ndarray:
        if not found:
            found.append(find_best(probabilities, top_k))
        return found[0]

    return {
        "top_classes": lambda: to_column(find()),
        "top_labels": lambda: _to_label_lists(find(), labels),
        "top_probabilities": lambda: to_column(take_classes(probabilities, find())),
    }


def find_best(probabilities: np.ndarray, top_k: int) -> np.ndarray:
    """Return the numbers of the most probable classes, int32 (rows, top_k), the best first.

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
    order = np.argsort(-probabilities, axis=1, kind="stable")
    return order[:, :top_k].astype(np.int32)


def take_classes(probabilities: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Return the probabilities (rows, k) of some classes (rows, k) of each row."""
    taken: np.ndarray = np.take_along_axis(probabilities, classes, axis=1)
    return taken


def _to_label_lists(classes: np.ndarray, labels: tuple[str, ...]) -> pa.Array:
    """Return the labels of several classes of each row, int32 (rows, k)."""
    flat = to_labels(classes.reshape(-1), labels)
    return pa.FixedSizeListArray.from_arrays(flat, classes.shape[1])
