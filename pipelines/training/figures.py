"""How good a trained model is on one part of the split: the figures of its task."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from configs.errors import InputError
from model_zoo.activations import sigmoid, softmax
from model_zoo.evaluation.label_sets import LabelSetFigures, compare_label_sets
from model_zoo.evaluation.metrics import Evaluation, evaluate
from model_zoo.evaluation.regression import (
    RegressionFigures,
    SeveralFigures,
    compare_numbers,
    compare_several,
)

Task: TypeAlias = Literal["classification", "multi_label", "regression"]
Names: TypeAlias = Sequence[str]
Figures: TypeAlias = Evaluation | LabelSetFigures | RegressionFigures | SeveralFigures
# A label is predicted from this probability on, as scoring does where its job says no other.
THRESHOLD = 0.5


@dataclass(frozen=True)
class Scored:
    """The rows of a part as they are, and as the model scores them; same rows, same order.

    Attributes:
        truth: class numbers (rows,); of several labels 0 and 1, (rows, labels); of regression
            numbers, (rows,) or (rows, numbers). Targets of training are floats where losses want such.
        scores: probabilities, (rows,) of the second of two labels or (rows, labels); or predicted
            numbers, of the shape of `truth`.
    """

    truth: np.ndarray
    scores: np.ndarray


def score_part(truth: np.ndarray, outputs: np.ndarray, activation: str) -> Scored:
    """Return a part as the model scores it.

    Args:
        truth: targets of training, as `Scored.truth`.
        outputs: what the network gives, float (rows, ...), before its activation.
        activation: `sigmoid`, `softmax` or `none`.
    """
    # In float64, as scikit-learn computes with them.
    scores = outputs.astype(np.float64)
    if activation == "sigmoid":
        scores = sigmoid(scores)
    if activation == "softmax":
        scores = softmax(scores)
    # One number a row, of networks that give it an axis of its own.
    is_column = scores.ndim == 2 and scores.shape[1] == 1
    if is_column and truth.ndim == 1:
        scores = scores[:, 0]
    return Scored(truth, scores)


def measure(task: Task, labels: Names, scored: Scored) -> Figures:
    """Return the figures of a part.

    Args:
        task: what the scores are.
        labels: names of classes by class number, of labels, or of a regression's numbers.
        scored: the part.

    Raises:
        InputError: there is nothing to compare, or a number is not finite.
    """
    if task != "regression":
        _refuse_odd(scored.scores)
    if task == "classification":
        return _measure_classes(labels, scored)
    if task == "multi_label":
        truth = scored.truth.astype(np.int8)
        is_predicted = scored.scores >= THRESHOLD
        predicted = is_predicted.astype(np.int8)
        return compare_label_sets(truth, predicted, labels, scored.scores)

    truth = scored.truth.astype(np.float64)
    scores = scored.scores.astype(np.float64)
    if truth.ndim == 1:
        return compare_numbers(truth, scores)
    return compare_several(truth, scores, labels)


def predict_classes(scores: np.ndarray) -> np.ndarray:
    """Return the class number that scoring gives each row, int64 (rows,).

    Args:
        scores: probabilities, (rows,) of the second of two labels or (rows, labels).
    """
    if scores.ndim == 1:
        is_second = scores >= THRESHOLD
        numbers: np.ndarray = is_second.astype(np.int64)
        return numbers
    best: np.ndarray = scores.argmax(axis=1)
    return best


def _measure_classes(labels: Names, scored: Scored) -> Evaluation:
    predicted_numbers = predict_classes(scored.scores)
    predicted = [labels[number] for number in predicted_numbers]
    # Targets of training may be floats.
    true_numbers = scored.truth.astype(np.int64)
    truth = [labels[number] for number in true_numbers]
    return evaluate(truth, predicted, labels, scored.scores)


def _refuse_odd(scores: np.ndarray) -> None:
    """Refuse scores that are none, as of a network that has learned nothing but NaN.

    Raises:
        InputError: rows have such.
    """
    by_row = scores.reshape(len(scores), -1)
    is_finite = np.isfinite(by_row)
    is_odd = ~is_finite.all(axis=1)
    odd = int(np.count_nonzero(is_odd))
    if odd:
        raise InputError(
            f"the model gives {odd:,} of {len(scores):,} rows a score that is NaN or infinite; lower "
            "training.learning_rate, or scale the features"
        )
