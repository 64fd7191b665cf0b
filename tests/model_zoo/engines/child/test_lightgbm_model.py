"""LightGBM's file as a child computes it, in this process: margins, values, and trees that are none."""

from typing import Any

import numpy as np
import pytest

lightgbm = pytest.importorskip("lightgbm")

from model_zoo.engines.child.lightgbm_model import check_trees, load  # noqa: E402

# In the child nobody hears it.
pytestmark = pytest.mark.filterwarnings("ignore:Ignoring params argument")
X = np.random.default_rng(0).normal(size=(60, 3))
Y = X[:, 0] > 0


def train(**parameters: Any) -> Any:
    given = {"num_threads": 1, "verbosity": -1, "num_leaves": 4, "min_data_in_leaf": 5}
    return lightgbm.train({**given, **parameters}, lightgbm.Dataset(X, Y), 3)


@pytest.mark.parametrize(
    ("parameters", "factor"),
    [
        ({"objective": "binary"}, 1.0),
        ({"objective": "binary", "sigmoid": 2.5}, 2.5),
        ({"objective": "regression"}, 1.0),
    ],
)
def test_scores_are_the_librarys(parameters: dict[str, Any], factor: float) -> None:
    booster = train(**parameters)
    content = booster.model_to_string().encode()
    margin = load(content, {"outputs": {"margin": {}}})()({"x": X})
    expected = booster.predict(X, raw_score=True) * factor
    np.testing.assert_array_equal(margin["margin"], expected)
    values = load(content, {"outputs": {"prediction": {}}})()({"x": X})
    np.testing.assert_array_equal(values["prediction"], booster.predict(X))


def stored(*trees: tuple[str, str]) -> bytes:
    """Return the lines of a file that tell of nodes."""
    lines = [f"left_child={left}\nright_child={right}\n" for left, right in trees]
    return "".join(lines).encode()


@pytest.mark.parametrize(
    "trees",
    [
        [],
        # A tree of one leaf has no node.
        [("", "")],
        [("-1", "-2")],
        [("1 -1", "-2 -3"), ("-1 -2", "1 -3")],
    ],
)
def test_trees_are_taken(trees: list[tuple[str, str]]) -> None:
    check_trees(stored(*trees))


@pytest.mark.parametrize(
    ("left", "right", "why"),
    [
        # A tree of one node has the leaves 0 and 1, which are -1 and -2 in the file.
        ("-1", "-3", "tree 1 leads to leaf 2, and has 2"),
        ("1 -1", "-2 -4", "tree 1 leads to leaf 3, and has 3"),
        ("1 -1", "2 -2", "tree 1 leads to node 2, and has 2"),
        ("1 0", "-1 -2", "tree 1 leads to a node twice, or in a circle"),
        ("1 -1", "1 -2", "tree 1 leads to a node twice"),
    ],
)
def test_what_is_no_tree_is_refused(left: str, right: str, why: str) -> None:
    with pytest.raises(ValueError, match=f"^{why}"):
        check_trees(stored(("-1", "-2"), (left, right)))
