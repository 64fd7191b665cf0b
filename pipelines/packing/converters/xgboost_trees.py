"""A Booster of XGBoost -> an ONNX graph: float32, `<` goes left, missing values the way that was learned."""

import json
from typing import Any

import numpy as np
import pyarrow as pa

from configs.errors import JobError
from configs.packaging import PackagingJob
from model_zoo.arrays import Arrays
from model_zoo.engines.child.xgboost_model import find_kind, make_predict
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

_READ = "import xgboost; xgboost.Booster(model_file=path)"
# Of each objective: what makes scores of the sums of leaves, and whether those are logarithms.
_OBJECTIVES: dict[str, tuple[Activation, bool]] = {
    "binary:logistic": ("sigmoid", False),
    "binary:logitraw": ("sigmoid", False),
    "reg:logistic": ("sigmoid", False),
    "multi:softprob": ("softmax", False),
    "multi:softmax": ("softmax", False),
    "reg:squarederror": ("none", False),
    "reg:squaredlogerror": ("none", False),
    "reg:absoluteerror": ("none", False),
    "reg:pseudohubererror": ("none", False),
    "reg:quantileerror": ("none", False),
    "rank:pairwise": ("none", False),
    "rank:ndcg": ("none", False),
    "rank:map": ("none", False),
    "count:poisson": ("none", True),
    "reg:gamma": ("none", True),
    "reg:tweedie": ("none", True),
}


def convert(job: PackagingJob[AnyStep], sample: pa.Table) -> Converted:
    """Return the trees of a Booster's file.

    Args:
        job: names the file.
        sample: rows that XGBoost scores, too.

    Raises:
        JobError: there is no such file, or its trees do more than ONNX can say.
    """
    xgboost = import_library("xgboost", "trees")
    url = str(job.xgboost)
    path = find_file("xgboost", url, _READ)
    booster = xgboost.Booster(model_file=str(path))
    what = f"xgboost {url}"
    _refuse_early_stop(booster, what)
    _refuse_category_columns(booster, what)
    seen = choose_columns(job, sample)
    columns = choose_features(booster.feature_names, seen, booster.num_features())
    try:
        trees = make_graph(booster, "margin", what)
    except NoGraphError as reason:
        trees = _leave_to_xgboost(booster, reason)
    to_scores = make_predict(xgboost, booster, trees.output == "margin")

    def predict(rows: pa.Table, inputs: Arrays) -> Arrays:
        return {trees.output: to_scores(inputs["x"])}

    to_bytes = booster.save_raw
    own = OwnForm("xgboost", bytes(to_bytes("ubj")))
    return to_converted(trees, columns, "float32", "XGBoost", predict, own)


def _leave_to_xgboost(booster: Any, reason: NoGraphError) -> TreeGraph:
    """Return what is known of a Booster that is no graph.

    Args:
        booster: of XGBoost.
        reason: why it is none.
    """
    to_bytes = booster.save_raw
    learner = json.loads(to_bytes("json"))["learner"]
    # What an objective that is not known here gives is a number as it is.
    activation, _ = _OBJECTIVES.get(learner["objective"]["name"], ("none", False))
    output = "prediction" if activation == "none" else "margin"
    return TreeGraph(None, activation, output, note=f"no ONNX graph: {reason}")


def make_graph(booster: Any, margin: str, what: str) -> TreeGraph:
    """Return the graph of a Booster.

    Args:
        booster: of XGBoost.
        margin: name of the output where it is logits.
        what: the model, for messages.

    Raises:
        JobError: its trees do more than ONNX can say.
    """
    xgboost = import_library("xgboost", "trees")
    # Bound to a name of its own: it writes to memory, and what saves to a path is storage's alone.
    to_bytes = booster.save_raw
    learner = json.loads(to_bytes("json"))["learner"]
    name = learner["objective"]["name"]
    if name not in _OBJECTIVES:
        raise NoGraphError(f"{what}: its objective is {name}, whose scores have no graph here")
    activation, is_log = _OBJECTIVES[name]
    forest = _read_forest(learner, what)
    base = _find_base(xgboost, booster, learner, forest.classes)
    output = "prediction" if activation == "none" else margin
    graph = forest.make_graph(booster.num_features(), base, output, is_log)
    count = len(forest.trees)
    return TreeGraph(
        graph=graph,
        activation=activation,
        output=output,
        note=f"{count:,} trees of objective {name}, compared in float32 as XGBoost does",
    )


def _refuse_early_stop(booster: Any, what: str) -> None:
    """Refuse a file of which Booster and XGBClassifier would take different trees."""
    last = booster.attr("best_iteration")
    if last is None:
        return
    # XGBoost counts iterations from 0.
    best = int(last) + 1
    rounds = booster.num_boosted_rounds()
    if best < rounds:
        raise JobError(
            f"{what}: holds {rounds} rounds, and training found {best} to be best; "
            f"say which you mean: save booster[:{best}], or set_attr(best_iteration=None)"
        )


def _refuse_category_columns(booster: Any, what: str) -> None:
    """Refuse a Booster of a table's categories: XGBoost itself asks for a table that has them."""
    if find_kind(booster) == "gblinear":
        # It knows no categories, and fails on the question.
        return
    columns = booster.get_categories(export_to_arrow=True).to_arrow()
    named = [name for name, words in columns if words is not None]
    if named:
        listed = ", ".join(named)
        raise JobError(
            f"{what}: was trained on columns of type category ({listed}), which are not taken; "
            "train it on their codes (feature_types c)"
        )


def _read_forest(learner: Any, what: str) -> Forest:
    booster = learner["gradient_booster"]
    if booster["name"] != "gbtree":
        raise NoGraphError(f"{what}: is a {booster['name']}, and a graph is of gbtree")
    model = booster["model"]
    trees = []
    for target, tree in zip(model["tree_info"], model["trees"], strict=True):
        if any(tree["split_type"]):
            raise NoGraphError(
                f"{what}: splits on categories (enable_categorical), which a graph does not"
            )
        if int(tree["tree_param"]["size_leaf_vector"]) > 1:
            raise NoGraphError(
                f"{what}: its leaves hold vectors (multi_strategy), which a graph's do not"
            )
        root = _read_tree(tree)
        trees.append((target, root))
    sizes = learner["learner_model_param"]
    # A model of one output has 0 classes.
    classes = max(1, int(sizes["num_class"]), int(sizes["num_target"]))
    return Forest("float32", trees, classes)


def _read_tree(tree: Any) -> Node | float:
    """Return a tree; its children have larger numbers than their parents, but for pruned ones."""
    lefts = tree["left_children"]
    rights = tree["right_children"]
    order = [0]
    # It grows while it is walked, until no node has children that are not in it.
    for number in order:
        if lefts[number] >= 0:
            order.append(lefts[number])
            order.append(rights[number])
    parts: dict[int, Node | float] = {}
    # From the leaves up.
    for number in reversed(order):
        condition = float(tree["split_conditions"][number])
        left = lefts[number]
        right = rights[number]
        # A leaf keeps its value where others keep their threshold.
        if left < 0:
            parts[number] = condition
            continue
        parts[number] = Node(
            column=tree["split_indices"][number],
            mode="<",
            threshold=condition,
            missing_left=bool(tree["default_left"][number]),
            left=parts[left],
            right=parts[right],
        )
    return parts[0]


def _find_base(
    xgboost: Any,
    booster: Any,
    learner: Any,
    classes: int,
) -> list[float]:
    """Return what XGBoost adds to the leaves: its file keeps that before the objective's own link."""
    row = np.full((1, booster.num_features()), np.nan, np.float32)
    matrix = xgboost.DMatrix(row, feature_names=booster.feature_names)
    predicted = booster.predict(matrix, output_margin=True)
    # What is left of a row's sum once its leaves are taken away.
    margin = np.float64(predicted).reshape(classes)
    leaves = booster.predict(matrix, pred_leaf=True).reshape(-1)
    model = learner["gradient_booster"]["model"]
    targets = model["tree_info"]
    for target, tree, leaf in zip(targets, model["trees"], leaves, strict=True):
        # Where a split has what it compares with, a leaf has its value.
        values = tree["split_conditions"]
        margin[target] -= float(values[int(leaf)])
    return [float(value) for value in margin]
