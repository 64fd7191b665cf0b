"""XGBoost's own file, in the child: margins of the trees, or what the objective makes of them."""

from collections.abc import Callable, Mapping
from functools import partial
import json
from typing import Any

import numpy as np

from model_zoo.engines.child.messages import Arrays, MakeCall
from model_zoo.engines.child.tree_nodes import check_children


def load(content: bytes, card: Mapping[str, Any]) -> MakeCall:
    """Return what makes a call for each thread.

    Args:
        content: of the file, UBJSON or JSON.
        card: with the name of the output: `margin` for logits.

    Raises:
        ValueError: a tree of it is none.
    """
    import xgboost

    # It takes a path, or bytes that may be written to.
    writable = bytearray(content)
    booster = xgboost.Booster({"nthread": 1}, model_file=writable)
    check_trees(booster)
    (output,) = card["outputs"]
    is_margin = output == "margin"
    predict = make_predict(xgboost, booster, is_margin)

    def compute(inputs: Arrays) -> Arrays:
        x = inputs["x"]
        return {output: predict(x)}

    return lambda: compute


def make_predict(
    xgboost: Any,
    booster: Any,
    is_margin: bool,
) -> Callable[[Any], Any]:
    """Return what a Booster gives of numbers (rows, columns), as XGBClassifier and XGBRegressor ask it.

    Args:
        xgboost: the library.
        booster: loaded.
        is_margin: whether logits are wanted, and not what the objective makes of them.
    """
    # Trees alone are predicted in place, which takes infinity like any number; a DMatrix does not.
    if find_kind(booster) == "gblinear":
        return partial(_predict_linear, xgboost, booster, is_margin)
    kind = "margin" if is_margin else "value"
    return partial(booster.inplace_predict, predict_type=kind)


def check_trees(booster: Any) -> None:
    """Refuse trees whose nodes lead in a circle: of them no score comes.

    Raises:
        ValueError: there is one.
    """
    # As text, whatever the file is: that the library gives the numbers of its nodes in this way alone.
    write = booster.save_raw
    text = write("json")
    written = json.loads(text)
    learner = written["learner"]
    found = learner["gradient_booster"]
    # Trees of which some are dropped in training are kept in a booster within it.
    booster_of_trees = found.get("gbtree", found)
    model = booster_of_trees["model"]
    # A linear one has none.
    trees = model.get("trees", ())
    for number, tree in enumerate(trees):
        left = np.array(tree["left_children"])
        right = np.array(tree["right_children"])
        # Of a leaf whose value is a vector, the right one is a place among those.
        is_inner = left >= 0
        both = [left[is_inner], right[is_inner]]
        children = np.concatenate(both)
        check_children(f"tree {number}", children, len(left))


def find_kind(booster: Any) -> str:
    """Return what a Booster is: gbtree, dart or gblinear."""
    # Bound to a name of its own: it writes to memory, and what saves to a path is storage's alone.
    to_config = booster.save_config
    text = to_config()
    config = json.loads(text)
    learner = config["learner"]
    kind: str = learner["gradient_booster"]["name"]
    return kind


def _predict_linear(
    xgboost: Any,
    booster: Any,
    is_margin: bool,
    x: Any,
) -> Any:
    matrix = xgboost.DMatrix(x, feature_names=booster.feature_names, nthread=1)
    return booster.predict(matrix, output_margin=is_margin)
