"""Let a graph tell of NaN of which OpenVINO would make a number.

Of a ReLU 0 comes out, so a row would be scored by nothing. Where a graph makes NaN of numbers, and loses it
behind, `NAN` says so. That no NaN comes in is looked at before, and that no number is so large that sums of
its products are none:

    numbers --> Sqrt --+--> Relu --> as in the graph
                       +--> is NaN? --> NAN (one bool for all of the graph)
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from model_zoo.engines.openvino_flags import (
    BODIES,
    FLOATS,
    add_flag,
    depends_on_rows,
    find_constant,
    find_dtype,
    has_any,
)

# A name that no card can have for an output.
NAN = "number is NaN"
_MAKE_NAN = frozenset({"Sqrt", "Log", "Asin", "Acos", "Acosh", "Atanh"})
# Positive numbers stay so.
_MOVES = frozenset({"Sqrt", "Broadcast", "Reshape", "Unsqueeze", "Squeeze", "Transpose", "Convert"})
# What they give is never below 0; of numbers that are not, neither is what sums and means give.
_SIZES = frozenset({"Abs", "Exp", "Relu", "Sigmoid", "ReduceL1", "ReduceL2"})
_SUMS = _MOVES | {"ReduceMean", "ReduceSum", "ReduceMax"}
# Where all numbers of a row may be minus infinity, as masks of texts are.
_SOFTMAX = frozenset({"Softmax", "LogSoftmax"})
# Of NaN they make a number, on some processors at least.
_LOSE_NAN = frozenset(
    {
        "Relu", "PRelu", "Clamp", "HardSigmoid", "HSigmoid", "HSwish", "Exp", "Maximum", "Minimum",
        "ReduceMax", "ReduceMin", "MaxPool", "Greater", "GreaterEqual", "Less", "LessEqual",
        "Equal", "NotEqual", "Convert", "ConvertLike", "TopK", "GridSample",
        # What is inside of them is not followed.
        *BODIES,
    }
)  # fmt: skip
# Of one number that is NaN they make NaN of it alone, and 0 of those beside it.
_LOSE_MADE_NAN = _LOSE_NAN | _SOFTMAX
# With one of these a graph knows about infinity, and says itself what becomes of it.
_KNOW_INFINITY = frozenset({"IsInf", "IsFinite"})


def guard_nan(opset: Any, model: Any) -> bool:
    """Add the output `NAN` to a model that makes NaN and loses it, and tell whether it does.

    Args:
        opset: OpenVINO's operators.
        model: OpenVINO's, which is changed.
    """
    flags = []
    # A list, as operators are added on the way.
    nodes = list(model.get_ordered_ops())
    may_be_infinite = any(map(_holds_infinity, nodes))
    for node in nodes:
        is_lost = makes_nan(node, may_be_infinite) and _is_lost_behind(node)
        # Others are the same for all rows, and are tried before the model scores.
        if is_lost and depends_on_rows(node.output(0)):
            numbers = _choose_numbers(opset, node)
            flags.append(has_any(opset, opset.is_nan(numbers)))
    if not flags:
        return False
    add_flag(opset, model, NAN, flags)
    return True


def _choose_numbers(opset: Any, node: Any) -> Any:
    """Return what has NaN if what an operator gives has any."""
    if node.get_type_name() not in _SOFTMAX:
        return node
    # Its numbers along an axis have a sum in common: the first is NaN if another is. Of attention
    # that is one number for a text's length of them.
    axis = opset.constant(node.get_attributes()["axis"], np.int64)
    first = opset.constant(0, np.int64)
    return opset.gather(node, first, axis)


def knows_nan(model: Any) -> bool:
    """Tell whether a graph asks itself which of its numbers are NaN: those of pipelines.package do."""
    asking = [node for node in model.get_ops() if node.get_type_name() == "IsNaN"]
    asked = [node.input_value(0).get_node() for node in asking]
    # Attention asks so of what it made itself, and then a row's NaN is nobody's.
    return any(node.get_type_name() not in _SOFTMAX for node in asked)


def knows_infinity(model: Any) -> bool:
    """Tell whether a graph asks itself which of its numbers are infinite."""
    return any(node.get_type_name() in _KNOW_INFINITY for node in model.get_ops())


def loses_nan(model: Any) -> bool:
    """Tell whether a graph may make a number of NaN."""
    return any(node.get_type_name() in _LOSE_NAN for node in model.get_ops())


def makes_nan(node: Any, may_be_infinite: bool = True) -> bool:
    """Tell whether an operator may make NaN of numbers.

    Args:
        node: the operator.
        may_be_infinite: whether infinities come about in its graph.
    """
    if not node.outputs() or find_dtype(node.output(0)) not in FLOATS:
        return False
    kind = node.get_type_name()
    if kind == "Power":
        return not _is_whole_power(node)
    if kind == "Divide":
        return not _is_above_zero(node.input_value(1))
    if kind in _SOFTMAX:
        return may_be_infinite
    return kind in _MAKE_NAN


def _holds_infinity(node: Any) -> bool:
    """Tell whether infinities come of an operator: a constant, as in masks, or the logarithm of 0."""
    numbers = find_constant(node.output(0)) if node.outputs() else None
    if numbers is None:
        return node.get_type_name() == "Log"
    is_float = numbers.dtype.kind == "f"
    return is_float and bool(np.any(np.isinf(numbers)))


def _is_above_zero(divisor: Any) -> bool:
    """Tell whether nothing is divided by 0: a constant, or what has something added to it for that."""
    numbers = find_constant(divisor)
    if numbers is not None:
        return bool(np.all(numbers != 0))
    node = divisor.get_node()
    kind = node.get_type_name()
    if kind in _MOVES:
        return _is_above_zero(node.input_value(0))
    if kind == "Clamp":
        return bool(node.get_attributes()["min"] > 0)
    if kind not in ("Add", "Maximum"):
        return False
    first, second = node.input_values()
    for least, other in ((first, second), (second, first)):
        numbers = find_constant(least)
        if numbers is not None and np.all(numbers > 0):
            # Of a variance and a small number, or of a size and 1.
            return kind == "Maximum" or _is_never_below_zero(other)
    return False


def _is_never_below_zero(value: Any) -> bool:
    """Tell whether numbers are sizes, or squares, or what is added up of such."""
    node = value.get_node()
    kind = node.get_type_name()
    if kind in _SUMS:
        return _is_never_below_zero(node.input_value(0))
    if kind == "Multiply":
        first, second = [taken.get_node().get_name() for taken in node.input_values()]
        return bool(first == second)
    if kind == "Power":
        exponent = find_constant(node.input_value(1))
        return exponent is not None and bool(np.all(exponent % 2 == 0))
    return kind in _SIZES


def _is_whole_power(node: Any) -> bool:
    """Tell whether an exponent is known, and has no root of a negative number in it."""
    values = find_constant(node.input_value(1))
    if values is None:
        return False
    return bool(np.all(values == np.round(values)))


def _is_lost_behind(node: Any) -> bool:
    seen = set()
    pending = [node]
    # Attention that exporters wrote asks so itself, and puts 0 in its place.
    if any(taker.get_type_name() == "IsNaN" for taker in _list_takers(node)):
        return False
    while pending:
        for behind in _list_takers(pending.pop()):
            if behind.get_type_name() in _LOSE_MADE_NAN:
                return True
            if behind.get_name() not in seen:
                seen.add(behind.get_name())
                pending.append(behind)
    return False


def _list_takers(node: Any) -> Iterator[Any]:
    for output in node.outputs():
        for taken in output.get_target_inputs():
            yield taken.get_node()
