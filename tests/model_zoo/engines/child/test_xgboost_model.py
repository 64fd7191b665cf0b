"""XGBoost's file as a child computes it, in this process: margins, values, linear models, and trees that are none."""

import json
from typing import Any

import numpy as np
import pytest

xgboost = pytest.importorskip("xgboost")

from model_zoo.engines.child.xgboost_model import check_trees, find_kind, load  # noqa: E402

X = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
Y = X[:, 0] > 0


def train(**parameters: Any) -> Any:
    given = {"nthread": 1, "verbosity": 0, **parameters}
    return xgboost.train(given, xgboost.DMatrix(X, Y), 3)


@pytest.mark.parametrize("booster", ["gbtree", "dart", "gblinear"])
@pytest.mark.parametrize("output", ["margin", "prediction"])
def test_scores_are_the_librarys(booster: str, output: str) -> None:
    trained = train(objective="binary:logistic", booster=booster)
    assert find_kind(trained) == booster
    call = load(bytes(trained.save_raw("ubj")), {"outputs": {output: {}}})()
    rows = X.copy()
    # A linear model takes no infinity.
    rows[0, 0] = 1e30 if booster == "gblinear" else np.inf
    (scores,) = call({"x": rows}).values()
    matrix = xgboost.DMatrix(rows, missing=np.nan) if booster == "gblinear" else None
    is_margin = output == "margin"
    if matrix is not None:
        expected = trained.predict(matrix, output_margin=is_margin)
    else:
        kind = "margin" if is_margin else "value"
        expected = trained.inplace_predict(rows, predict_type=kind)
    np.testing.assert_array_equal(scores, expected)
    assert is_margin == bool((np.abs(scores) > 1).any() or (scores < 0).any())


class Stored:
    """Stands in for a Booster: trees as its file has them."""

    def __init__(self, *trees: dict[str, list[int]], is_dart: bool = False) -> None:
        booster: dict[str, Any] = {"model": {"trees": list(trees)}}
        self._booster = {"gbtree": booster} if is_dart else booster

    def save_raw(self, kind: str) -> bytes:
        assert kind == "json"
        return json.dumps({"learner": {"gradient_booster": self._booster}}).encode()


def tree(left: list[int], right: list[int]) -> dict[str, list[int]]:
    return {"left_children": left, "right_children": right}


@pytest.mark.parametrize("is_dart", [True, False])
def test_a_circle_is_told_by_the_number_of_its_tree(is_dart: bool) -> None:
    good = tree([1, -1, -1], [2, -1, -1])
    check_trees(Stored(good, good, is_dart=is_dart))
    with pytest.raises(ValueError, match=r"^tree 1 leads to a node twice, or in a circle"):
        check_trees(Stored(good, tree([1, 0, -1], [2, -1, -1]), is_dart=is_dart))
    with pytest.raises(ValueError, match=r"^tree 0 leads to node 3, and has 3"):
        check_trees(Stored(tree([1, -1, -1], [3, -1, -1]), is_dart=is_dart))


def test_the_right_number_of_a_leaf_is_a_place_among_vectors() -> None:
    # 1 and 2 are leaves, and what stands there leads nowhere.
    check_trees(Stored(tree([1, -1, -1], [2, 0, 1])))
    # The first node itself may be one; of a node, 0 is no child.
    check_trees(Stored(tree([-1], [0])))
    with pytest.raises(ValueError, match="circle"):
        check_trees(Stored(tree([0, -1, -1], [1, -1, -1])))
