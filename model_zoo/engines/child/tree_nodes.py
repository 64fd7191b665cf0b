"""Nodes of trees, looked at before any of them is followed: a circle of nodes has no leaf, and scoring would not end."""

from collections.abc import Iterator
from typing import Any

import numpy as np


def check_children(tree: str, children: np.ndarray, nodes: int) -> None:
    """Refuse a tree whose nodes lead in a circle, or to nodes that it does not have.

    From the first node, which nobody leads to, each other one is reached by one way at most: so a walk
    comes to no node twice.

    Args:
        tree: its name, for messages.
        children: numbers of the nodes that nodes lead to; those below 0 are leaves.
        nodes: how many there are.

    Raises:
        ValueError: two nodes lead to one, or one to the first, or to one that is not there.
    """
    inner = children[children >= 0]
    if not inner.size:
        return
    # First, as counting takes memory for the largest number.
    last = inner.max()
    if last >= nodes:
        raise ValueError(f"{tree} leads to node {last}, and has {nodes}")
    ways = np.bincount(inner)
    leads_back = bool(ways[0])
    leads_twice = ways.max() > 1
    if leads_back or leads_twice:
        raise ValueError(f"{tree} leads to a node twice, or in a circle, which no tree does")


def check_estimator(model: Any) -> None:
    """Refuse an estimator of scikit-learn that has such a tree, wherever in it that is.

    Raises:
        ValueError: it has.
    """
    for number, nodes in enumerate(_list_node_tables(model)):
        children = _list_children(nodes)
        check_children(f"tree {number}", children, len(nodes))


def _list_children(nodes: Any) -> np.ndarray:
    """Return the numbers of the nodes that a table's nodes lead to."""
    names = nodes.dtype.names
    if "is_leaf" not in names:
        left = nodes["left_child"]
        right = nodes["right_child"]
        return np.concatenate([left, right])
    # Of the other kind: the numbers of a leaf's children mean nothing.
    is_inner = nodes["is_leaf"] == 0
    inner = nodes[is_inner]
    left = inner["left"]
    right = inner["right"]
    # Without a sign, in which no number is below 0.
    children = np.concatenate([left, right])
    return children.astype(np.int64)


def _list_node_tables(model: Any) -> Iterator[Any]:
    """Yield the nodes of each tree that an object of scikit-learn holds."""
    pending = [model]
    seen: set[int] = set()
    while pending:
        found = pending.pop()
        if id(found) in seen:
            continue
        seen.add(id(found))
        # By name: to import their modules takes a second, also for a model without trees.
        kind = type(found).__name__
        if kind == "Tree":
            # It shows its nodes nowhere else.
            yield found.__getstate__()["nodes"]
        elif kind == "TreePredictor":
            yield found.nodes
        else:
            pending.extend(_list_parts(found))


def _list_parts(found: Any) -> list[Any]:
    """Return what an object holds."""
    if isinstance(found, np.ndarray):
        return list(found.ravel()) if found.dtype == object else []
    if isinstance(found, dict):
        return list(found.values())
    if isinstance(found, list | tuple):
        return list(found)
    fields: dict[str, Any] = getattr(found, "__dict__", {})
    return list(fields.values())
