"""What LightGBM makes of the sums of leaves, and which of the sample's columns its features are; `test_tree_models.py` packs files."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

lightgbm = pytest.importorskip("lightgbm")
pytest.importorskip("onnx")

from configs.packaging import PackagingJob  # noqa: E402
from model_zoo.steps.table import AnyStep  # noqa: E402
from pipelines.packing.converters import lightgbm_trees  # noqa: E402
from pipelines.packing.converters.converted import NoGraphError  # noqa: E402
from pipelines.packing.converters.lightgbm_trees import (  # noqa: E402
    _find_columns,
    _leave_to_lightgbm,
    _read_tree,
)
from pipelines.packing.converters.trees import Node  # noqa: E402

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


@pytest.mark.parametrize(
    ("names", "sample", "expected"),
    [
        # Names that LightGBM gives are no names: the columns are taken in the sample's order.
        (None, ["b", "a"], ("b", "a")),
        (["a", "b"], ["b", "a"], ("a", "b")),
        (["a_1", "b"], ["b", "a 1"], ("a 1", "b")),
    ],
)
def test_columns_are_those_that_the_model_names_or_those_of_the_sample(
    names: list[str] | None,
    sample: list[str],
    expected: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "trees.txt"
    rows = lightgbm.Dataset(X, X[:, 0] + X[:, 1], feature_name=names or "auto")
    given = {"objective": "regression", "num_leaves": 4, "verbose": -1, "num_threads": 1}
    booster = lightgbm.train(given, rows, 2)
    booster.save_model(path)
    # Only a broken file needs a process of its own.
    monkeypatch.setattr(lightgbm_trees, "find_file", lambda *_: path)
    job = PackagingJob[AnyStep].model_validate({"lightgbm": str(path)})
    table = pa.table(dict(zip(sample, X.T, strict=True)))
    converted = lightgbm_trees.convert(job, table)
    assert converted.columns == expected
    assert converted.activation == "none"
    found = converted.native(table, {"x": X})
    ((_, scores),) = found.items()
    np.testing.assert_array_equal(scores, booster.predict(X))


@pytest.mark.parametrize(
    ("objective", "output", "activation"),
    [("binary", "margin", "sigmoid"), ("regression", "prediction", "none")],
)
def test_sums_that_are_logits_are_called_so(objective: str, output: str, activation: str) -> None:
    made = lightgbm_trees.make_graph(train(objective), "margin", "m")
    assert (made.output, made.activation) == (output, activation)


@pytest.mark.parametrize(
    ("told", "activation", "output", "factor"),
    [
        ({"objective": "binary sigmoid:2"}, "sigmoid", "margin", 2.0),
        ({"objective": "multiclass num_class:3"}, "softmax", "margin", 1.0),
        ({"objective": "regression sqrt"}, "none", "prediction", 1.0),
        ({"objective": "of_my_own"}, "none", "prediction", 1.0),
        ({}, "none", "prediction", 1.0),
    ],
)
def test_what_is_no_graph_is_told_by_its_objective(
    told: dict[str, str], activation: str, output: str, factor: float
) -> None:
    booster = SimpleNamespace(dump_model=lambda: told)
    left = _leave_to_lightgbm(booster, NoGraphError("it has categories"))
    assert (left.graph, left.note) == (None, "no ONNX graph: it has categories")
    assert (left.activation, left.output, left.factor) == (activation, output, factor)


LEAVES = {"left_child": {"leaf_value": 1.0}, "right_child": {"leaf_value": 3.0}}


@pytest.mark.parametrize(
    ("threshold", "missing", "default_left", "goes_left"),
    [
        (0.5, "NaN", True, True),
        (0.5, "NaN", False, False),
        # Where training saw no missing value, one is taken for 0.
        (0.5, "None", False, True),
        (0.0, "None", False, True),
        (-0.5, "None", True, False),
    ],
)
def test_a_missing_value_goes_where_lightgbm_sends_it(
    threshold: float, missing: str, default_left: bool, goes_left: bool
) -> None:
    asked = {"split_feature": 2, "decision_type": "<=", "threshold": threshold}
    part = {**LEAVES, **asked, "missing_type": missing, "default_left": default_left}
    assert _read_tree(part, "w", 0.5) == Node(2, "<=", threshold, goes_left, 0.5, 1.5)


def test_a_missing_category_is_none_of_those_that_go_left() -> None:
    part = {**LEAVES, "split_feature": 1, "decision_type": "==", "threshold": "3||5"}
    assert _read_tree(part, "w", 1.0) == Node(1, "in", 0.0, False, 1.0, 3.0, members=(3, 5))


@pytest.mark.parametrize(
    ("part", "told"),
    [
        ({"leaf_value": 1.0, "leaf_coeff": []}, "its leaves are linear models"),
        (
            {
                **LEAVES,
                "split_feature": 0,
                "decision_type": "<=",
                "threshold": 1.0,
                "missing_type": "Zero",
            },
            "takes zeros for missing",
        ),
    ],
)
def test_trees_that_no_graph_computes_are_refused(part: dict[str, Any], told: str) -> None:
    with pytest.raises(NoGraphError, match=told):
        _read_tree(part, "w", 1.0)
