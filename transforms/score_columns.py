"""Raw network outputs -> score columns, of which a job chooses:

sigmoid, one logit a row      probability (of the second label), class (0 or 1), label, probabilities
                              (of both), top_labels, top_classes, top_probabilities
sigmoid, a logit for a label  labels and classes (those from their threshold on), probabilities (of
                              all), top_* (the most probable `top_k`, whatever the threshold)
softmax                       probability (of the best class), class, label, probabilities (of all),
                              top_* (the best `top_k`, best first)
softmax of tokens             tokens (label, place in the text and probability of each), spans (the
                              same of neighbours joined by their B- and I- tags)
none, numbers with names      each number by its name
any                           the raw network outputs, by their own names

What is given for each token is written as lists of a row's own number of tokens.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TypeAlias

import numpy as np
from pyarrow import Array

from configs.errors import JobError
from configs.suggest import nearest
from model_zoo.arrays import Arrays
from model_zoo.tensor_columns import to_nested_column
from transforms.scores.classes import list_sigmoid_makers, list_softmax_makers
from transforms.scores.label_sets import list_label_set_makers
from transforms.scores.makers import Makers
from transforms.scores.numbers import list_number_makers
from transforms.scores.options import ScoreColumns
from transforms.scores.tokens import Places, list_token_makers, to_ragged_column

# Of one row of an output.
RowShape: TypeAlias = Sequence[int]
# Rows, tokens, and what there is for each token.
_TOKEN_DIMENSIONS = 3
_ONE_LOGIT = ((), (1,))


def score_columns(
    outputs: Arrays,
    how: ScoreColumns,
    wanted: Sequence[str],
    places: Places | None = None,
) -> dict[str, Array]:
    """Return the wanted score columns, by their old names.

    Args:
        outputs: raw network outputs (rows, ...); with an activation there is exactly one, of logits:
            (rows,) or (rows, 1) for sigmoid, (rows, labels) for sigmoid over labels, (rows, classes)
            for softmax, (rows, tokens, classes) for softmax of tokens.
        how: activation, labels and options.
        wanted: old names, in the order of the result.
        places: of the rows' tokens, where they have any.

    Raises:
        JobError: a wanted column is not one that this activation gives.
    """
    makers = _list_makers(outputs, how, places)
    unknown = [name for name in wanted if name not in makers]
    if unknown:
        first = min(unknown)
        raise JobError(
            f"postprocess names score column {first!r}; "
            f"with activation {how.activation} there are {sorted(makers)}"
        )
    columns = {}
    # Only now: of all that there is, most is asked for by nobody.
    for name in wanted:
        make = makers[name]
        columns[name] = make()
    return columns


def list_score_columns(
    outputs: Arrays,
    how: ScoreColumns,
    places: Places | None = None,
) -> list[str]:
    """Return the names of all score columns that there are.

    Args:
        outputs, places: as for `score_columns`.
        how: activation, labels and options.
    """
    return list(_list_makers(outputs, how, places))


def list_default_columns(
    how: ScoreColumns,
    shapes: Mapping[str, RowShape],
) -> tuple[str, ...]:
    """Return the names of the score columns that are written where nobody chooses some.

    Args:
        how: activation, labels and options.
        shapes: of a row of each output, by its name.
    """
    activation = how.activation
    if activation == "none":
        return how.numbers or tuple(shapes)
    # Only a single one has an activation.
    row_shape, *_ = shapes.values()
    if is_of_tokens(activation, row_shape):
        return ("tokens",)
    # A name says more than a number, where there are names.
    has_names = bool(how.labels)
    if is_of_label_sets(activation, row_shape):
        found = "labels" if has_names else "classes"
        kept = (found, "probabilities")
    else:
        best = "label" if has_names else "class"
        kept = ("probability", best)
    if how.top_k == 1:
        return kept
    return (*kept, "top_labels", "top_probabilities")


def is_of_label_sets(activation: str, row_shape: RowShape) -> bool:
    """Tell whether an output is a logit for each label, of which a row may have any number.

    Args:
        activation: what makes probabilities of it.
        row_shape: of one row of the output.
    """
    if activation != "sigmoid" or len(row_shape) != 1:
        return False
    # A single logit is about the second of two classes.
    (logits,) = row_shape
    return logits > 1


def is_of_tokens(activation: str, row_shape: RowShape) -> bool:
    """Tell whether an output is a logit for each class of each token.

    Args:
        activation: what makes probabilities of it.
        row_shape: of one row of the output.
    """
    dimensions = 1 + len(row_shape)
    return activation == "softmax" and dimensions == _TOKEN_DIMENSIONS


def list_thresholds(how: ScoreColumns, labels: int) -> np.ndarray:
    """Return the threshold of each label, float64 (labels,), by its number.

    Args:
        how: the names of labels, and which thresholds they have.
        labels: how many there are.

    Raises:
        JobError: a threshold of no label.
    """
    names = how.labels
    # Without names, labels are called by their numbers.
    if not names:
        numbers = range(labels)
        names = tuple(map(str, numbers))
    by_name = how.thresholds
    for name in by_name:
        if name not in names:
            hint = nearest(name, names)
            raise JobError(
                f"postprocess.thresholds names {name!r}, which is no label of the model{hint}"
            )
    usual = how.threshold
    thresholds = [by_name.get(name, usual) for name in names]
    return np.array(thresholds)


def _list_makers(outputs: Arrays, how: ScoreColumns, places: Places | None) -> Makers:
    makers: Makers = {}
    for name, array in outputs.items():
        makers[name] = _make_raw(array, how, places)
    # After the raw outputs: a network's output of the same name gives way.
    if how.activation == "none":
        named = _list_named(outputs, how)
    else:
        named = _list_of_logits(outputs, how, places)
    makers.update(named)
    return makers


def _make_raw(
    array: np.ndarray,
    how: ScoreColumns,
    places: Places | None,
) -> partial[Array]:
    make = partial(to_nested_column, array)
    if places is None or array.ndim < _TOKEN_DIMENSIONS:
        return make
    # Its second dimension is another one than that of tokens.
    if array.shape[1] != how.tokens:
        return make
    return partial(to_ragged_column, array, places.lengths)


def _list_named(outputs: Arrays, how: ScoreColumns) -> Makers:
    if not how.numbers:
        return {}
    if len(outputs) != 1:
        raise JobError(
            f"labels names the numbers of a model with one output, not of {sorted(outputs)}"
        )
    (numbers,) = outputs.values()
    return list_number_makers(numbers, how.numbers)


def _list_of_logits(
    outputs: Arrays,
    how: ScoreColumns,
    places: Places | None,
) -> Makers:
    activation = how.activation
    if len(outputs) != 1:
        raise JobError(
            f"postprocess.activation {activation} needs a model with one output, "
            f"not {sorted(outputs)}; use none"
        )
    (logits,) = outputs.values()
    row_shape = logits.shape[1:]
    labels = how.labels
    top_k = how.top_k
    if is_of_label_sets(activation, row_shape):
        (count,) = row_shape
        thresholds = list_thresholds(how, count)
        return list_label_set_makers(logits, labels, thresholds, top_k)
    _refuse_thresholds(how)
    if is_of_tokens(activation, row_shape) and row_shape[0] == how.tokens:
        places = places or _no_places()
        return list_token_makers(logits, labels, places)
    is_one = row_shape in _ONE_LOGIT
    if activation == "sigmoid" and is_one:
        return list_sigmoid_makers(logits, labels, how.threshold, top_k)
    has_classes = len(row_shape) == 1 and not is_one
    if activation == "softmax" and has_classes:
        return list_softmax_makers(logits, labels, top_k)
    raise JobError(
        f"postprocess.activation {activation} does not fit a model output "
        f"of shape (rows, {row_shape})"
    )


def _no_places() -> Places:
    lengths = np.zeros(0, np.int64)
    return Places(lengths)


def _refuse_thresholds(how: ScoreColumns) -> None:
    if how.thresholds:
        raise JobError(
            "postprocess.thresholds is for a sigmoid over several labels; "
            "postprocess.threshold is that of a single one"
        )
