"""A score column that would be called like the key is refused before there is a job that would be."""

from typing import Any

import numpy as np
import pytest

from configs.errors import JobError
from configs.packaging import PackagingJob
from model_zoo.steps.table import AnyStep
from pipelines.packing.asking.score_names import refuse_name_of_key

ONE, WIDE = np.zeros(2), np.zeros((2, 3))


def refuse(key: str, output: np.ndarray, **fields: Any) -> None:
    job = PackagingJob[AnyStep].model_validate({"key": key, **fields})
    refuse_name_of_key(job, {"output": output})


@pytest.mark.parametrize(
    ("key", "output", "fields", "fix"),
    [
        ("output", ONE, {"activation": "none"}, "another name in forward"),
        ("class", ONE, {"activation": "sigmoid"}, "another name in the sample"),
        ("label", WIDE, {"activation": "softmax", "labels": ["a", "b", "c"]}, "in the sample"),
        ("probabilities", WIDE, {"activation": "sigmoid"}, "in the sample"),
        ("tokens", np.zeros((2, 4, 3)), {"activation": "softmax"}, "in the sample"),
        (
            "b",
            WIDE,
            {"activation": "none", "task": "regression", "labels": ["a", "b", "c"]},
            "another name in labels",
        ),
    ],
)
def test_a_name_that_is_written_is_no_key(
    key: str, output: np.ndarray, fields: dict[str, Any], fix: str
) -> None:
    with pytest.raises(JobError, match=f"have a column '{key}', too.*{fix}"):
        refuse(key, output, **fields)


@pytest.mark.parametrize(
    ("key", "output", "fields"),
    [
        ("output", ONE, {"activation": "sigmoid"}),
        ("label", ONE, {"activation": "sigmoid"}),
        ("top_labels", WIDE, {"activation": "softmax"}),
        ("probability", WIDE, {"activation": "sigmoid"}),
        ("a", WIDE, {"activation": "softmax", "labels": ["a", "b", "c"]}),
    ],
)
def test_what_is_not_written_unasked_hinders_no_key(
    key: str, output: np.ndarray, fields: dict[str, Any]
) -> None:
    refuse(key, output, **fields)
