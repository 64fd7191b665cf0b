"""Trees behind a Pipeline of scikit-learn -> an ONNX graph, number for number: its own, XGBoost's, LightGBM's."""

from typing import Any

import numpy as np

from configs.errors import JobError
from pipelines.packing.converters import lightgbm_trees, xgboost_trees
from pipelines.packing.converters.histogram_trees import is_of_histograms, make_histogram_graph
from pipelines.packing.converters.trees import TreeGraph

_LOGIT = "logit"
_PREDICTION = "prediction"


def make_tree_graph(estimator: Any, what: str) -> Any | None:
    """Return the graph of an estimator, from `x` to `logit` or `prediction`.

    Args:
        estimator: fitted, the last one of a Pipeline.
        what: the model, for messages.

    Returns:
        None for an estimator that is no ensemble of trees, or one that skl2onnx converts exactly.

    Raises:
        JobError: its trees do more than ONNX can say.
    """
    is_classifier = hasattr(estimator, "classes_")
    if is_of_histograms(estimator):
        output = _LOGIT if is_classifier else _PREDICTION
        return make_histogram_graph(estimator, output, what)
    module = type(estimator).__module__
    library, _, _ = module.partition(".")
    if library == "xgboost":
        booster = _take_booster(estimator, what)
        trees = xgboost_trees.make_graph(booster, _LOGIT, what)
    elif library == "lightgbm":
        trees = lightgbm_trees.make_graph(estimator.booster_, _LOGIT, what)
    else:
        return None
    return _check_task(trees, is_classifier, what)


def get_input_kind(graph: Any) -> int:
    """Return the type of what a graph takes, as ONNX numbers it."""
    first = graph.graph.input[0]
    kind: int = first.type.tensor_type.elem_type
    return kind


def _take_booster(estimator: Any, what: str) -> Any:
    """Return the trees that XGBoost's estimator scores with."""
    if not np.isnan(estimator.missing):
        raise JobError(
            f"{what}: {type(estimator).__name__} takes {estimator.missing:g} for missing; train it with "
            "missing=nan, behind a SimpleImputer(missing_values=...) for example"
        )
    booster = estimator.get_booster()
    best = booster.attr("best_iteration")
    if best is None:
        return booster
    # After an early stop it leaves out what was trained later.
    count = int(best) + 1
    return booster[:count]


def _check_task(trees: TreeGraph, is_classifier: bool, what: str) -> Any:
    has_probabilities = trees.activation != "none"
    if is_classifier != has_probabilities:
        kind = "classifier" if is_classifier else "regression"
        raise JobError(
            f"{what}: is a {kind} of {trees.note}, and that objective is for the other; give the Booster "
            "itself, with --xgboost or --lightgbm"
        )
    return trees.graph
