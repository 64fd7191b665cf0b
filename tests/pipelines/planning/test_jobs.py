"""What a job leaves to its model: the activation, and the threshold of each label."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.planning.jobs import choose_threshold
from tests.pipelines.planning.cards import make_card, make_job

THREE = {
    "outputs": {"y": {"dtype": "float32", "shape": [3]}},
    "activation": "sigmoid",
    "labels": ["a", "b", "c"],
}


@pytest.mark.parametrize(
    ("postprocess", "expected"),
    [
        ({}, 0.5),
        ({"threshold": 0.7}, 0.7),
        ({"threshold": 0.7, "thresholds": {"b": 0.2}}, [0.7, 0.2, 0.7]),
        ({"labels": ["x", "y", "z"], "thresholds": {"z": 0.2}}, [0.5, 0.5, 0.2]),
        # Of other activations it decides nothing.
        ({"activation": "softmax", "thresholds": {"b": 0.2}}, 0.5),
    ],
)
def test_each_label_has_a_threshold_where_one_is_named(
    postprocess: dict[str, Any], expected: Any, tmp_path: Path
) -> None:
    found = choose_threshold(make_job(tmp_path, postprocess=postprocess), make_card(**THREE))
    np.testing.assert_array_equal(found, expected)
