from typing import Any

from pydantic import ValidationError
import pytest

from configs.errors import JobError
from configs.load import load
from configs.training import TrainingJob

EXAMPLES = ("configs/train_breast_cancer.yaml", "configs/train_digits.yaml")


def fields(**changes: Any) -> dict[str, Any]:
    return {
        "name": "t",
        "version": "1",
        "data": {"dataset": "digits", "key": "id", "label": "digit", "labels": ["0", "1"]},
        "preprocess": [{"step": "stack", "columns": ["a"], "into": "x"}],
        "network": {"builder": "mlp", "parameters": {}, "inputs": ["x"], "activation": "sigmoid"},
        "output": "out",
        **changes,
    }


@pytest.mark.parametrize("path", EXAMPLES)
def test_examples_open_with_the_command_that_runs_them(path: str) -> None:
    with open(path) as file:
        assert file.readline().startswith(f"# python -m pipelines.train --config {path}")
    job = load(TrainingJob, path)
    assert all(not step.is_fitted for step in job.preprocess if step.step == "standardise")


def test_a_job_is_frozen() -> None:
    job = TrainingJob.model_validate(fields())
    with pytest.raises(ValidationError):
        job.name = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"split": {"validation": 0.5, "test": 0.5}}, "validation \\+ test must be < 1, got 1"),
        ({"data": {**fields()["data"], "labels": ["0", "0"]}}, "labels holds '0' twice"),
        ({"data": {**fields()["data"], "labels": ["0"]}}, "at least 2"),
        ({"data": {**fields()["data"], "features": ["digit"]}}, "features must not hold 'digit'"),
        ({"data": {**fields()["data"], "features": ["a"], "fill": {"b": 0.0}}}, "fill names 'b'"),
        ({"training": {"learning_rate": 0}}, "greater than 0"),
        ({"training": {"optimiser": "adagrad"}}, "'sgd', 'momentum' or 'adam'"),
        ({"training": {"seed": -1}}, "greater than or equal to 0"),
        ({"network": {**fields()["network"], "activation": "none"}}, "'sigmoid' or 'softmax'"),
        ({"name": "../up"}, "should match pattern"),
        ({"shards": 0}, "greater than or equal to 1"),
    ],
)
def test_what_makes_no_sense_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TrainingJob.model_validate(fields(**changes))


def test_an_override_and_an_unknown_key() -> None:
    job = load(TrainingJob, EXAMPLES[1], [("training.seed", "7"), ("data.missing", "error")])
    assert (job.training.seed, job.data.missing) == (7, "error")
    with pytest.raises(JobError, match=r"training\.patients: unknown key; did you mean patience"):
        load(TrainingJob, EXAMPLES[1], [("training.patients", "3")])
