"""A row that OpenVINO would compute otherwise is an error, and the row beside it is ONNX Runtime's."""

from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("openvino")

from onnx import TensorProto  # noqa: E402
from onnx.helper import make_node  # noqa: E402

from model_zoo.engines.openvino_library import import_openvino  # noqa: E402
from model_zoo.engines.openvino_nan import guard_nan  # noqa: E402
from tests.support.graphs import graph_of  # noqa: E402
from tests.support.openvino_rows import guarded  # noqa: E402

EXACT = 1 << 24
SMALLEST = -(1 << 31)
RIGHT = np.array([[5, 6, 7]])
AS_SCORE = make_node("Cast", ["made"], ["logit"], to=TensorProto.FLOAT)


def check(
    nodes: list[Any],
    arrays: dict[str, Any],
    right: np.ndarray,
    wrong: np.ndarray,
    error: type[Exception] | None,
) -> None:
    """Compute a row that is right, and one that is an error, or right, too."""
    dtype = onnx.helper.np_dtype_to_tensor_dtype(right.dtype)
    model = graph_of(nodes, arrays, right.shape[1:], dtype)
    compute = guarded(model)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    for x in (right,) if error else (right, wrong):
        (expected,) = session.run(["logit"], {"x": x})
        np.testing.assert_allclose(compute(x), expected, rtol=1e-6)
    if error:
        with pytest.raises(error):
            compute(wrong)


# By name: operators, their arrays, and a number that OpenVINO does not hold, or makes no such one of.
INTEGERS: dict[str, tuple[list[Any], dict[str, Any], int]] = {
    "clip": (
        [make_node("Clip", ["x", "k", "m"], ["made"])],
        {"k": np.array(0), "m": np.array(EXACT + 1)},
        EXACT + 1,
    ),
    "size": ([make_node("Abs", ["x"], ["made"])], {}, SMALLEST),
    "negative": ([make_node("Neg", ["x"], ["made"])], {}, SMALLEST),
    "is one": ([make_node("Cast", ["x"], ["made"], to=TensorProto.BOOL)], {}, SMALLEST),
    "reversed": (
        [make_node("ReverseSequence", ["x", "k"], ["made"], batch_axis=1, time_axis=0)],
        {"k": np.array([1, 1, 1])},
        EXACT + 1,
    ),
    "like another": (
        [make_node("Cast", ["x"], ["f"], to=1), make_node("CastLike", ["f", "k"], ["made"])],
        {"k": np.array(1)},
        (1 << 31) - 1,
    ),
}


@pytest.mark.parametrize("kind", INTEGERS)
def test_integers(kind: str) -> None:
    nodes, arrays, wrong = INTEGERS[kind]
    check([*nodes, AS_SCORE], arrays, RIGHT, np.full((1, 3), wrong), OverflowError)


@pytest.mark.parametrize("kind", ["Equal", "Less", "GreaterOrEqual"])
@pytest.mark.parametrize("wide", [EXACT + 1, SMALLEST, -EXACT - 3, (1 << 31) - 1])
def test_integers_of_any_size_are_compared_with_small_ones(kind: str, wide: int) -> None:
    """Rounded, they stay on their side."""
    nodes = [make_node(kind, ["x", "k"], ["made"]), AS_SCORE]
    check(nodes, {"k": np.array(6)}, RIGHT, np.full((1, 3), wide), None)


@pytest.mark.parametrize("bound", [100, np.iinfo(np.int64).max])
def test_integers_of_any_size_are_clipped_where_float32_holds_the_bound(bound: int) -> None:
    nodes = [make_node("Clip", ["x", "k", "m"], ["made"]), AS_SCORE]
    arrays = {"k": np.array(0), "m": np.array(bound)}
    check(nodes, arrays, RIGHT, np.full((1, 3), EXACT + 1), None)


@pytest.mark.parametrize("kind", ["Div", "Mod"])
def test_an_integer_that_is_divided_by_0(kind: str) -> None:
    nodes = [make_node(kind, ["k", "x"], ["made"]), AS_SCORE]
    check(nodes, {"k": np.array(7)}, RIGHT, np.array([[1, 0, 1]]), ZeroDivisionError)


RELU = make_node("Relu", ["made"], ["logit"])


def floats(*numbers: float) -> np.ndarray:
    return np.array([numbers], np.float32)


# By name: operators, their arrays, a row, and one of which they make NaN.
MAKERS: dict[str, tuple[list[Any], dict[str, Any], np.ndarray, np.ndarray]] = {
    "area": ([make_node("Acosh", ["x"], ["made"])], {}, floats(1, 2, 3), floats(1, 0.5, 2)),
    "other area": ([make_node("Atanh", ["x"], ["made"])], {}, floats(0, 0.5, 1), floats(0, 2, 0)),
    "quotient": ([make_node("Div", ["x", "x"], ["made"])], {}, floats(1, 2, 3), floats(1, 0, 2)),
    "quotient of what may be 0, though something is added": (
        [make_node("Add", ["x", "one"], ["more"]), make_node("Div", ["more", "more"], ["made"])],
        {"one": np.float32(1)},
        floats(1, 2, 3),
        floats(1, -1, 2),
    ),
    "share": (
        [make_node("ReduceSum", ["x"], ["sum"]), make_node("Div", ["x", "sum"], ["made"])],
        {},
        floats(1, 2, 3),
        floats(0, 0, 0),
    ),
    "infinity of which a product makes NaN": (
        [
            make_node("Reciprocal", ["x"], ["infinite"]),
            make_node("MatMul", ["infinite", "w"], ["made"]),
        ],
        {"w": np.array([[1, -1, 2], [1, 1, 0.5], [-2, 1, 1]], np.float32)},
        floats(1, 2, 4),
        floats(0, -0.0, 4),
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
}


@pytest.mark.parametrize("kind", MAKERS)
def test_nan_that_a_relu_would_make_0_of(kind: str) -> None:
    nodes, arrays, right, wrong = MAKERS[kind]
    check([*nodes, RELU], arrays, right, wrong, ValueError)


@pytest.mark.parametrize("kind", ["Softmax", "LogSoftmax"])
def test_nan_of_one_class_that_others_would_be_scored_beside(kind: str) -> None:
    """OpenVINO makes 0 of the others, and not NaN of all."""
    nodes = [
        make_node("Sqrt", ["x"], ["made"]),
        make_node(kind, ["made"], ["shares"]),
        make_node("Gather", ["shares", "last"], ["logit"], axis=1),
    ]
    wrong = floats(-1, 0.5, 2)
    compute = guarded(graph_of(nodes, {"last": np.array([1, 2])}), (2,))
    assert np.isfinite(compute(floats(1, 0.5, 2))).all()
    with pytest.raises(ValueError, match="makes NaN"):
        compute(wrong)


def test_a_divisor_that_is_kept_above_0_is_not_watched() -> None:
    nodes = [
        make_node("Abs", ["x"], ["size"]),
        make_node("Clip", ["size", "least"], ["kept"]),
        make_node("Div", ["x", "kept"], ["made"]),
        RELU,
    ]
    check(nodes, {"least": np.float32(1e-3)}, floats(1, -2, 3), floats(0, 0, 0), None)


@pytest.mark.parametrize(
    ("nodes", "is_watched"),
    [
        ([make_node("Abs", ["x"], ["size"])], False),
        ([make_node("Exp", ["x"], ["size"])], False),
        ([make_node("Mul", ["x", "x"], ["square"]), make_node("ReduceMean", ["square"], ["size"])], False),
        ([make_node("Pow", ["x", "two"], ["size"])], False),
        ([make_node("Pow", ["x", "three"], ["size"])], True),
        ([make_node("Mul", ["x", "two"], ["size"])], True),
        ([make_node("ReduceSum", ["x"], ["size"])], True),
    ],
)  # fmt: skip
def test_what_is_divided_by_a_size_and_a_small_number_is_not_watched(
    nodes: list[Any], is_watched: bool
) -> None:
    arrays = {"two": np.float32(2), "three": np.float32(3), "small": np.float32(1e-5)}
    divide = [
        make_node("Add", ["size", "small"], ["sum"]),
        make_node("Div", ["x", "sum"], ["made"]),
        RELU,
    ]
    openvino = import_openvino()
    model = openvino.Core().read_model(graph_of([*nodes, *divide], arrays).SerializeToString())
    assert guard_nan(openvino.opset13, model) is is_watched


@pytest.mark.parametrize(
    ("nodes", "row"),
    [
        ([make_node("Reciprocal", ["x"], ["made"])], floats(0, 1, 2)),
        (
            [make_node("Log", ["x"], ["mask"]), make_node("Softmax", ["mask"], ["made"])],
            floats(0, 1, 2),
        ),
        (
            [
                make_node("Exp", ["x"], ["power"]),
                make_node("Add", ["power", "one"], ["sum"]),
                make_node("Div", ["one", "sum"], ["share"]),
                make_node("MatMul", ["share", "w"], ["made"]),
            ],
            floats(100, 1, 2),
        ),
    ],
)
def test_infinity_of_which_no_nan_is_made_is_scored(nodes: list[Any], row: np.ndarray) -> None:
    """Infinity stays infinity in a ReLU, and a number that is divided by it is 0."""
    arrays = {"one": np.float32(1), "w": np.eye(3, dtype=np.float32)}
    check([*nodes, RELU], arrays, floats(1, 2, 3), row, None)


def test_nan_of_one_input_is_none_of_another_s_business() -> None:
    """One is asked about by the graph, and of one it makes nothing."""
    nodes = [
        make_node("IsNaN", ["x"], ["is_nan"]),
        make_node("Where", ["is_nan", "zero", "x"], ["known"]),
        make_node("Add", ["known", "y"], ["made"]),
        RELU,
    ]
    model = graph_of(nodes, {"zero": np.float32(0)})
    for name in ("y", "unused"):
        model.graph.input.append(onnx.helper.make_tensor_value_info(name, 1, ["rows", 3]))
    compute = guarded(model)
    one, nan = floats(1, 1, 1), floats(1, np.nan, 1)
    np.testing.assert_array_equal(compute(nan, y=one, unused=one), floats(2, 1, 2))
    np.testing.assert_array_equal(compute(one, y=one, unused=nan), floats(2, 2, 2))
    assert np.isnan(compute(one, y=nan, unused=one)).all()


def test_numbers_whose_squares_overflow_have_no_score_where_a_relu_would_lose_nan() -> None:
    """Infinity minus infinity is NaN, of which the ReLU makes 0: the row would be scored by nothing."""
    weights = np.array([[3e38] * 3, [-3e38] * 3, [3e38] * 3], np.float32)
    nodes = [make_node("MatMul", ["x", "w"], ["made"]), RELU]
    compute = guarded(graph_of(nodes, {"w": weights}))
    assert np.isnan(compute(floats(3e38, 3e38, 0))).all()
    assert np.isfinite(compute(floats(0.1, 0.1, 0.1))).all()


def test_infinity_has_no_score_where_a_graph_asks_what_is_nan_alone() -> None:
    """As those do that pipelines.package exports: NaN is theirs, and infinity minus infinity nobody's."""
    nodes = [
        make_node("IsNaN", ["x"], ["is_nan"]),
        make_node("Where", ["is_nan", "zero", "x"], ["known"]),
        make_node("Relu", ["known"], ["logit"]),
    ]
    compute = guarded(graph_of(nodes, {"zero": np.float32(0)}))
    assert np.isnan(compute(floats(1, np.inf, 2))).all()
    assert np.isnan(compute(floats(1, -2e19, np.nan))).all()
    np.testing.assert_array_equal(compute(floats(1, -2, np.nan)), floats(1, 0, 0))


def test_a_graph_that_asks_what_is_infinite_says_itself_what_becomes_of_it() -> None:
    nodes = [
        make_node("IsInf", ["x"], ["is_infinite"]),
        make_node("Where", ["is_infinite", "zero", "x"], ["known"]),
        make_node("Relu", ["known"], ["logit"]),
    ]
    compute = guarded(graph_of(nodes, {"zero": np.float32(0)}))
    np.testing.assert_array_equal(compute(floats(1, np.inf, 2)), floats(1, 0, 2))
    # And says nothing of what is NaN.
    assert np.isnan(compute(floats(1, np.nan, 2))).all()


def test_nan_has_no_score_where_attention_asks_for_its_own_alone() -> None:
    nodes = [
        make_node("Softmax", ["x"], ["shares"]),
        make_node("IsNaN", ["shares"], ["is_nan"]),
        make_node("Where", ["is_nan", "zero", "shares"], ["kept"]),
        make_node("Mul", ["kept", "x"], ["made"]),
        RELU,
    ]
    compute = guarded(graph_of(nodes, {"zero": np.float32(0)}))
    assert np.isnan(compute(floats(1, np.nan, 2))).all()
    assert np.isfinite(compute(floats(1, 0, 2))).all()


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize(("steps", "is_there"), [(0, True), (4, True), (5, False), (-1, False)])
def test_a_sequence_has_no_more_steps_than_it_is_long(
    kind: str, steps: int, is_there: bool
) -> None:
    """OpenVINO would read on, and give numbers for steps that are not there."""
    gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[kind]
    random = np.random.default_rng(0)
    arrays = {
        "w": random.standard_normal((1, 2 * gates, 1)).astype(np.float32),
        "r": random.standard_normal((1, 2 * gates, 2)).astype(np.float32),
        "start": np.array([0]),
        "end": np.array([1]),
        "axis": np.array([1]),
        "one": np.array([-1]),
        "last": np.array([2]),
    }
    nodes = [
        make_node("Slice", ["x", "start", "end", "axis"], ["first"]),
        make_node("Reshape", ["first", "one"], ["flat"]),
        make_node("Cast", ["flat"], ["lengths"], to=TensorProto.INT32),
        make_node("Unsqueeze", ["x", "last"], ["column"]),
        make_node("Transpose", ["column"], ["sequence"], perm=[1, 0, 2]),
        make_node(kind, ["sequence", "w", "r", "", "lengths"], ["", "logit"], hidden_size=2),
    ]
    right = floats(3, 0.5, 1, 2)
    check(nodes, arrays, right, floats(steps, 0.5, 1, 2), None if is_there else IndexError)
