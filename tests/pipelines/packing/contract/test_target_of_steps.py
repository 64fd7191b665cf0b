"""What a sample's label is to a step that is fitted to it: a class or a number, by the job's word or else by its type."""

from typing import Any

import pyarrow as pa
import pytest

from configs.errors import InputError, JobError
from configs.packaging import PackagingJob
from model_zoo.steps.table import AnyStep
from pipelines.packing.contract.target import find_target

ROWS = 30
SELECT = {"step": "select", "columns": ["a"], "into": "x", "k": 1}
L1 = {**SELECT, "method": "l1"}


def find(labels: Any, step: dict[str, Any] = L1, **fields: Any) -> Any:
    job = PackagingJob[AnyStep].model_validate(
        {
            "network": "m:Net",
            "weights": "w",
            "sample": "s",
            "output": "o",
            "label": "y",
            "preprocess": [step],
            **fields,
        }
    )
    return find_target(job, pa.table({"a": range(len(labels)), "y": labels}))


@pytest.mark.parametrize(
    "step",
    [
        {**SELECT, "method": "variance"},
        {**L1, "kept": [[0]]},
        {"step": "standardise", "columns": ["a"]},
    ],
)
def test_no_step_needs_it(step: dict[str, Any]) -> None:
    assert find([1.0, 2.0], step) is None


def test_a_job_names_none() -> None:
    assert find([1.0, 2.0], label=None) is None


WHOLE = list(range(20)) + [0] * 10
MANY = list(range(21)) + [0] * 9


@pytest.mark.parametrize(
    ("label", "task", "found"),
    [
        ([0.5] * ROWS, None, "regression"),
        ([0.5] * ROWS, "classification", "classification"),
        (WHOLE, None, "classification"),
        (WHOLE, "regression", "regression"),
        (MANY, "regression", "regression"),
        (MANY, "classification", "classification"),
        (["a", "b"] * 15, None, "classification"),
        ([str(number) for number in range(ROWS)], None, "classification"),
        ([True, False] * 15, None, "classification"),
    ],
)
def test_the_jobs_word_comes_before_the_type(label: list[Any], task: Any, found: str) -> None:
    target = find(label, task=task)
    assert target.task == found
    assert len(target.values) == ROWS
    if found == "regression":
        assert target.values.tolist() == label
    else:
        # The same class where there is the same label.
        assert len(set(zip(target.values.tolist(), label, strict=True))) == len(set(label))


@pytest.mark.parametrize(
    ("label", "task", "told"),
    [
        (MANY, None, "may be classes or quantities"),
        (["a"] * ROWS, "regression", "holds no numbers, and task is regression"),
        ([True] * ROWS, "regression", "holds no numbers"),
        ([[1]] * ROWS, None, "is no one class or number a row"),
        ([1.0] * ROWS, "ranking", "is no one class or number a row"),
    ],
)
def test_what_is_no_target_is_refused(label: list[Any], task: Any, told: str) -> None:
    with pytest.raises(JobError, match=told):
        find(label, task=task)


def test_rows_without_a_label_are_told() -> None:
    with pytest.raises(InputError, match="2 rows have no 'y'"):
        find([None, 1.0, None])
