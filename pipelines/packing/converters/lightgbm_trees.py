"""A Booster of LightGBM -> an ONNX graph: float64, `<=` goes left, missing values the way that was learned."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from configs.errors import JobError
from configs.packaging import PackagingJob
from model_zoo.arrays import Arrays
from model_zoo.steps.table import AnyStep
from pipelines.packing.contract.contract import choose_columns
from pipelines.packing.converters.converted import (
    Activation,
    Converted,
    NoGraphError,
    OwnForm,
)
from pipelines.packing.converters.trees import (
    Forest,
    Node,
    TreeGraph,
    choose_features,
    find_file,
    to_converted,
)
from pipelines.packing.libraries import import_library

_READ = "import lightgbm; lightgbm.Booster(model_file=path)"
# LightGBM takes smaller values for 0 before it asks any tree (kZeroThreshold, written in float32), and
# splits at exactly this one.
_ZERO = float(np.float32(1e-35))
# Of each objective: what makes scores of the sums of leaves, and whether those are logarithms.
_OBJECTIVES: dict[str, tuple[Activation, bool]] = {
    "binary": ("sigmoid", False),
    "cross_entropy": ("sigmoid", False),
    "multiclass": ("softmax", False),
    "regression": ("none", False),
    "regression_l1": ("none", False),
    "huber": ("none", False),
    "fair": ("none", False),
    "quantile": ("none", False),
    "mape": ("none", False),
    "lambdarank": ("none", False),
    "rank_xendcg": ("none", False),
    "poisson": ("none", True),
    "gamma": ("none", True),
    "tweedie": ("none", True),
}


def convert(job: PackagingJob[AnyStep], sample: pa.Table) -> Converted:
    """Return the trees of a Booster's file.

    Args:
        job: names the file.
        sample: rows that LightGBM scores, too.

    Raises:
        JobError: there is no such file, or its trees do more than ONNX can say.
    """
    lightgbm = import_library("lightgbm", "trees")
    url = str(job.lightgbm)
    path = find_file("lightgbm", url, _READ)
    booster = lightgbm.Booster(model_file=str(path))
    names = booster.feature_name()
    # Names that LightGBM gives, and no table has.
    given = [f"Column_{number}" for number in range(len(names))]
    seen = choose_columns(job, sample)
    named = None if names == given else _find_columns(names, seen)
    columns = choose_features(named, seen, len(names))
    what = f"lightgbm {url}"
    _refuse_category_columns(booster, what)
    try:
        trees = make_graph(booster, "margin", what)
    except NoGraphError as reason:
        trees = _leave_to_lightgbm(booster, reason)
    is_margin = trees.output == "margin"

    def predict(rows: pa.Table, inputs: Arrays) -> Arrays:
        scores = np.asarray(booster.predict(inputs["x"], raw_score=is_margin))
        return {trees.output: scores * trees.factor}

    text = booster.model_to_string()
    own = OwnForm("lightgbm", text.encode())
    return to_converted(trees, columns, "float64", "LightGBM", predict, own)


def _refuse_category_columns(booster: Any, what: str) -> None:
    """Refuse a Booster of pandas' categories: its file has their codes, and LightGBM itself asks for such columns."""
    if booster.pandas_categorical:
        raise JobError(
            f"{what}: was trained on columns of type category, which are not taken; "
            "train it on columns that are encoded (categorical_feature takes codes)"
        )


def _leave_to_lightgbm(booster: Any, reason: NoGraphError) -> TreeGraph:
    """Return what is known of a Booster that is no graph.

    Args:
        booster: of LightGBM.
        reason: why it is none.
    """
    words = booster.dump_model().get("objective", "regression").split()
    # What an objective that is not known here gives is a number as it is.
    activation, _ = _OBJECTIVES.get(words[0], ("none", False))
    is_margin = activation != "none"
    return TreeGraph(
        graph=None,
        activation=activation,
        output="margin" if is_margin else "prediction",
        note=f"no ONNX graph: {reason}",
        factor=_find_factor(words[1:]) if is_margin else 1.0,
    )


def _find_columns(
    names: Sequence[str],
    columns: Sequence[str],
) -> list[str]:
    """Return the sample's names of a Booster's columns, whose blanks LightGBM writes as underscores."""
    found = []
    for name in names:
        alike = [column for column in columns if column.replace(" ", "_") == name]
        # Of several, the one that is called so, or none: nothing tells which was meant.
        is_clear = name not in columns and len(alike) == 1
        found.append(alike[0] if is_clear else name)
    return found


def make_graph(booster: Any, margin: str, what: str) -> TreeGraph:
    """Return the graph of a Booster.

    Args:
        booster: of LightGBM.
        margin: name of the output where it is logits.
        what: the model, for messages.

    Raises:
        JobError: its trees do more than ONNX can say.
    """
    model = booster.dump_model()
    activation, is_log, factor = _read_objective(model, what)
    forest = _read_forest(model, what, factor)
    output = "prediction" if activation == "none" else margin
    begin = [0.0] * forest.classes
    graph = forest.make_graph(booster.num_feature(), begin, output, is_log)
    objective = model.get("objective", "of your own")
    count = len(forest.trees)
    return TreeGraph(
        graph=graph,
        activation=activation,
        output=output,
        note=f"{count:,} trees of objective {objective}, compared in float64 as LightGBM does",
        factor=factor,
    )


def _read_objective(model: Any, what: str) -> tuple[Activation, bool, float]:
    """Return activation, whether sums are logarithms, and what they are multiplied with."""
    # An objective of the author's own has no name, and LightGBM gives the sums.
    words = model.get("objective", "regression").split()
    name = words[0]
    settings = words[1:]
    if name not in _OBJECTIVES or "sqrt" in words:
        objective = " ".join(words)
        raise NoGraphError(f"{what}: its objective is {objective}, whose scores have no graph here")
    activation, is_log = _OBJECTIVES[name]
    return activation, is_log, _find_factor(settings)


def _find_factor(settings: Sequence[str]) -> float:
    for setting in settings:
        # As in `binary sigmoid:1`: what a sum is multiplied with before the sigmoid.
        if setting.startswith("sigmoid:"):
            _, _, value = setting.partition(":")
            return float(value)
    return 1.0


def _read_forest(model: Any, what: str, factor: float) -> Forest:
    if model.get("pandas_categorical"):
        raise NoGraphError(
            f"{what}: was trained on columns of type category, which are not taken; "
            "train it on columns that are encoded (categorical_feature takes codes)"
        )
    classes = model["num_tree_per_iteration"]
    trees = model["tree_info"]
    if model["average_output"]:
        factor /= len(trees) // classes
    read = []
    for number, tree in enumerate(trees):
        root = _read_tree(tree["tree_structure"], what, factor)
        # The classes take turns.
        target = number % classes
        read.append((target, root))
    return Forest("float64", read, classes, zero_up_to=_ZERO)


def _read_tree(part: Any, what: str, factor: float) -> Node | float:
    """Return a tree, which LightGBM never makes deeper than Python's stack."""
    if "leaf_value" in part:
        if "leaf_coeff" in part:
            raise NoGraphError(
                f"{what}: its leaves are linear models (linear_tree), and a graph's are numbers"
            )
        return float(part["leaf_value"]) * factor
    left = _read_tree(part["left_child"], what, factor)
    right = _read_tree(part["right_child"], what, factor)
    column = part["split_feature"]
    if part["decision_type"] == "==":
        numbers = part["threshold"].split("||")
        members = tuple(map(int, numbers))
        # A missing category is none of those that go left.
        return Node(column, "in", 0.0, missing_left=False, left=left, right=right, members=members)
    threshold = float(part["threshold"])
    missing = part["missing_type"]
    if missing == "Zero":
        raise NoGraphError(
            f"{what}: takes zeros for missing (zero_as_missing), which a graph does not"
        )
    # Where training saw no missing value, LightGBM takes one for 0.
    goes_left = part["default_left"] if missing == "NaN" else threshold >= 0
    return Node(column, "<=", threshold, missing_left=goes_left, left=left, right=right)
