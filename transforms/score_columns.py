"""Raw network outputs -> score columns, of which a job chooses:

sigmoid   probability (of the second label), class (0 or 1), label
softmax   probability (of the best class), class, label, probabilities (all classes),
          top_labels, top_classes, top_probabilities (the best `top_k`, best first)
any       the raw network outputs, by their own names
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pyarrow as pa

from configs.errors import JobError
from model_zoo.activations import sigmoid, softmax
from model_zoo.arrays import Arrays
from model_zoo.tensor_columns import to_column

# By name, what makes a column when it is asked for; a job wants few of those that there are.
Makers = dict[str, Callable[[], pa.Array]]


@dataclass(frozen=True)
class ScoreColumns:
    """How score columns are made.

    Attributes:
        activation: `sigmoid`, `softmax` or `none`.
        labels: class names by class number, or none.
        threshold: sigmoid: from this probability on, the class is 1.
        top_k: softmax: how many of the best classes `top_*` hold.
        rename: new names of score columns, by old name.
        dtypes: Arrow types of score columns, by new name, where the natural one is not wanted.
        constants: text columns of one value for every row (model name, version, digest).
    """

    activation: str
    labels: tuple[str, ...] = ()
    threshold: float = 0.5
    top_k: int = 1
    rename: Mapping[str, str] = field(default_factory=dict)
    dtypes: Mapping[str, pa.DataType] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)


def score_columns(
    outputs: Arrays,
    how: ScoreColumns,
    wanted: Sequence[str],
) -> dict[str, pa.Array]:
    """Return the wanted score columns, by their old names.

    Args:
        outputs: raw network outputs (rows, ...); with an activation there is exactly one, of logits:
            (rows,) or (rows, 1) for sigmoid, (rows, classes) for softmax.
        how: activation, labels and options.
        wanted: old names, in the order of the result.

    Raises:
        JobError: a wanted column is not one that this activation gives.
    """
    makers = _list_makers(outputs, how)
    unknown = set(wanted).difference(makers)
    if unknown:
        first = min(unknown)
        raise JobError(
            f"postprocess names score column {first!r}; "
            f"with activation {how.activation} there are {sorted(makers)}"
        )
    return {name: makers[name]() for name in wanted}


def list_score_columns(outputs: Arrays, how: ScoreColumns) -> list[str]:
    """Return the names of all score columns that there are.

    Args:
        outputs: as for `score_columns`.
        how: activation, labels and options.
    """
    return list(_list_makers(outputs, how))


def _list_makers(outputs: Arrays, how: ScoreColumns) -> Makers:
    makers: Makers = {}
    for name, array in outputs.items():
        makers[name] = partial(to_column, array)
    # After the raw outputs: a network's output of the same name gives way.
    if how.activation == "sigmoid":
        makers.update(_list_sigmoid_makers(outputs, how))
    if how.activation == "softmax":
        makers.update(_list_softmax_makers(outputs, how))
    return makers


def _list_sigmoid_makers(outputs: Arrays, how: ScoreColumns) -> Makers:
    logits = _get_logits(outputs, "sigmoid")
    # (rows, 1) becomes (rows,).
    flat_logits = logits.reshape(len(logits))
    probability = sigmoid(flat_logits)
    is_second = probability >= how.threshold
    classes = is_second.astype(np.int32)
    return {
        "probability": partial(pa.array, probability),
        "class": partial(pa.array, classes),
        "label": partial(_to_labels, classes, how.labels),
    }


def _list_softmax_makers(outputs: Arrays, how: ScoreColumns) -> Makers:
    logits = _get_logits(outputs, "softmax")
    probabilities = softmax(logits)
    classes = probabilities.shape[1]
    if how.top_k > classes:
        raise JobError(f"postprocess.top_k is {how.top_k}, but the model has {classes} classes")
    # Stable, so that of equally probable classes the first one comes first, on every machine.
    negated = -probabilities
    order = np.argsort(negated, axis=1, kind="stable")
    best_first = order[:, : how.top_k]
    top_classes = best_first.astype(np.int32)
    top_probabilities = np.take_along_axis(probabilities, top_classes, axis=1)
    best_class = top_classes[:, 0]
    best_probability = top_probabilities[:, 0]
    return {
        "probability": partial(to_column, best_probability),
        "class": partial(pa.array, best_class),
        "label": partial(_to_labels, best_class, how.labels),
        "probabilities": partial(to_column, probabilities),
        "top_classes": partial(to_column, top_classes),
        "top_labels": partial(_to_label_lists, top_classes, how.labels),
        "top_probabilities": partial(to_column, top_probabilities),
    }


def _get_logits(outputs: Arrays, activation: str) -> np.ndarray:
    """Return the one output that an activation is applied to.

    Raises:
        JobError: there are several, or it has another shape than the activation takes.
    """
    if len(outputs) != 1:
        raise JobError(
            f"postprocess.activation {activation} needs a model with one output, "
            f"not {sorted(outputs)}; use none"
        )
    logits = next(iter(outputs.values()))
    dimensions = logits.ndim
    has_classes = dimensions == 2 and logits.shape[1] > 1
    needs_classes = activation == "softmax"
    if has_classes != needs_classes or dimensions > 2:
        raise JobError(
            f"postprocess.activation {activation} does not fit a model output "
            f"of shape (rows, {logits.shape[1:]})"
        )
    return logits


def _to_labels(classes: np.ndarray, labels: tuple[str, ...]) -> pa.Array:
    """Return the label of each class number; without labels the number itself as text."""
    numbers = pa.array(classes)
    if not labels:
        return numbers.cast(pa.string())
    text = pa.string()
    names = pa.array(labels, type=text)
    return names.take(numbers)


def _to_label_lists(classes: np.ndarray, labels: tuple[str, ...]) -> pa.Array:
    """Return the labels of several classes of each row.

    Args:
        classes: int32 (rows, k), class numbers.
        labels: class names by class number, or none.
    """
    numbers_per_row = classes.shape[1]
    flat_classes = classes.reshape(-1)
    flat = _to_labels(flat_classes, labels)
    return pa.FixedSizeListArray.from_arrays(flat, numbers_per_row)
