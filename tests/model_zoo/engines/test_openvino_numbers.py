"""A row whose numbers OpenVINO would go on with as others is rejected alone, and the others' scores are ONNX Runtime's."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
openvino = pytest.importorskip("openvino")

from onnx import TensorProto  # noqa: E402
from onnx.helper import make_node  # noqa: E402

from model_zoo.engines.openvino_numbers import counts, guard_integers  # noqa: E402
from model_zoo.engines.settings import Settings  # noqa: E402
from model_zoo.package.package import read_package  # noqa: E402
from model_zoo.scoring.scorer import load_scorer  # noqa: E402
from tests.support.graphs import graph_of, package_of  # noqa: E402

ROW = 21
AXIS = np.array([1])
EXACT = 1 << 24
AS_SCORE = make_node("Cast", ["made"], ["logit"], to=TensorProto.FLOAT)


def score(url: Path, nodes: list[Any], arrays: dict[str, Any], x: np.ndarray) -> Any:
    """Score 40 rows, which are smoke batch but for `ROW`, in mini-batches of 16; and what ONNX Runtime gives."""
    dtype = onnx.helper.np_dtype_to_tensor_dtype(x.dtype)
    model = graph_of(nodes, arrays, dtype=dtype)
    package = read_package(package_of(url, model, {"x": x[:8]}))
    scored = load_scorer(package, "cpu", Settings(16, engine="openvino"), 2)({"x": x})
    session = onnxruntime.InferenceSession(model.SerializeToString())
    (expected,) = session.run(["logit"], {"x": x})
    others = np.arange(len(x)) != ROW
    found = scored.outputs["logit"].reshape(expected.shape)
    np.testing.assert_allclose(found[others], expected[others], rtol=1e-6)
    return scored


def whole_rows(largest: int, wrong: int) -> np.ndarray:
    x = np.random.default_rng(0).integers(1, largest, (40, 3))
    x[ROW] = wrong
    return x


# By name: operators, their arrays, and a number of which they make one that OpenVINO does not hold.
INTEGERS: dict[str, tuple[list[Any], dict[str, Any], int]] = {
    "product": ([make_node("Mul", ["x", "k"], ["made"])], {"k": np.array(10_007)}, 1 << 20),
    "sum of two": ([make_node("Add", ["x", "k"], ["made"])], {"k": np.array(1 << 30)}, 1 << 30),
    "difference": ([make_node("Sub", ["k", "x"], ["made"])], {"k": np.array(-(1 << 30))}, 1 << 30),
    "sums": ([make_node("CumSum", ["x", "axis"], ["made"])], {"axis": np.array(1)}, 1 << 30),
    "sum": ([make_node("ReduceSum", ["x", "axis"], ["made"])], {"axis": AXIS}, EXACT // 2),
    "products": ([make_node("ReduceProd", ["x", "axis"], ["made"])], {"axis": AXIS}, 1 << 10),
    "power": ([make_node("Pow", ["x", "k"], ["made"])], {"k": np.array(2)}, 1 << 13),
    "matrices": (
        [make_node("MatMul", ["x", "w"], ["made"])],
        {"w": np.ones((3, 2), np.int64)},
        EXACT // 2,
    ),
    "largest": ([make_node("ReduceMax", ["x", "axis"], ["made"])], {"axis": AXIS}, EXACT + 1),
    "quotient": ([make_node("Div", ["x", "k"], ["made"])], {"k": np.array(3)}, EXACT + 1),
    "remainder": ([make_node("Mod", ["x", "k"], ["made"])], {"k": np.array(1009)}, EXACT + 1),
    "comparison": (
        [make_node("Equal", ["x", "k"], ["made"])],
        {"k": np.array(EXACT)},
        EXACT + 1,
    ),
}


@pytest.mark.parametrize("kind", INTEGERS)
def test_integers(tmp_path: Path, kind: str) -> None:
    nodes, arrays, wrong = INTEGERS[kind]
    scored = score(tmp_path / "m", [*nodes, AS_SCORE], arrays, whole_rows(100, wrong))
    assert list(scored.rejected) == [ROW]
    assert "a larger integer than OpenVINO holds" in str(scored.rejected[ROW])


@pytest.mark.parametrize("wrong", [1e10, -1e10])
def test_integers_of_floats(tmp_path: Path, wrong: float) -> None:
    x = np.random.default_rng(0).uniform(0, 1000, (40, 3)).astype(np.float32)
    x[ROW, 1] = wrong
    nodes = [make_node("Cast", ["x"], ["made"], to=TensorProto.INT64), AS_SCORE]
    assert list(score(tmp_path / "m", nodes, {}, x).rejected) == [ROW]


def test_a_constant_that_is_compared_with_may_be_the_largest(tmp_path: Path) -> None:
    nodes = [make_node("Less", ["x", "k"], ["made"]), AS_SCORE]
    arrays = {"k": np.array(np.iinfo(np.int64).max)}
    assert not score(tmp_path / "m", nodes, arrays, whole_rows(100, 7)).rejected


def test_what_is_compared_with_a_small_constant_may_be_large(tmp_path: Path) -> None:
    nodes = [make_node("Less", ["x", "k"], ["made"]), AS_SCORE]
    # Which float32 does not hold, but stays on its side of 50.
    x = whole_rows(100, (1 << 30) + 1)
    scored = score(tmp_path / "m", nodes, {"k": np.array(50)}, x)
    assert not scored.rejected
    np.testing.assert_array_equal(scored.outputs["logit"], x < 50)


def test_nan_that_is_lost_some_steps_behind(tmp_path: Path) -> None:
    x = np.random.default_rng(0).uniform(0.1, 0.9, (40, 3)).astype(np.float32)
    x[ROW, 2] = -4
    names = ["x", "made", "moved", "added", "logit"]
    kinds = ["Sqrt", "Tanh", "Sin", "Relu"]
    nodes = [
        make_node(kind, [before], [after])
        for kind, before, after in zip(kinds, names[:-1], names[1:], strict=True)
    ]
    assert list(score(tmp_path / "m", nodes, {}, x).rejected) == [ROW]


@pytest.mark.parametrize("maker", ["Sqrt", "Log", "Acos"])
def test_nan_that_a_graph_makes_and_loses(tmp_path: Path, maker: str) -> None:
    x = np.random.default_rng(0).uniform(0.1, 0.9, (40, 3)).astype(np.float32)
    x[ROW, 2] = -4
    nodes = [make_node(maker, ["x"], ["made"]), make_node("Relu", ["made"], ["logit"])]
    scored = score(tmp_path / "m", nodes, {}, x)
    assert list(scored.rejected) == [ROW]
    assert "the graph makes NaN" in str(scored.rejected[ROW])


def test_nan_that_stays_is_no_error_but_no_score(tmp_path: Path) -> None:
    x = np.random.default_rng(0).uniform(0.1, 0.9, (40, 3)).astype(np.float32)
    x[ROW] = -4
    scored = score(tmp_path / "m", [make_node("Sqrt", ["x"], ["logit"])], {}, x)
    assert not scored.rejected
    assert np.isnan(scored.outputs["logit"][ROW]).all()


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_a_row_with_nan_or_infinity_has_no_score(tmp_path: Path, wrong: float) -> None:
    """Of a ReLU OpenVINO gives 0 for NaN."""
    x = np.random.default_rng(0).standard_normal((40, 3)).astype(np.float32)
    x[ROW, 1] = wrong
    scored = score(tmp_path / "m", [make_node("Relu", ["x"], ["logit"])], {}, x)
    assert np.isnan(scored.outputs["logit"][ROW]).all()


def test_a_graph_that_knows_about_nan_says_what_becomes_of_it(tmp_path: Path) -> None:
    x = np.random.default_rng(0).standard_normal((40, 3)).astype(np.float32)
    x[ROW, 1] = np.nan
    nodes = [
        make_node("IsNaN", ["x"], ["is_nan"]),
        make_node("Where", ["is_nan", "zero", "x"], ["logit"]),
    ]
    scored = score(tmp_path / "m", nodes, {"zero": np.float32(0)}, x)
    assert scored.outputs["logit"][ROW, 1] == 0


def test_what_rows_do_not_decide_is_not_watched() -> None:
    nodes = [
        make_node("Shape", ["x"], ["shape"]),
        make_node("Mul", ["shape", "shape"], ["squares"]),
        make_node("Cast", ["squares"], ["logit"], to=TensorProto.FLOAT),
    ]
    model = openvino.Core().read_model(graph_of(nodes).SerializeToString())
    assert guard_integers(openvino.opset13, model) == ()


def test_of_floats_nothing_before_is_looked_at() -> None:
    operators = openvino.opset13
    x = operators.parameter([-1, 3], np.float32)
    output = operators.add(x, x).output(0)
    # It cannot say what it takes: a deep network has thousands of these, each behind all before it.
    node = SimpleNamespace(get_type_name=lambda: "Add", output=lambda port: output)
    assert not counts(node)


def test_an_input_of_which_nothing_is_made_is_left_out(tmp_path: Path) -> None:
    model = graph_of([make_node("Relu", ["x"], ["logit"])])
    model.graph.input.append(onnx.helper.make_tensor_value_info("y", 1, ["rows", 3]))
    x = np.random.default_rng(0).standard_normal((8, 3)).astype(np.float32)
    package = read_package(package_of(tmp_path / "m", model, {"y": x, "x": x}))
    scored = load_scorer(package, "cpu", Settings(16, engine="openvino"), 1)({"y": x, "x": x})
    np.testing.assert_array_equal(scored.outputs["logit"], np.maximum(x, 0))
