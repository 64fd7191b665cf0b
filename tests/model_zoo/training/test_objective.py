"""Each loss by its formula, in numpy."""

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight
import torch

from configs.errors import ModelError
from model_zoo.training.objective import Activation, Objective, Task, balance, balance_labels

RANDOM = np.random.default_rng(0)
LOGITS = RANDOM.standard_normal((7, 3))


def loss(objective: Objective, output: np.ndarray, targets: np.ndarray) -> float:
    return float(objective.compute(torch.from_numpy(output), torch.from_numpy(targets)))


def cross_entropies(logits: np.ndarray, classes: np.ndarray) -> np.ndarray:
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return -np.log(probabilities[np.arange(len(classes)), classes])


def binary(logits: np.ndarray, targets: np.ndarray) -> np.ndarray:
    probabilities = 1 / (1 + np.exp(-logits))
    return -(targets * np.log(probabilities) + (1 - targets) * np.log(1 - probabilities))


@pytest.mark.parametrize("weights", [(), (0.5, 2.0, 3.0)])
def test_classes(weights: tuple[float, ...]) -> None:
    classes = RANDOM.integers(0, 3, 7)
    of_rows = np.asarray(weights)[classes] if weights else np.ones(7)
    expected = (cross_entropies(LOGITS, classes) * of_rows).sum() / of_rows.sum()
    objective = Objective("classification", "softmax", weights)
    assert loss(objective, LOGITS, classes) == pytest.approx(expected)
    assert objective.weigh(classes) == pytest.approx(of_rows.sum())


@pytest.mark.parametrize("weights", [(), (0.5, 2.0)])
@pytest.mark.parametrize("dtype", [np.int64, np.float32])
@pytest.mark.parametrize("shape", [(7,), (7, 1)])
def test_two_classes(weights: tuple[float, ...], dtype: type, shape: tuple[int, ...]) -> None:
    targets = np.array([0, 1, 1, 0, 0, 0, 1])
    of_rows = np.asarray(weights)[targets] if weights else np.ones(7)
    expected = (binary(LOGITS[:, 0], targets) * of_rows).sum() / of_rows.sum()
    objective = Objective("classification", "sigmoid", weights)
    found = loss(objective, LOGITS[:, 0].reshape(shape), targets.astype(dtype))
    assert found == pytest.approx(expected)
    assert objective.weigh(targets.astype(dtype)) == pytest.approx(of_rows.sum())


@pytest.mark.parametrize("weights", [(), (0.5, 2.0, 3.0)])
def test_label_sets(weights: tuple[float, ...]) -> None:
    targets = RANDOM.integers(0, 2, (7, 3))
    having = np.where(targets == 1, weights or (1.0, 1.0, 1.0), 1.0)
    expected = (binary(LOGITS, targets) * having).mean()
    objective = Objective("multi_label", "sigmoid", weights)
    assert loss(objective, LOGITS, targets.astype(np.float32)) == pytest.approx(expected)
    assert objective.weigh(targets) == 7


def test_regressions() -> None:
    targets = np.zeros((7, 3), np.float32)
    errors = np.abs(LOGITS)
    assert errors.max() > 1 > errors.min()
    huber = np.where(errors < 1, errors**2 / 2, errors - 0.5)
    expected = {"squared": (errors**2).mean(), "absolute": errors.mean(), "huber": huber.mean()}
    for name, value in expected.items():
        objective = Objective("regression", "none", loss=name)  # type: ignore[arg-type]
        assert loss(objective, LOGITS, targets) == pytest.approx(value)


def test_losses_of_16_bits_are_summed_in_32() -> None:
    output = torch.full((4096,), 0.1, dtype=torch.bfloat16)
    found = Objective("regression", "none", loss="absolute").compute(output, torch.zeros(4096))
    assert found.dtype == torch.float32
    assert float(found) == pytest.approx(float(output[0]))


def test_balanced_weights_are_scikit_learns() -> None:
    classes = np.array([0, 2, 2, 1, 2, 2, 2])
    expected = compute_class_weight("balanced", classes=np.arange(3), y=classes)
    assert balance(classes, 3) == pytest.approx(expected)
    assert balance(classes.astype(np.float32), 3) == pytest.approx(expected)


def test_with_balanced_labels_having_one_counts_as_much_as_not_having_it() -> None:
    targets = np.array([[1, 0], [0, 0], [0, 1], [0, 1], [0, 1]])
    weights = np.asarray(balance_labels(targets))
    np.testing.assert_allclose((targets * weights).sum(axis=0), (1 - targets).sum(axis=0))


@pytest.mark.parametrize(
    ("task", "activation", "output", "targets", "classes", "message"),
    [
        ("classification", "softmax", (2, 4), (9,), 3, "gives 4 numbers a row.* 3 classes"),
        ("classification", "softmax", (2, 2), (9,), None, "gives 2 numbers a row.* 3 classes"),
        ("classification", "softmax", (2,), (9,), 3, "gives one number a row.* 3 classes"),
        ("classification", "softmax", (2, 5, 3), (9,), 3, r"gives numbers of shape \(5, 3\) a row"),
        ("classification", "sigmoid", (2, 2), (9,), None, "gives 2 numbers a row.*has one number"),
        ("multi_label", "sigmoid", (2, 2), (9, 3), None, "gives 2 numbers a row.*has 3 numbers"),
        ("multi_label", "sigmoid", (2,), (9, 3), None, "gives one number a row.*has 3 numbers"),
        ("regression", "none", (2, 3), (9,), None, "gives 3 numbers a row.*has one number"),
    ],
)
def test_outputs_that_do_not_suit_are_refused(
    task: Task,
    activation: Activation,
    output: tuple[int, ...],
    targets: tuple[int, ...],
    classes: int | None,
    message: str,
) -> None:
    objective = Objective(task, activation, classes=classes)
    numbers = np.full(targets, 2)
    with pytest.raises(ModelError, match=f"the network {message}"):
        objective.check(torch.zeros(output), numbers)


def test_outputs_that_suit_are_taken() -> None:
    numbers = np.array([0, 2])
    Objective("classification", "softmax", classes=3).check(torch.zeros(2, 3), numbers)
    # The last class may be of no training row.
    Objective("classification", "softmax").check(torch.zeros(2, 4), numbers)
    Objective("regression", "none").check(torch.zeros(2, 1), numbers)
    Objective("multi_label", "sigmoid").check(torch.zeros(2, 1), numbers[:, None])


def test_whole_numbers_cannot_be_learned() -> None:
    with pytest.raises(ModelError, match=r"output is torch.int64, and a loss needs fractions"):
        Objective("regression", "none").check(torch.zeros(2, dtype=torch.int64), np.zeros(2))
