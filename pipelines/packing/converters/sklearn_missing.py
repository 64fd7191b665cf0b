"""Send missing values the way in a graph's trees that they go in scikit-learn's.

Trees and forests take a missing value for whatever most rows of a node had in training, and skl2onnx
writes nothing of that: in its graphs each goes right.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from model_zoo.engines.child.sklearn_model import choose_table
from pipelines.packing.converters.histogram_trees import is_of_histograms

_LEFT = "nodes_missing_value_tracks_true"
_OWN = ("xgboost", "lightgbm")


@dataclass(frozen=True)
class Before:
    """What a Pipeline does before its estimator, which refuses a row of which a missing value is left.

    Attributes:
        model: the Pipeline, or an estimator alone.
        columns: those that it takes.
    """

    model: Any
    columns: Sequence[str]

    def __call__(self, rows: pa.Table, _: Any) -> None:
        """Make the estimator's numbers of rows.

        Raises:
            ValueError: a missing value is left.
        """
        frame = rows.select(list(self.columns)).to_pandas()
        made = choose_table(self.model, frame)
        if type(self.model).__name__ == "Pipeline":
            made = self.model[:-1].transform(made)
        dense = made.toarray() if hasattr(made, "toarray") else made
        if np.isnan(np.asarray(dense, np.float64)).any():
            raise ValueError("a missing value is left")


def send_missing(graph: Any, estimator: Any) -> bool:
    """Let missing values go as in the estimator's own trees, and tell whether they do.

    Args:
        graph: `onnx.ModelProto` of the estimator; its trees are changed.
        estimator: fitted, the last one of a Pipeline.
    """
    ensembles = [node for node in graph.graph.node if node.op_type.startswith("TreeEnsemble")]
    if _has_own_graph(estimator) or all(map(_sends_left, ensembles)):
        return True
    trees = _list_trees(estimator)
    # Not those inside of another estimator.
    if len(ensembles) != 1 or not _is_of(ensembles[0], trees):
        return False
    ensemble, *_ = ensembles
    goes_left = [tree.__getstate__()["nodes"]["missing_go_to_left"] for tree in trees]
    numbers = [int(goes_left[tree][node]) for tree, node in _list_places(ensemble)]
    _set_left(ensemble, numbers)
    return True


def _set_left(ensemble: Any, numbers: list[int]) -> None:
    from onnx import helper

    kept = [attribute for attribute in ensemble.attribute if attribute.name != _LEFT]
    del ensemble.attribute[:]
    ensemble.attribute.extend([*kept, helper.make_attribute(_LEFT, numbers)])


def _has_own_graph(estimator: Any) -> bool:
    """Tell whether we write the graph ourselves, with the way of each missing value."""
    return is_of_histograms(estimator) or type(estimator).__module__.startswith(_OWN)


def _sends_left(ensemble: Any) -> bool:
    return any(_find(ensemble, _LEFT))


def _find(ensemble: Any, name: str) -> list[Any]:
    from onnx import helper

    for attribute in ensemble.attribute:
        if attribute.name == name:
            return list(helper.get_attribute_value(attribute))
    return []


def _list_trees(estimator: Any) -> list[Any]:
    members: Iterable[Any] = getattr(estimator, "estimators_", [estimator])
    return [member.tree_ for member in members if hasattr(member, "tree_")]


def _list_places(ensemble: Any) -> list[tuple[int, int]]:
    """Return for each node of all trees which one of which tree it is."""
    trees = _find(ensemble, "nodes_treeids")
    nodes = _find(ensemble, "nodes_nodeids")
    return list(zip(trees, nodes, strict=True))


def _is_of(ensemble: Any, trees: list[Any]) -> bool:
    """Tell whether an ensemble has the nodes of trees, under the same numbers."""
    places = _list_places(ensemble)
    if len(places) != sum(tree.node_count for tree in trees):
        return False
    features = _find(ensemble, "nodes_featureids")
    is_leaf = np.array(_find(ensemble, "nodes_modes")) == b"LEAF"
    # A leaf asks of no column, which each library says in its own way.
    wanted = [trees[tree].feature[node] for tree, node in places]
    return bool(np.all(is_leaf | (np.array(features) == np.array(wanted))))
