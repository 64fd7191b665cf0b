"""NaN of a row stays NaN in ONNX Runtime, also where its own operators would make a number of it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from onnx.helper import make_graph, make_node, make_tensor_value_info  # noqa: E402

from model_zoo.engines import onnx_runtime  # noqa: E402
from model_zoo.engines.settings import Settings  # noqa: E402
from model_zoo.engines.whole_graph import read_graph  # noqa: E402
from model_zoo.package.package import read_package  # noqa: E402
from model_zoo.scoring.scorer import load_scorer  # noqa: E402
from tests.support.graphs import graph_of, graph_package, package_of  # noqa: E402


def branch_of(inner: Any) -> Any:
    """An If of which each branch is an operator that gives `a`."""
    given = make_tensor_value_info("a", onnx.TensorProto.FLOAT, None)
    one, other = (make_graph([inner], name, [], [given]) for name in ("one", "other"))
    return make_node("If", ["yes"], ["logit"], then_branch=one, else_branch=other)


@pytest.mark.parametrize(("kind", "gates"), [("LSTM", 4), ("GRU", 3)])
def test_nan_has_no_score_where_a_recurrent_layer_adds_something_to_it(
    tmp_path: Path, kind: str, gates: int
) -> None:
    """ONNX Runtime cuts what its gates take off at the largest number, and cuts NaN off, too."""
    random = np.random.default_rng(0)
    shapes = {"w": (2 * gates, 1), "r": (2 * gates, 2), "b": (4 * gates,)}
    arrays: dict[str, Any] = {
        name: random.standard_normal((1, *shape)).astype(np.float32)
        for name, shape in shapes.items()
    }
    nodes = [
        make_node("Transpose", ["x"], ["sequence"], perm=[1, 0, 2]),
        make_node(kind, ["sequence", "w", "r", "b"], ["", "last"], hidden_size=2),
        make_node("Transpose", ["last"], ["logit"], perm=[1, 0, 2]),
    ]
    x = random.standard_normal((20, 3, 1)).astype(np.float32)
    package = read_package(
        package_of(tmp_path / "m", graph_of(nodes, arrays, (3, 1)), {"x": x[:4]})
    )
    x[7, 1, 0] = np.nan
    scored = load_scorer(package, "cpu", Settings(8, engine="onnxruntime"), 1)({"x": x})
    is_nan = np.isnan(scored.outputs["logit"]).reshape(20, -1).any(axis=1)
    assert np.flatnonzero(is_nan).tolist() == [7]


ATTENTION = [
    make_node("Softmax", ["x"], ["shares"]),
    make_node("IsNaN", ["shares"], ["is_nan"]),
    make_node("Where", ["is_nan", "zero", "shares"], ["logit"]),
]


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ([make_node("ReduceMax", ["x"], ["logit"])], True),
        ([make_node("Relu", ["x"], ["logit"])], False),
        # Attention asks of what it made itself alone.
        ([*ATTENTION, make_node("ReduceMax", ["logit"], ["most"])], True),
        ([make_node("IsNaN", ["x"], ["n"]), make_node("ReduceMax", ["x"], ["logit"])], False),
        ([branch_of(make_node("ReduceMax", ["x"], ["a"]))], True),
        ([branch_of(make_node("Relu", ["x"], ["a"]))], False),
    ],
)
def test_graphs_that_lose_nan_are_known_by_their_operators(
    tmp_path: Path, nodes: list[Any], expected: bool
) -> None:
    arrays = {"zero": np.float32(0), "yes": np.array(True)}
    package = read_package(graph_package(tmp_path / "m", graph_of(nodes, arrays)))
    assert onnx_runtime._loses_nan(read_graph(package)) is expected
