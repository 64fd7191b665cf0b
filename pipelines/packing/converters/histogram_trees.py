"""HistGradientBoosting of scikit-learn -> an ONNX graph: the one family of its trees that compares in float64."""

from typing import Any

import numpy as np

from pipelines.packing.converters.converted import NoGraphError
from pipelines.packing.converters.trees import Forest, Node

_LOGARITHMS = ("gamma", "poisson")


def is_of_histograms(estimator: Any) -> bool:
    """Tell whether an estimator is of this family."""
    kind = type(estimator).__name__
    return kind.startswith("HistGradientBoosting")


def make_histogram_graph(estimator: Any, output: str, what: str) -> Any:
    """Return the graph of the trees, from `x` to logits or a prediction.

    Args:
        estimator: fitted.
        output: name of the graph's output.
        what: the model, for messages.

    Raises:
        NoGraphError: it splits on categories.
    """
    trees = []
    for iteration in estimator._predictors:
        for target, predictor in enumerate(iteration):
            nodes = predictor.nodes
            if nodes["is_categorical"].any():
                raise NoGraphError(
                    f"{what}: its trees split on categories (categorical_features), which are "
                    "not taken; encode them, with OrdinalEncoder for example"
                )
            tree = _read_tree(nodes)
            trees.append((target, tree))
    baseline = np.asarray(estimator._baseline_prediction, np.float64)
    # Of one class it is a number, of several a row.
    base = baseline.reshape(-1)
    loss = getattr(estimator, "loss", "")
    is_log = loss in _LOGARITHMS
    forest = Forest("float64", trees, len(base))
    columns = estimator.n_features_in_
    return forest.make_graph(columns, base.tolist(), output, is_log)


def _read_tree(nodes: np.ndarray) -> Node | float:
    parts: dict[int, Node | float] = {}
    numbers = range(len(nodes))
    # Children come behind their parents.
    for number in reversed(numbers):
        node = nodes[number]
        if node["is_leaf"]:
            parts[number] = float(node["value"])
            continue
        left = int(node["left"])
        right = int(node["right"])
        parts[number] = Node(
            column=int(node["feature_idx"]),
            mode="<=",
            threshold=float(node["num_threshold"]),
            missing_left=bool(node["missing_go_to_left"]),
            left=parts[left],
            right=parts[right],
        )
    return parts[0]
