"""A graph that OpenVINO would compute otherwise for many rows, or where no row can be told, is refused by a line that says what to use."""

from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("openvino")

from onnx import TensorProto  # noqa: E402
from onnx.helper import make_graph, make_node, make_tensor_value_info  # noqa: E402

from configs.errors import ModelError  # noqa: E402
from tests.support.graphs import graph_of  # noqa: E402
from tests.support.openvino_rows import refuse  # noqa: E402

FLOAT, INT64, INT8 = TensorProto.FLOAT, TensorProto.INT64, TensorProto.INT8
AS_SCORE = make_node("Cast", ["made"], ["logit"], to=FLOAT)


def branches(inner: list[Any]) -> Any:
    """An If that goes one way for every row, with a branch that computes, and one that does not."""
    one = make_graph(inner, "one", [], [make_tensor_value_info("a", FLOAT, None)])
    other = make_node("Cast", ["x"], ["b"], to=FLOAT)
    none = make_graph([other], "none", [], [make_tensor_value_info("b", FLOAT, None)])
    return make_node("If", ["yes"], ["made"], then_branch=one, else_branch=none)


def loop(inner: list[Any]) -> Any:
    """A Loop that gives `x` to its body, which gives `a`, three times."""
    going = make_node("Identity", ["going"], ["goes_on"])
    taken = [
        make_tensor_value_info("turn", INT64, []),
        make_tensor_value_info("going", TensorProto.BOOL, []),
        make_tensor_value_info("v", FLOAT, None),
    ]
    given = [
        make_tensor_value_info("goes_on", TensorProto.BOOL, []),
        make_tensor_value_info("a", FLOAT, None),
    ]
    body = make_graph([going, *inner], "body", taken, given)
    return make_node("Loop", ["times", "yes", "x"], ["made"], body=body)


SIGN = [
    make_node("ReduceSum", ["x"], ["sum"], keepdims=0),
    make_node("Greater", ["sum", "zero"], ["yes"]),
]
ZERO = {"zero": np.float32(0)}
TIMES = {"times": np.array(3), "yes": np.array(True)}
WIDE = {"table": np.array([5, 1 << 40])}

# By what the line says: operators, their arrays, and the dtype of x.
REFUSED: dict[str, tuple[list[Any], dict[str, Any], int]] = {
    "computes in i8 (Add)": (
        [make_node("Add", ["x", "k"], ["made"])],
        {"k": np.array(1, np.int8)},
        INT8,
    ),
    "computes in i8 (Negative)": ([make_node("Neg", ["x"], ["made"])], {}, INT8),
    "integers by Einsum": (
        [make_node("Einsum", ["x", "k"], ["made"], equation="bi,i->b")],
        {"k": np.array([1, 2, 3])},
        INT64,
    ),
    "integers by ReduceL1": ([make_node("ReduceL1", ["x"], ["made"])], {}, INT64),
    "remainders of floating point (Mod)": (
        [make_node("Mod", ["x", "k"], ["made"], fmod=1)],
        {"k": np.float32(0.1)},
        FLOAT,
    ),
    "makes i16 of other numbers": (
        [make_node("Cast", ["x"], ["made"], to=TensorProto.INT16)],
        {},
        INT64,
    ),
    "beyond 32 bits (Gather)": ([make_node("Gather", ["table", "x"], ["made"])], WIDE, INT64),
    "float64 (Convert)": ([make_node("Cast", ["x"], ["made"], to=TensorProto.DOUBLE)], {}, FLOAT),
    "Sqrt inside of If": (
        [*SIGN, branches([make_node("Sqrt", ["x"], ["a"])])],
        ZERO,
        FLOAT,
    ),
    "inside of Loop": (
        [
            loop(
                [
                    make_node("Cast", ["v"], ["places"], to=TensorProto.INT32),
                    make_node("Gather", ["table", "places"], ["a"]),
                ]
            )
        ],
        {**TIMES, "table": np.arange(9, dtype=np.float32)},
        FLOAT,
    ),
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_is_refused(words: str) -> None:
    nodes, arrays, dtype = REFUSED[words]
    with pytest.raises(ModelError) as told:
        refuse(graph_of([*nodes, AS_SCORE], arrays, dtype=dtype))
    message = str(told.value)
    assert words in message
    assert message.endswith("set model.engine to onnxruntime")


ACCEPTED: dict[str, tuple[list[Any], dict[str, Any], int]] = {
    "what bytes are converted to": (
        [make_node("Cast", ["x"], ["made"], to=TensorProto.INT16)],
        {},
        INT8,
    ),
    "moves of small integers": ([make_node("Max", ["x", "x"], ["made"])], {}, INT8),
    "a wide integer that is no number of a row": (
        [make_node("Slice", ["x", "start", "end", "axis"], ["made"])],
        {"start": np.array([0]), "end": np.array([np.iinfo(np.int64).max]), "axis": np.array([1])},
        INT64,
    ),
    "branches that only move": (
        [*SIGN, branches([make_node("Neg", ["x"], ["a"])])],
        ZERO,
        FLOAT,
    ),
    "a loop over floats": ([loop([make_node("Tanh", ["v"], ["a"])])], TIMES, FLOAT),
    "what no row decides": (
        [
            make_node("Shape", ["x"], ["shape"]),
            make_node("Cast", ["shape"], ["made"], to=TensorProto.INT16),
        ],
        {},
        FLOAT,
    ),
}


@pytest.mark.parametrize("kind", ACCEPTED)
def test_what_is_not_refused(kind: str) -> None:
    nodes, arrays, dtype = ACCEPTED[kind]
    refuse(graph_of([*nodes, AS_SCORE], arrays, dtype=dtype))
