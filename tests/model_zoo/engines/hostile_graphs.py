"""Graphs that end the process of their library, fill its memory, never end, or are none that it takes."""

from typing import Any

import numpy as np
from onnx import TensorProto, helper

# Six GiB of float32.
_MANY = np.array([3 << 29])
FLAT = {"shape": np.array([1 << 20, 1 << 20, 3]), "one": np.ones(1, np.float32)}


def make_endless() -> list[Any]:
    """Return a loop that has no number of turns, and goes on as long as it goes on."""
    turn = helper.make_tensor_value_info("turn", TensorProto.INT64, [])
    going = helper.make_tensor_value_info("going", TensorProto.BOOL, [])
    goes_on = helper.make_tensor_value_info("goes_on", TensorProto.BOOL, [])
    before = helper.make_tensor_value_info("before", TensorProto.FLOAT, None)
    after = helper.make_tensor_value_info("after", TensorProto.FLOAT, None)
    nodes = [
        helper.make_node("Identity", ["going"], ["goes_on"]),
        helper.make_node("Relu", ["before"], ["after"]),
    ]
    body = helper.make_graph(nodes, "body", [turn, going, before], [goes_on, after])
    return [helper.make_node("Loop", ["", "yes", "x"], ["logit"], body=body)]


def make_cycle() -> list[Any]:
    """Return operators each of which takes what the other one gives."""
    return [
        helper.make_node("Add", ["x", "b"], ["a"]),
        helper.make_node("Add", ["a", "x"], ["b"]),
        helper.make_node("Relu", ["b"], ["logit"]),
    ]


def make_wild() -> list[Any]:
    """Return a place in memory that is nobody's."""
    return [
        helper.make_node("GatherND", ["table", "far"], ["wild"]),
        helper.make_node("Add", ["x", "wild"], ["logit"]),
    ]


def make_wide(*first: Any) -> list[Any]:
    """Return operators, and what makes scores of the last one's `wide` and of rows."""
    return [
        *first,
        helper.make_node("ReduceSum", ["wide"], ["sum"]),
        helper.make_node("Add", ["x", "sum"], ["logit"]),
    ]


# By name, operators and arrays.
HOSTILE: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "wild": (
        make_wild(),
        {"table": np.ones((3, 3), np.float32), "far": np.array([[1 << 30, 1 << 30]])},
    ),
    "cycle": (make_cycle(), {}),
    "endless": (make_endless(), {"yes": np.array(True)}),
    "numbers": (
        [
            helper.make_node("Expand", ["one", "shape"], ["large"]),
            helper.make_node("Add", ["x", "large"], ["logit"]),
        ],
        FLAT,
    ),
    "Tile": (
        make_wide(helper.make_node("Tile", ["x", "times"], ["wide"])),
        {"times": np.array([1, 1 << 29])},
    ),
    "Expand": (
        make_wide(
            helper.make_node("Gather", ["x", "zero"], ["column"], axis=1),
            helper.make_node("Expand", ["column", "many"], ["wide"]),
        ),
        {"zero": np.array([0]), "many": _MANY},
    ),
    "ConstantOfShape": (
        make_wide(helper.make_node("ConstantOfShape", ["many"], ["wide"])),
        {"many": _MANY},
    ),
    "Range": (
        make_wide(
            helper.make_node("Range", ["start", "end", "step"], ["all"]),
            helper.make_node("Cast", ["all"], ["wide"], to=TensorProto.FLOAT),
        ),
        {"start": np.array(0), "end": np.array(3 << 28), "step": np.array(1)},
    ),
    "operator": ([helper.make_node("Frobnicate", ["x"], ["logit"])], {}),
    "shapes": (
        [helper.make_node("MatMul", ["x", "w"], ["logit"])],
        {"w": np.ones((4, 1), np.float32)},
    ),
}
