"""Outputs of a network as scores, and the figures of a part, against scikit-learn."""

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, mean_absolute_error

from configs.errors import InputError
from pipelines.training.figures import Scored, measure, predict_classes, score_part

LOGITS = np.array([[0.0], [2.0], [-1.0]], np.float32)


@pytest.mark.parametrize(
    ("activation", "expected"),
    [("sigmoid", 1 / (1 + np.exp(-LOGITS.astype(np.float64)))), ("none", LOGITS)],
)
def test_one_number_a_row_is_one_number(activation: str, expected: np.ndarray) -> None:
    scored = score_part(np.zeros(3), LOGITS, activation)
    assert scored.scores.dtype == np.float64
    np.testing.assert_allclose(scored.scores, expected[:, 0])
    # Where the truth has that axis too, it stays; and so do several numbers.
    assert score_part(np.zeros((3, 1)), LOGITS, activation).scores.shape == (3, 1)
    wide = np.zeros((3, 2), np.float32)
    assert score_part(np.zeros(3), wide, activation).scores.shape == (3, 2)
    assert score_part(np.zeros(3), LOGITS[:, 0], activation).scores.shape == (3,)


def test_softmax_adds_up_to_1() -> None:
    outputs = np.array([[1.0, 2.0, 3.0]], np.float32)
    scored = score_part(np.zeros(1), outputs, "softmax")
    expected = np.exp([1, 2, 3]) / np.exp([1, 2, 3]).sum()
    np.testing.assert_allclose(scored.scores, [expected], rtol=1e-6)


@pytest.mark.parametrize(
    ("scores", "numbers"),
    [
        (np.array([0.4999, 0.5, 0.6]), [0, 1, 1]),
        (np.array([[0.5, 0.5, 0.0], [0.1, 0.2, 0.7]]), [0, 2]),
    ],
)
def test_a_class_is_predicted_as_scoring_does(scores: np.ndarray, numbers: list[int]) -> None:
    assert predict_classes(scores).tolist() == numbers


def test_figures_of_each_task() -> None:
    truth = np.array([0.0, 1.0, 1.0, 0.0])
    scores = np.array([0.2, 0.9, 0.5, 0.6])
    classes: Any = measure("classification", ["no", "yes"], Scored(truth, scores))
    assert classes.accuracy == accuracy_score(truth, scores >= 0.5)

    flags = np.array([[1, 0], [1, 1], [0, 1]])
    probabilities = np.array([[0.5, 0.4], [0.3, 0.7], [0.6, 0.9]])
    sets: Any = measure("multi_label", ["a", "b"], Scored(flags, probabilities))
    predicted = probabilities >= 0.5
    expected = f1_score(flags, predicted, average="micro")
    assert sets.as_dict()["micro_f1"] == pytest.approx(expected)

    numbers: Any = measure("regression", ["x"], Scored(truth, scores))
    assert numbers.as_dict()["mean_absolute_error"] == pytest.approx(
        mean_absolute_error(truth, scores)
    )
    both = Scored(np.stack([truth, truth], 1), np.stack([scores, truth], 1))
    several: Any = measure("regression", ["x", "y"], both)
    assert type(several) is not type(numbers)


@pytest.mark.parametrize("task", ["classification", "multi_label"])
def test_scores_that_are_none_are_counted(task: Any) -> None:
    scores = np.array([[0.1, 0.9], [np.nan, 0.5], [0.2, np.inf]])
    truth = np.zeros(3) if task == "classification" else np.zeros((3, 2))
    with pytest.raises(InputError, match="gives 2 of 3 rows a score that is NaN or infinite"):
        measure(task, ["a", "b"], Scored(truth, scores))
