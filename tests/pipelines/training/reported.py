"""Reports of made-up trainings, whose figures scikit-learn is asked for by itself."""

from typing import Any

import numpy as np

from model_zoo.training.epoch import Epoch
from pipelines.training.figures import Scored, Task
from pipelines.training.report import Report, ReportedColumn

ROWS = 400
EPOCHS = tuple(
    Epoch(number, 1 / number, 0.2 + abs(number - 7) / 50, number <= 7, 0.001, 0.5)
    for number in range(1, 13)
)


def score_two(rows: int = ROWS, seed: int = 0) -> Scored:
    random = np.random.default_rng(seed)
    truth = random.integers(0, 2, rows)
    noisy = truth + random.normal(0, 0.7, rows)
    return Scored(truth, 1 / (1 + np.exp(-4 * (noisy - 0.5))))


def score_classes(classes: int, rows: int = ROWS, seed: int = 0) -> Scored:
    random = np.random.default_rng(seed)
    truth = random.integers(0, classes, rows)
    scores = random.dirichlet(np.ones(classes), rows)
    scores[np.arange(rows), truth] += random.random(rows)
    return Scored(truth, scores / scores.sum(axis=1, keepdims=True))


def score_labels(labels: int, rows: int = ROWS, seed: int = 0) -> Scored:
    random = np.random.default_rng(seed)
    shape = (rows, labels)
    truth = (random.random(shape) < 0.3).astype(np.float32)
    return Scored(truth, np.clip(truth * 0.3 + random.random(shape) * 0.7, 0, 1))


def score_numbers(numbers: int | None = None, rows: int = ROWS, seed: int = 0) -> Scored:
    random = np.random.default_rng(seed)
    shape = (rows,) if numbers is None else (rows, numbers)
    truth = random.normal(10, 3, shape)
    return Scored(truth, truth + random.normal(0.5, 1, shape))


def report(task: Task, labels: tuple[str, ...], scored: Any, **fields: Any) -> Report:
    if isinstance(scored, Scored):
        scored = {"validation": scored, "test": scored}
    given: dict[str, Any] = {
        "name": "churn",
        "version": "2",
        "package": "models/churn/2",
        "digest": "ab" * 32,
        "job": "name: churn\n",
        "network": "mlp (hidden [64, 32])",
        "weights": 4033,
        "recipe": {"optimiser": "adam", "learning rate": "0.001"},
        "columns": (
            ReportedColumn("age", "int64", "feature", "reject"),
            ReportedColumn("churned", "string", "label"),
        ),
        "parts": {"training": 1200, "validation": 400, "test": 400},
        "epochs": EPOCHS,
        **fields,
    }
    return Report(task=task, labels=labels, scored=scored, **given)
