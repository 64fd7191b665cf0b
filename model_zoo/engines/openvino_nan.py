"""Let a graph tell of NaN of which OpenVINO would make a number.

Of a ReLU 0 comes out, so a row would be scored by nothing. Where a graph makes NaN of numbers, or infinity of
which it makes NaN behind, and loses that, `NAN` says so. That no NaN comes in is looked at before, and that no
number is so large that sums of its products are none:

    numbers --> Sqrt --+--> Relu --> as in the graph
                       +--> is NaN? --> NAN (one bool for all of the graph)
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from model_zoo.engines.nan_flow import MOVES, Taker, is_lost
from model_zoo.engines.openvino_flags import (
    BODIES,
    FLOATS,
    add_flag,
    depends_on_rows,
    find_constant,
    find_dtype,
    has_any,
    list_inputs,
)

# A name that no card can have for an output.
NAN = "number is NaN"
_MAKE_NAN = frozenset({"Sqrt", "Log", "Asin", "Acos", "Acosh", "Atanh"})
# The logarithm of 0 is none of them: masks are made of it, which a softmax takes.
_MAKE_INFINITY = frozenset({"Exp", "Atanh", "Sinh", "Cosh", "Tan"})
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
        "Equal", "NotEqual", "Convert", "ConvertLike", "TopK", "GridSample", "FakeQuantize",
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
        is_infinity_lost = _makes_infinity(node) and _is_lost_behind(node, is_nan=False)
        is_nan_lost = makes_nan(node, may_be_infinite) and _is_lost_behind(node, is_nan=True)
        # Others are the same for all rows, and are tried before the model scores.
        if not (is_infinity_lost or is_nan_lost) or not depends_on_rows(node.output(0)):
            continue
        if is_infinity_lost:
            flags.append(_tell_not_finite(opset, node))
        else:
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


def _tell_not_finite(opset: Any, node: Any) -> Any:
    """Return whether anything is infinite or NaN, a single bool."""
    size = opset.absolute(node)
    infinity = opset.constant(np.inf, node.output(0).get_element_type())
    # So asked, it is true of NaN, too.
    is_finite = opset.less(size, infinity)
    return has_any(opset, opset.logical_not(is_finite))


def find_nan_inputs(model: Any) -> frozenset[str]:
    """Return the inputs of which a graph asks itself what is NaN: those of pipelines.package do."""
    return _find_asked(model, frozenset({"IsNaN"}))


def find_infinite_inputs(model: Any) -> frozenset[str]:
    """Return the inputs of which a graph asks itself what is infinite."""
    return _find_asked(model, _KNOW_INFINITY)


def _find_asked(model: Any, kinds: frozenset[str]) -> frozenset[str]:
    asked: set[str] = set()
    for node in model.get_ops():
        if node.get_type_name() not in kinds:
            continue
        # Of what it made itself it may ask for another reason, as attention does.
        for found in list_inputs(node.input_value(0), MOVES):
            asked |= found.output(0).get_names()
    return frozenset(asked)


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


def _makes_infinity(node: Any) -> bool:
    """Tell whether an operator may make infinity of numbers that are not large."""
    if not node.outputs() or find_dtype(node.output(0)) not in FLOATS:
        return False
    kind = node.get_type_name()
    if kind == "Power":
        exponent = find_constant(node.input_value(1))
        return exponent is None or bool(np.any(exponent < 0))
    if kind == "Divide":
        return not _is_above_zero(node.input_value(1))
    return kind in _MAKE_INFINITY


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


def _is_lost_behind(node: Any, is_nan: bool) -> bool:
    # Attention that exporters wrote asks so itself, and puts 0 in its place.
    if any(taker.get_type_name() == "IsNaN" for taker, _ in _list_ports(node)):
        return False
    nodes = {node.get_name(): node}

    def list_takers(name: str) -> Iterator[Taker]:
        for taker, port in _list_ports(nodes[name]):
            known = taker.get_name()
            nodes[known] = taker
            has_constant = any(map(_is_constant, taker.input_values()))
            yield Taker(known, _find_kind(taker), port, has_constant)

    return is_lost(node.get_name(), is_nan, list_takers, _LOSE_MADE_NAN)


def _find_kind(node: Any) -> str:
    """Return an operator's kind, and that of a quotient where it is a negative power."""
    kind: str = node.get_type_name()
    is_quotient = kind == "Power" and _has_exponents_below_zero(node)
    return "Reciprocal" if is_quotient else kind


def _has_exponents_below_zero(node: Any) -> bool:
    exponent = find_constant(node.input_value(1))
    return exponent is not None and bool(np.all(exponent < 0))


def _is_constant(value: Any) -> bool:
    return find_constant(value) is not None


def _list_ports(node: Any) -> Iterator[tuple[Any, int]]:
    """Yield all that take something of an operator, each with which of its inputs that is."""
    for output in node.outputs():
        for taken in output.get_target_inputs():
            yield taken.get_node(), taken.get_index()
