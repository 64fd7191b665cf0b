"""Fitted steps in words."""

from typing import Any

import pytest

from model_zoo.steps.table import STEPS
from pipelines.training.described_steps import describe_step

SELECT = {"step": "select", "columns": ["age", "plan"], "into": "x", "method": "l1"}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"step": "fill", "columns": ["a", "b"], "values": ["secret", 7]}, "fill a, b"),
        ({"step": "pad", "column": "a", "shape": [4], "into": "x"}, "pad a"),
        ({"step": "function", "function": "mine:f"}, "function"),
        ({**SELECT, "kept": [[0], []]}, "select by l1 keeps 1 numbers: age"),
        ({**SELECT, "kept": [[], [1, 4]]}, "select by l1 keeps 2 numbers: plan[1], plan[4]"),
        (
            {"step": "pca", "columns": ["a", "b"], "into": "x", "mean": [1, 2], "axes": [[3, 4]]},
            "pca makes 1 components of 2 numbers: a, b",
        ),
    ],
)
def test_a_step_tells_what_it_takes_and_no_value(fields: dict[str, Any], words: str) -> None:
    (step,) = STEPS.validate_python([fields])
    assert describe_step(step) == words
