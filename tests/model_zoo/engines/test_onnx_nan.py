"""NaN of a row stays NaN in ONNX Runtime, also where its own operators would make a number of it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from onnx.helper import make_graph, make_node, make_tensor_value_info  # noqa: E402

from model_zoo.engines.settings import Settings  # noqa: E402
from model_zoo.package.package import read_package  # noqa: E402
from model_zoo.scoring.scorer import load_scorer  # noqa: E402
from tests.support.graphs import graph_of, package_of  # noqa: E402
from tests.support.onnx_rows import guarded, watched  # noqa: E402


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


def floats(*numbers: float) -> np.ndarray:
    return np.array([numbers], np.float32)


def expect(model: Any, **rows: np.ndarray) -> np.ndarray:
    """Return what a graph gives as it stands there, without any guard."""
    session = onnxruntime.InferenceSession(model.SerializeToString())
    (logit,) = session.run(["logit"], rows)
    return np.asarray(logit)


LARGEST = make_node("ReduceMax", ["made"], ["logit"])
PRODUCT = make_node("MatMul", ["infinite", "w"], ["made"])
WEIGHTS = np.array([[1, -1, 2], [1, 1, 0.5], [-2, 1, 1]], np.float32)

# By name: operators, their arrays, a row, and one of which they make NaN.
MAKERS: dict[str, tuple[list[Any], dict[str, Any], np.ndarray, np.ndarray]] = {
    "root": ([make_node("Sqrt", ["x"], ["made"])], {}, floats(1, 4, 9), floats(1, -4, 9)),
    "logarithm": ([make_node("Log", ["x"], ["made"])], {}, floats(1, 2, 3), floats(1, -2, 3)),
    "quotient": ([make_node("Div", ["x", "x"], ["made"])], {}, floats(1, 2, 3), floats(1, 0, 2)),
    "power": (
        [make_node("Pow", ["x", "half"], ["made"])],
        {"half": np.float32(0.5)},
        floats(1, 4, 9),
        floats(1, -4, 9),
    ),
    "softmax of what is masked": (
        [
            make_node("Greater", ["x", "zero"], ["is_there"]),
            make_node("Where", ["is_there", "x", "nothing"], ["kept"]),
            make_node("Softmax", ["kept"], ["made"]),
        ],
        {"zero": np.float32(0), "nothing": np.float32(-np.inf)},
        floats(1, -1, 2),
        floats(-1, -2, -3),
    ),
    "infinity of which a product makes NaN": (
        [make_node("Reciprocal", ["x"], ["infinite"]), PRODUCT],
        {"w": WEIGHTS},
        floats(1, 2, 4),
        floats(0, 0, 4),
    ),
    "infinity of which a sum makes NaN": (
        [
            make_node("Exp", ["x"], ["infinite"]),
            make_node("Mul", ["x", "infinite"], ["other"]),
            make_node("Sub", ["infinite", "other"], ["made"]),
        ],
        {},
        floats(1, 2, 3),
        floats(1, 100, 3),
    ),
}


@pytest.mark.parametrize("kind", MAKERS)
def test_nan_that_the_largest_number_would_be_taken_beside(kind: str) -> None:
    nodes, arrays, right, wrong = MAKERS[kind]
    model = graph_of([*nodes, LARGEST], arrays)
    compute = guarded(model)
    np.testing.assert_array_equal(compute(x=right), expect(model, x=right))
    with pytest.raises(ValueError, match="makes NaN or infinity"):
        compute(x=np.concatenate([right, wrong]))
    no_rows = compute(x=right[:0])
    assert no_rows.size <= 1


SIGMOID_BY_HAND = [
    make_node("Neg", ["x"], ["less"]),
    make_node("Exp", ["less"], ["power"]),
    make_node("Add", ["power", "one"], ["sum"]),
    make_node("Div", ["one", "sum"], ["infinite"]),
    PRODUCT,
]


@pytest.mark.parametrize(
    ("nodes", "row"),
    [
        # Infinity is the largest number.
        ([make_node("Reciprocal", ["x"], ["made"])], floats(0, 1, 2)),
        # Divided by infinity a number is 0.
        (SIGMOID_BY_HAND, floats(-100, 1, 2)),
        # Of the logarithm of 0 masks are made.
        (
            [make_node("Log", ["x"], ["mask"]), make_node("Softmax", ["mask"], ["made"])],
            floats(0, 1, 2),
        ),
        # Nothing is 0 to divide by.
        ([make_node("Div", ["x", "one"], ["made"])], floats(0, 1, 2)),
    ],
)
def test_infinity_of_which_no_nan_is_made_is_scored(nodes: list[Any], row: np.ndarray) -> None:
    model = graph_of([*nodes, LARGEST], {"one": np.float32(1), "w": WEIGHTS})
    found = guarded(model)(x=row)
    np.testing.assert_array_equal(found, expect(model, x=row))
    assert not np.isnan(found).any()


@pytest.mark.parametrize("dtype", [onnx.TensorProto.INT64, onnx.TensorProto.DOUBLE])
def test_a_quotient_of_integers_or_of_doubles_is_watched_as_well(dtype: int) -> None:
    nodes = [
        make_node("Cast", ["x"], ["given"], to=dtype),
        make_node("Cast", ["power"], ["divisor"], to=dtype),
        make_node("Div", ["given", "divisor"], ["quotient"]),
        make_node("Cast", ["quotient"], ["infinite"], to=1),
        PRODUCT,
        LARGEST,
    ]
    model = graph_of(nodes, {"power": np.float32(2), "w": WEIGHTS})
    model.graph.initializer[0].name = "two"
    model.graph.node.insert(0, make_node("Abs", ["two"], ["power"]))
    row = floats(4, 2, 8)
    assert watched(model).flags
    np.testing.assert_array_equal(guarded(model)(x=row), expect(model, x=row))


@pytest.mark.parametrize(
    ("kind", "constant", "is_watched"),
    [("Div", 6, False), ("Div", 0, True), ("Pow", 2, False), ("Pow", 0.5, True), ("Pow", 9, True)],
)
def test_what_makes_neither_nan_nor_infinity_is_not_watched(
    kind: str, constant: float, is_watched: bool
) -> None:
    nodes = [make_node(kind, ["x", "constant"], ["infinite"]), PRODUCT, LARGEST]
    model = graph_of(nodes, {"constant": np.float32(constant), "w": WEIGHTS})
    assert bool(watched(model).flags) is is_watched


def test_numbers_of_16_bits_may_come_to_more_than_16_bits_hold() -> None:
    nodes = [
        make_node("Cast", ["x"], ["half"], to=onnx.TensorProto.FLOAT16),
        make_node("Exp", ["half"], ["infinite"]),
        PRODUCT,
        make_node("ReduceMax", ["made"], ["largest"]),
        make_node("Cast", ["largest"], ["logit"], to=onnx.TensorProto.FLOAT),
    ]
    width = 3_000
    model = graph_of(nodes, {"w": np.full((width, 1), 1e-3, np.float16)}, (width,))
    right = np.full((1, width), np.log(50), np.float32)
    wrong = np.full((1, width), 100, np.float32)
    assert guarded(model)(x=right) == pytest.approx(150, rel=0.01)
    with pytest.raises(ValueError, match="makes NaN or infinity"):
        guarded(model)(x=wrong)


POOL = make_node("MaxPool", ["found"], ["logit"], kernel_shape=[2, 2])
FILTER = np.array([[[[3.0, -3.0], [-3.0, 3.0]]]], np.float32)


def test_a_picture_with_infinity_has_no_score_and_its_graph_is_left_as_it_is() -> None:
    """Of infinity a filter makes NaN; of what is finite none, so nothing is watched inside."""
    model = graph_of([make_node("Conv", ["x", "w"], ["found"]), POOL], {"w": FILTER}, (1, 3, 3))
    made = watched(model)
    assert made.graph.content == model.SerializeToString()
    x = np.zeros((3, 1, 3, 3), np.float32)
    x[0, 0, 0, 0] = np.inf
    x[1, 0, 1, 1] = 2e19
    is_nan = np.isnan(guarded(model)(x=x)).reshape(3)
    assert is_nan.tolist() == [True, True, False]


def graph_of_three(nodes: list[Any]) -> Any:
    """A graph of `x`, `y` and `unused`, (rows, 1) each."""
    arrays = {"zero": np.float32(0), "w": np.array([[3.0], [-3.0]], np.float32)}
    model = graph_of(nodes, arrays, (1,))
    for name in ("y", "unused"):
        other = make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["rows", 1])
        model.graph.input.append(other)
    return model


def test_nan_is_looked_for_in_the_inputs_that_lead_to_a_loss_and_are_not_asked_about() -> None:
    model = graph_of_three(
        [
            make_node("IsNaN", ["x"], ["is_nan"]),
            make_node("Where", ["is_nan", "zero", "x"], ["known"]),
            make_node("Concat", ["known", "y"], ["both"], axis=1),
            make_node("ReduceMax", ["both", "axis"], ["logit"]),
        ]
    )
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([1]), "axis"))
    one, nan = floats(1), floats(np.nan)
    compute = guarded(model)
    assert compute(x=nan, y=one, unused=one).item() == 1
    assert compute(x=one, y=one, unused=nan).item() == 1
    assert np.isnan(compute(x=one, y=nan, unused=one)).all()


def branch_of(inner: Any) -> Any:
    """An If of which each branch is an operator that gives `a`."""
    given = make_tensor_value_info("a", onnx.TensorProto.FLOAT, None)
    one, other = (make_graph([inner], name, [], [given]) for name in ("one", "other"))
    return make_node("If", ["yes"], ["logit"], then_branch=one, else_branch=other)


# Attention asks of what it made itself alone.
ATTENTION = [
    make_node("Softmax", ["x"], ["shares"]),
    make_node("IsNaN", ["shares"], ["is_nan"]),
    make_node("Where", ["is_nan", "zero", "shares"], ["made"]),
]


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ([make_node("ReduceMax", ["x"], ["logit"])], True),
        ([make_node("Relu", ["x"], ["logit"])], False),
        ([*ATTENTION, LARGEST], True),
        ([make_node("IsNaN", ["x"], ["n"]), make_node("ReduceMax", ["x"], ["logit"])], False),
        ([branch_of(make_node("ReduceMax", ["x"], ["a"]))], True),
        ([branch_of(make_node("Relu", ["x"], ["a"]))], False),
    ],
)
def test_inputs_whose_nan_is_lost_are_known_by_what_is_behind(
    nodes: list[Any], expected: bool
) -> None:
    limits = watched(graph_of(nodes, {"zero": np.float32(0), "yes": np.array(True)})).limits
    assert ("x" in limits) is expected
