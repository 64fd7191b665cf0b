from typing import Any

import numpy as np
import pytest

from configs.errors import JobError
from configs.recipe import Training
from model_zoo.training.objective import Activation, Objective, Task
from model_zoo.training.recipe import Recipe
from pipelines.training.recipe import make_objective, make_recipe

CLASSES = np.array([0, 0, 0, 1])
SETS = np.array([[1, 0], [1, 1], [1, 0], [0, 1]], np.float32)


def objective(
    said: dict[str, Any],
    task: Task = "classification",
    activation: Activation = "softmax",
    targets: np.ndarray = CLASSES,
    labels: tuple[object, ...] = ("no", "yes"),
) -> Objective:
    return make_objective(Training.model_validate(said), task, activation, labels, targets)


def test_what_the_job_does_not_say_is_what_the_loop_does_by_itself() -> None:
    assert make_recipe(Training()) == Recipe()


def test_every_choice_reaches_the_loop() -> None:
    said: dict[str, Any] = {
        "optimiser": "momentum",
        "learning_rate": 0.5,
        "momentum": 0.8,
        "weight_decay": 0.1,
        "schedule": "step",
        "warm_up_epochs": 1,
        "decay": 0.2,
        "step_epochs": 3,
        "batch_rows": 7,
        "accumulate": 2,
        "clip_norm": 1.5,
        "epochs": 9,
        "patience": 4,
        "precision": "bfloat16",
        "device": "auto",
        "threads": 2,
        "train_only": ("head.*",),
        "seed": 3,
    }
    plateau = {"schedule": "plateau", "plateau_epochs": 2}
    assert make_recipe(Training.model_validate(said)) == Recipe(**said)
    assert make_recipe(Training.model_validate(plateau)) == Recipe(**plateau)


def test_class_weights_are_balanced_by_the_training_rows() -> None:
    found = objective({"class_weights": "balanced"})
    assert found.class_weights == pytest.approx((4 / 6, 2))
    assert found.classes == 2
    found = objective({"class_weights": "balanced"}, "multi_label", "sigmoid", SETS)
    assert found.class_weights == pytest.approx((1 / 3, 1))
    assert found.classes is None


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (("no", "yes"), {"yes": 5, "no": 1}),
        ((0, 1), {1: 5, 0: 1}),
        ((False, True), {True: 5, False: 1}),
        (("false", "true"), {True: 5, False: 1}),
    ],
)
def test_class_weights_are_named_by_label(labels: tuple[object, ...], said: Any) -> None:
    assert objective({"class_weights": said}, labels=labels).class_weights == (1, 5)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"yes": 1}, "there is no weight for no"),
        ({"yse": 1, "no": 1}, "'yse' is no label; did you mean yes.*; there is no weight for yes"),
    ],
)
def test_weights_of_other_labels_are_refused(said: Any, message: str) -> None:
    with pytest.raises(JobError, match=f"training.class_weights: {message}"):
        objective({"class_weights": said})


def test_a_label_that_no_row_has_cannot_be_balanced() -> None:
    with pytest.raises(JobError, match="no training row has maybe, never; say a weight for each"):
        objective({"class_weights": "balanced"}, labels=("no", "yes", "maybe", "never"))
    with pytest.raises(JobError, match="no training row has no"):
        objective({"class_weights": "balanced"}, "multi_label", "sigmoid", SETS * [0, 1])


def test_losses_of_regressions() -> None:
    numbers = np.zeros(4, np.float32)
    assert objective({"loss": "huber"}, "regression", "none", numbers).loss == "huber"
    with pytest.raises(JobError, match=r"training.loss is huber, which only a regression has"):
        objective({"loss": "huber"})
    with pytest.raises(JobError, match=r"class_weights are of classes, and this is a regression"):
        objective({"class_weights": "balanced"}, "regression", "none", numbers)
