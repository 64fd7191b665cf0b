"""What LightGBM makes of the sums of leaves, and which of the sample's columns its features are; `test_tree_models.py` packs files."""

from typing import Any

import numpy as np
import pytest

lightgbm = pytest.importorskip("lightgbm")
pytest.importorskip("onnx")

from pipelines.packing.converters import lightgbm_trees  # noqa: E402
from pipelines.packing.converters.lightgbm_trees import _find_columns  # noqa: E402

ROWS = 200
X = np.random.default_rng(0).normal(size=(ROWS, 2))
POSITIVE = ("gamma", "tweedie")
OF_RANKS = ("lambdarank", "rank_xendcg")


def train(objective: str) -> Any:
    """Train on a few rows whose targets suit the objective."""
    is_high = X[:, 0] > 0
    y = is_high + 1.0 if objective in POSITIVE else is_high * 1.0
    given: dict[str, Any] = {"objective": objective, "num_leaves": 4, "num_threads": 1}
    if objective == "multiclass":
        y = y + (X[:, 1] > 1)
        given["num_class"] = 3
    group = [20] * 10 if objective in OF_RANKS else None
    rows = lightgbm.Dataset(X, y, group=group, params={"verbose": -1})
    return lightgbm.train({**given, "verbose": -1}, rows, 2)


@pytest.mark.parametrize("objective", lightgbm_trees._OBJECTIVES)
def test_what_makes_scores_of_sums_is_what_lightgbm_does(objective: str) -> None:
    booster = train(objective)
    raw = booster.predict(X, raw_score=True)
    activation, is_log = lightgbm_trees._OBJECTIVES[objective]
    made = np.exp(raw) if is_log else raw
    if activation == "sigmoid":
        made = 1 / (1 + np.exp(-raw))
    if activation == "softmax":
        made = np.exp(raw) / np.exp(raw).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(booster.predict(X), made, rtol=1e-9)


@pytest.mark.parametrize(
    ("names", "columns", "found"),
    [
        (["a", "b"], ["b", "a"], ["a", "b"]),
        (["a_b"], ["a b", "c"], ["a b"]),
        # What is called so is meant, and of two that could be nobody knows which.
        (["a_b"], ["a b", "a_b"], ["a_b"]),
        (["a_b_c"], ["a b_c", "a_b c"], ["a_b_c"]),
        (["other"], ["a"], ["other"]),
    ],
)
def test_blanks_are_underscores_to_lightgbm(
    names: list[str], columns: list[str], found: list[str]
) -> None:
    assert _find_columns(names, columns) == found
