"""LightGBM's own file, in the child: sums of the leaves, or what the objective makes of them."""

from collections.abc import Mapping
import re
from typing import Any

import numpy as np

from model_zoo.engines.child.messages import Arrays, MakeCall
from model_zoo.engines.child.tree_nodes import check_children

# As in `objective=binary sigmoid:2`: what a sum is multiplied with before the sigmoid.
_FACTOR = re.compile(rb"^objective=.*\bsigmoid:(\S+)", re.MULTILINE)

# The children of a tree's nodes, in a line each.
_LEFT = re.compile(rb"^left_child=(.*)$", re.MULTILINE)
_RIGHT = re.compile(rb"^right_child=(.*)$", re.MULTILINE)


def load(content: bytes, card: Mapping[str, Any]) -> MakeCall:
    """Return what makes a call for each thread.

    Args:
        content: of the file.
        card: with the name of the output: `margin` for logits.

    Raises:
        ValueError: a tree of it is none.
    """
    import lightgbm

    check_trees(content)
    text = content.decode()
    quiet = {"num_threads": 1, "verbosity": -1}
    booster = lightgbm.Booster(model_str=text, params=quiet)
    (output,) = card["outputs"]
    is_margin = output == "margin"
    factor = 1.0
    if is_margin:
        factor = _find_factor(content)

    def compute(inputs: Arrays) -> Arrays:
        x = inputs["x"]
        given = booster.predict(x, raw_score=is_margin, num_threads=1)
        scores = np.asarray(given)
        return {output: scores * factor}

    return lambda: compute


def _find_factor(content: bytes) -> float:
    """Return what a sum is multiplied with before the sigmoid; 1 where the file says nothing of it."""
    found = _FACTOR.search(content)
    if found is None:
        return 1.0
    return float(found[1])


def check_trees(content: bytes) -> None:
    """Refuse trees whose nodes lead in a circle, or out of the tree: the library looks at neither.

    Args:
        content: of the file.

    Raises:
        ValueError: there is one.
    """
    left_of_each = _LEFT.findall(content)
    right_of_each = _RIGHT.findall(content)
    pairs = zip(left_of_each, right_of_each, strict=True)
    for number, (left, right) in enumerate(pairs):
        left_children = left.split()
        right_children = right.split()
        both = left_children + right_children
        children = np.array(both, np.int64)
        nodes = len(left_children)
        tree = f"tree {number}"
        check_children(tree, children, nodes)
        _check_leaves(tree, children, nodes + 1)


def _check_leaves(tree: str, children: np.ndarray, leaves: int) -> None:
    """Refuse a tree that leads to leaves which it does not have."""
    if not children.size:
        return
    # A leaf has its number below 0, the first one -1.
    last = -1 - children.min()
    if last >= leaves:
        raise ValueError(f"{tree} leads to leaf {last}, and has {leaves}")
