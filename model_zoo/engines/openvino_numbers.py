"""Let a graph tell of numbers that OpenVINO would go on with as others.

On a CPU it has 32 bits for each integer, and cuts off what they do not hold; and some operators compute
integers in float32, which holds each of them up to 2**24 and not beyond. So what an operator takes
and gives is computed as float32 beside it, and its size is looked at:

    integers --+-- Multiply --> as in the graph
               +-- as float32 --> Multiply --> too large? --> LARGE (one bool for all of the graph)

And of NaN some operators make a number (of a ReLU 0 comes out), so that a row would be scored by
nothing. Where a graph makes NaN of numbers, `NAN` says so; that none comes in is looked at before.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np

from model_zoo.engines.openvino_flags import add_flag, depends_on_rows, has_any

# Names that no card can have for an output.
LARGE = "integer is too large"
NAN = "number is NaN"
# Rounding to bfloat16 may add or take away so much of a size, where that is asked for.
_ROUNDED = 0.99
# What 32 bits hold, and up to where float32 holds every integer.
_LARGEST = np.float32(_ROUNDED * (1 << 31))
_LARGEST_EXACT = np.float32(_ROUNDED * (1 << 24))
_WIDE = frozenset({"i64", "u64", "u32"})
_INTEGERS = _WIDE | {"i32"}
_FLOATS = frozenset({"f32", "bf16"})
# Those that are computed in float32, of integers too. What is no sum or product is not looked at.
_DIVISIONS = frozenset({"Divide", "Mod", "FloorMod"})
_SUMS = frozenset({"ReduceSum", "ReduceProd", "MatMul", "Power"})
_OTHERS = frozenset(
    {
        "ReduceMax", "ReduceMin", "ReduceMean", "Equal", "NotEqual", "Greater", "GreaterEqual",
        "Less", "LessEqual",
    }
)  # fmt: skip
_IN_FLOATS = _DIVISIONS | _SUMS | _OTHERS
_MAKE_NAN = frozenset({"Sqrt", "Log", "Asin", "Acos"})
# Of NaN they make a number, on some processors at least.
_LOSE_NAN = frozenset(
    {
        "Relu", "PRelu", "Clamp", "HardSigmoid", "HSigmoid", "HSwish", "Exp", "Maximum", "Minimum",
        "ReduceMax", "ReduceMin", "MaxPool", "Greater", "GreaterEqual", "Less", "LessEqual",
        "Equal", "NotEqual", "Convert", "TopK",
    }
)  # fmt: skip
# With one of these a graph knows about NaN, and says itself what becomes of it.
_KNOW_NAN = frozenset({"IsNaN", "IsInf", "IsFinite"})
# Takes OpenVINO's operators, one of a graph, and its inputs as float32; gives its result.
Compute: TypeAlias = Callable[[Any, Any, list[Any]], Any]


def guard_numbers(opset: Any, model: Any) -> tuple[str, ...]:
    """Add outputs that tell of rows whose numbers OpenVINO loses, and return their names.

    Args:
        opset: OpenVINO's operators.
        model: OpenVINO's, which is changed.
    """
    large: list[Any] = []
    nan: list[Any] = []
    # A list, as operators are added on the way.
    for node in list(model.get_ordered_ops()):
        is_watched = _counts(node) or _may_be_nan(node)
        # Others are the same for all rows, and are tried before the model scores.
        if not is_watched or not depends_on_rows(node.output(0)):
            continue
        if _counts(node):
            large.extend(_tell_large(opset, node))
        else:
            nan.append(has_any(opset, opset.is_nan(node)))
    told = []
    for name, flags in ((LARGE, large), (NAN, nan)):
        if flags:
            add_flag(opset, model, name, flags)
            told.append(name)
    return tuple(told)


def knows_nan(model: Any) -> bool:
    """Tell whether a graph asks itself which of its numbers are NaN or infinite."""
    return any(node.get_type_name() in _KNOW_NAN for node in model.get_ops())


def _counts(node: Any) -> bool:
    """Tell whether an operator may take or give an integer that OpenVINO does not hold."""
    kind = node.get_type_name()
    if kind == "Convert":
        return _makes_integers(node)
    if kind in _IN_FLOATS:
        return _find_dtype(node.input_value(0)) in _INTEGERS
    # Beyond 32 bits those of 32 begin anew, in every library.
    return kind in _COMPUTED and _find_dtype(node.output(0)) in _WIDE


def _makes_integers(node: Any) -> bool:
    is_float = _find_dtype(node.input_value(0)) in _FLOATS
    return is_float and _find_dtype(node.output(0)) in _INTEGERS


def _tell_large(opset: Any, node: Any) -> Iterator[Any]:
    """Yield whether an operator takes or gives an integer that is not held, as single bools."""
    kind = node.get_type_name()
    given = []
    for value in node.input_values():
        as_float = opset.convert(value, "f32")
        # Sums stay sums, as a part of one may be larger than all of it.
        size = opset.absolute(as_float) if kind in _SUMS else as_float
        given.append(size)
    is_exact = kind not in _IN_FLOATS
    largest = _LARGEST if is_exact else _LARGEST_EXACT
    if kind in _COMPUTED:
        yield _is_beyond(opset, _COMPUTED[kind](opset, node, given), largest)
    if is_exact:
        return
    for value, size in zip(node.input_values(), given, strict=True):
        # A constant that all rows are compared with may be the largest integer that there is.
        if kind in _DIVISIONS or depends_on_rows(value):
            yield _is_beyond(opset, size, largest)


def _is_beyond(opset: Any, numbers: Any, largest: np.float32) -> Any:
    size = opset.absolute(numbers)
    # So asked, it is true of NaN, too.
    fits = opset.less(size, opset.constant(largest))
    return has_any(opset, opset.logical_not(fits))


def _may_be_nan(node: Any) -> bool:
    """Tell whether an operator makes NaN of numbers, and another one behind it loses that."""
    kind = node.get_type_name()
    is_maker = kind in _MAKE_NAN or (kind == "Power" and not _is_whole_power(node))
    is_float = is_maker and _find_dtype(node.output(0)) in _FLOATS
    return is_float and _is_lost_behind(node)


def _is_whole_power(node: Any) -> bool:
    """Tell whether an exponent is known, and has no root of a negative number in it."""
    exponent = node.input_value(1).get_node()
    if exponent.get_type_name() != "Constant":
        return False
    values = np.asarray(exponent.data)
    return bool(np.all(values == np.round(values)))


def _is_lost_behind(node: Any) -> bool:
    seen = set()
    pending = [node]
    while pending:
        for behind in _list_takers(pending.pop()):
            if behind.get_type_name() in _LOSE_NAN:
                return True
            if behind.get_name() not in seen:
                seen.add(behind.get_name())
                pending.append(behind)
    return False


def _list_takers(node: Any) -> Iterator[Any]:
    for output in node.outputs():
        for taken in output.get_target_inputs():
            yield taken.get_node()


def _find_dtype(output: Any) -> str:
    dtype: str = output.get_element_type().get_type_name()
    return dtype


def _take(opset: Any, node: Any, given: list[Any]) -> Any:
    return given[0]


def _add(opset: Any, node: Any, given: list[Any]) -> Any:
    return opset.add(*given)


def _subtract(opset: Any, node: Any, given: list[Any]) -> Any:
    return opset.subtract(*given)


def _multiply(opset: Any, node: Any, given: list[Any]) -> Any:
    return opset.multiply(*given)


def _raise_to_power(opset: Any, node: Any, given: list[Any]) -> Any:
    return opset.power(*given)


def _add_up(opset: Any, node: Any, given: list[Any]) -> Any:
    return opset.reduce_sum(given[0], node.input_value(1), keep_dims=False)


def _multiply_all(opset: Any, node: Any, given: list[Any]) -> Any:
    return opset.reduce_prod(given[0], node.input_value(1), keep_dims=False)


def _add_up_so_far(opset: Any, node: Any, given: list[Any]) -> Any:
    # With or without the last one, and from which end, is as the graph says.
    return opset.cumsum(given[0], node.input_value(1), **node.get_attributes())


def _multiply_matrices(opset: Any, node: Any, given: list[Any]) -> Any:
    attributes = node.get_attributes()
    return opset.matmul(*given, attributes["transpose_a"], attributes["transpose_b"])


_COMPUTED: Mapping[str, Compute] = {
    "Convert": _take,
    "Add": _add,
    "Subtract": _subtract,
    "Multiply": _multiply,
    "Power": _raise_to_power,
    "ReduceSum": _add_up,
    "ReduceProd": _multiply_all,
    "CumSum": _add_up_so_far,
    "MatMul": _multiply_matrices,
}
