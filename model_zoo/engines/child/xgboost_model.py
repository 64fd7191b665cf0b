"""XGBoost's own file, in the child: margins of the trees, or what the objective makes of them."""

from collections.abc import Callable, Mapping
from functools import partial
import json
from typing import Any

from model_zoo.engines.child.messages import Arrays


def load(content: bytes, card: Mapping[str, Any]) -> Callable[[], Callable[[Arrays], Arrays]]:
    """Return what makes a call for each thread.

    Args:
        content: of the file, UBJSON or JSON.
        card: with the name of the output: `margin` for logits.
    """
    import xgboost

    booster = xgboost.Booster({"nthread": 1}, model_file=bytearray(content))
    (output,) = card["outputs"]
    predict = make_predict(xgboost, booster, output == "margin")

    def compute(inputs: Arrays) -> Arrays:
        return {output: predict(inputs["x"])}

    return lambda: compute


def make_predict(xgboost: Any, booster: Any, is_margin: bool) -> Callable[[Any], Any]:
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


def find_kind(booster: Any) -> str:
    """Return what a Booster is: gbtree, dart or gblinear."""
    # Bound to a name of its own: it writes to memory, and what saves to a path is storage's alone.
    to_config = booster.save_config
    config = json.loads(to_config())
    kind: str = config["learner"]["gradient_booster"]["name"]
    return kind


def _predict_linear(xgboost: Any, booster: Any, is_margin: bool, x: Any) -> Any:
    matrix = xgboost.DMatrix(x, feature_names=booster.feature_names, nthread=1)
    return booster.predict(matrix, output_margin=is_margin)
