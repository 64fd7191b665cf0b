"""Trees whose nodes lead in a circle, in files of each library: refused at once, where following them would not end."""

from collections.abc import Callable
import json
import re
from typing import Any

import numpy as np
import pytest

from model_zoo.engines.child.tree_nodes import _list_parts, check_children, check_estimator

X = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
Y = X[:, 0] * X[:, 1]
CIRCLE = "leads to a node twice, or in a circle"


@pytest.mark.parametrize(
    ("children", "why"),
    [
        ([1, 3, -1, -1, 2, 0, -1, -1], CIRCLE),
        ([1, 2, -1, 2], CIRCLE),
        ([1, 2, 9, -1], "tree 7 leads to node 9, and has 4"),
        ([1, 2, 4, -1], "tree 7 leads to node 4, and has 4"),
        ([1, 1 << 40], "and has 4"),
    ],
)
def test_what_is_no_tree_is_refused(children: list[int], why: str) -> None:
    with pytest.raises(ValueError, match=f"^tree 7 .*{why}|^{why}"):
        check_children("tree 7", np.array(children), 4)


@pytest.mark.parametrize("children", [[], [-1, -1], [1, 3, -1, -1, 2, -1, -1, -1]])
def test_trees_are_taken(children: list[int]) -> None:
    check_children("tree 7", np.array(children, np.int64), 4)


@pytest.mark.parametrize(
    "parameters",
    # Nodes that were cut off again stay in the file.
    [{}, {"booster": "dart"}, {"tree_method": "exact", "gamma": 1.0}, {"booster": "gblinear"}],
)
def test_trees_of_xgboost_are_taken(parameters: dict[str, Any]) -> None:
    xgboost = pytest.importorskip("xgboost")
    from model_zoo.engines.child.xgboost_model import load

    booster = xgboost.train({"nthread": 1, **parameters}, xgboost.DMatrix(X, Y), 5)
    call = load(bytes(booster.save_raw("ubj")), {"outputs": {"margin": {}}})()
    matrix = xgboost.DMatrix(X)
    np.testing.assert_array_equal(
        call({"x": X})["margin"], booster.predict(matrix, output_margin=True)
    )


def test_a_circle_of_xgboost_is_refused() -> None:
    xgboost = pytest.importorskip("xgboost")
    from model_zoo.engines.child.xgboost_model import load

    booster = xgboost.train({"nthread": 1, "max_depth": 3}, xgboost.DMatrix(X, Y), 2)
    model = json.loads(booster.save_raw("json"))
    tree = model["learner"]["gradient_booster"]["model"]["trees"][1]
    inner = next(node for node in range(1, 7) if tree["left_children"][node] > 0)
    tree["left_children"][inner] = 0
    with pytest.raises(ValueError, match=f"tree 1 {CIRCLE}"):
        load(json.dumps(model).encode(), {"outputs": {"margin": {}}})


# Importing it counts this machine's cores with a program.
@pytest.mark.program
@pytest.mark.parametrize(
    ("child", "why"), [(b"0", CIRCLE), (b"77", "node 77"), (b"-99", "leaf 98")]
)
def test_a_circle_of_lightgbm_is_refused(child: bytes, why: str) -> None:
    lightgbm = pytest.importorskip("lightgbm")
    from model_zoo.engines.child.lightgbm_model import check_trees

    booster = lightgbm.train(
        {"verbosity": -1, "num_threads": 1, "num_leaves": 5}, lightgbm.Dataset(X, Y), 2
    )
    content = booster.model_to_string().encode()
    check_trees(content)
    broken = re.sub(rb"^(right_child=)\S+", rb"\g<1>" + child, content, count=1, flags=re.M)
    assert broken != content
    with pytest.raises(ValueError, match=f"tree 0 .*{why}"):
        check_trees(broken)


@pytest.mark.program
@pytest.mark.parametrize("make", ["forest", "histogram"])
def test_a_circle_of_scikit_learn_is_refused_wherever_it_is(make: str) -> None:
    from sklearn.ensemble import (
        HistGradientBoostingRegressor,
        RandomForestRegressor,
        StackingRegressor,
    )
    from sklearn.linear_model import Ridge

    spoil: dict[str, tuple[Any, Callable[[Any], None]]] = {
        "forest": (RandomForestRegressor(2, max_depth=3, random_state=0), _spoil_forest),
        "histogram": (HistGradientBoostingRegressor(max_iter=2), _spoil_histogram),
    }
    estimator, spoil_trees = spoil[make]
    model = StackingRegressor([("one", estimator)], Ridge(), cv="prefit")
    estimator.fit(X, Y)
    model.fit(X, Y)
    check_estimator(model)
    spoil_trees(model.estimators_[0])
    with pytest.raises(ValueError, match=CIRCLE):
        check_estimator(model)


def _spoil_forest(forest: Any) -> None:
    tree = forest.estimators_[1].tree_
    state = tree.__getstate__()
    state["nodes"]["left_child"][1] = 0
    tree.__setstate__(state)


def _spoil_histogram(booster: Any) -> None:
    nodes = booster._predictors[1][0].nodes
    assert not nodes["is_leaf"][0]
    nodes["left"][0] = 0


class Holder:
    def __init__(self) -> None:
        self.left, self.right = "a", "b"


@pytest.mark.parametrize(
    ("found", "parts"),
    [
        (np.array(["a", "b"], object), ["a", "b"]),
        (np.array([["a"], ["b"]], object), ["a", "b"]),
        # Numbers hold no trees.
        (np.array([1.0, 2.0]), []),
        ({"x": "a", "y": "b"}, ["a", "b"]),
        (["a", "b"], ["a", "b"]),
        (("a", "b"), ["a", "b"]),
        (Holder(), ["a", "b"]),
        (7, []),
    ],
)
def test_whatever_may_hold_trees_is_looked_into(found: Any, parts: list[Any]) -> None:
    assert _list_parts(found) == parts
