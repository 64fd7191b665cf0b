"""Let a graph tell of integers that OpenVINO would go on with as others.

On a CPU it has 32 bits for each integer, and cuts off what they do not hold; and some operators compute
integers in float32, which holds each of them up to 2**24 and not beyond. So what an operator takes
and gives is computed as float32 beside it, and its size is looked at:

    integers --+-- Multiply --> as in the graph
               +-- as float32 --> Multiply --> too large? --> LARGE (one bool for all of the graph)
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np

from model_zoo.engines.openvino_flags import (
    CASTS,
    FLOATS,
    add_flag,
    depends_on_rows,
    find_constant,
    find_dtype,
    has_any,
)

# Names that no card can have for an output.
LARGE = "integer is too large"
ZERO = "integer is divided by 0"
# Rounding to bfloat16 may add or take away so much of a size, where that is asked for.
_ROUNDED = 0.99
# What 32 bits hold, and up to where float32 holds every integer.
_LARGEST = np.float32(_ROUNDED * (1 << 31))
_LARGEST_EXACT = np.float32(_ROUNDED * (1 << 24))
_WIDE = frozenset({"i64", "u64", "u32"})
_INTEGERS = _WIDE | {"i32"}
_FEW_BITS = frozenset({"boolean", "i8", "u8", "i16", "u16"})
# Those that are computed in float32, of integers too. What is no sum or product is not looked at.
_DIVISIONS = frozenset({"Divide", "Mod", "FloorMod"})
_SUMS = frozenset({"ReduceSum", "ReduceProd", "MatMul", "Power"})
_COMPARISONS = frozenset({"Equal", "NotEqual", "Greater", "GreaterEqual", "Less", "LessEqual"})
# With a constant they become a clip.
_BOUNDS = frozenset({"Maximum", "Minimum"})
_OTHERS = frozenset(
    {"ReduceMax", "ReduceMin", "ReduceMean", "Relu", "Clamp", "Interpolate", "ReverseSequence"}
)
_IN_FLOATS = _DIVISIONS | _SUMS | _COMPARISONS | _BOUNDS | _OTHERS
# Takes OpenVINO's operators, one of a graph, and its inputs as float32; gives its result.
Compute: TypeAlias = Callable[[Any, Any, list[Any]], Any]


def guard_integers(opset: Any, model: Any) -> tuple[str, ...]:
    """Add outputs that tell of rows whose integers OpenVINO loses, and return their names.

    Args:
        opset: OpenVINO's operators.
        model: OpenVINO's, which is changed.
    """
    large: list[Any] = []
    zero: list[Any] = []
    # A list, as operators are added on the way.
    for node in list(model.get_ordered_ops()):
        # Others are the same for all rows, and are tried before the model scores.
        if counts(node) and depends_on_rows(node.output(0)):
            large.extend(_tell_large(opset, node))
            zero.extend(_tell_zero(opset, node))
    told = []
    for name, flags in ((LARGE, large), (ZERO, zero)):
        if flags:
            add_flag(opset, model, name, flags)
            told.append(name)
    return tuple(told)


def counts(node: Any) -> bool:
    """Tell whether an operator may take or give an integer that OpenVINO does not hold."""
    # First, as it looks at this operator alone: where bits come from is looked for in all that is before
    # it, which takes longer than to compile a deep network.
    if not _meets_integers(node):
        return False
    kind = node.get_type_name()
    if kind not in _SUMS and all(map(_is_of_bits, node.input_values())):
        return False
    if kind in _COMPARISONS:
        return not _has_small_constant(node)
    if kind in _BOUNDS:
        return _has_rounded_constant(node)
    return True


def _meets_integers(node: Any) -> bool:
    """Tell whether an operator computes with integers of the kinds that OpenVINO does not hold."""
    kind = node.get_type_name()
    if kind in CASTS:
        return _makes_integers(node)
    if kind in _IN_FLOATS:
        return find_dtype(node.input_value(0)) in _INTEGERS
    # Beyond 32 bits those of 32 begin anew, in every library.
    return kind in _COMPUTED and find_dtype(node.output(0)) in _WIDE


def _makes_integers(node: Any) -> bool:
    taken = find_dtype(node.input_value(0))
    given = find_dtype(node.output(0))
    # Of the smallest integer that there is OpenVINO makes False.
    is_bool = taken in _INTEGERS and given == "boolean"
    return is_bool or (taken in FLOATS and given in _INTEGERS)


def _is_of_bits(value: Any) -> bool:
    """Tell whether integers are bools or a few bits that were made wider, as exporters do to ask for any.

    Constants and what they are looked up in do not matter.
    """
    node = value.get_node()
    kind = node.get_type_name()
    if kind == "Convert":
        return find_dtype(node.input_value(0)) in _FEW_BITS
    if kind in ("ReduceMax", "ReduceMin"):
        return _is_of_bits(node.input_value(0))
    return not depends_on_rows(value)


def _has_small_constant(node: Any) -> bool:
    """Tell whether rows meet numbers that float32 holds: rounded, they stay on their side of them."""
    size = _find_size_of_constant(node)
    return size is not None and size < float(_LARGEST_EXACT)


def _has_rounded_constant(node: Any) -> bool:
    """Tell whether rows meet an integer that float32 may not hold, and that is no sign for no bound."""
    size = _find_size_of_constant(node)
    return size is not None and float(_LARGEST_EXACT) <= size < float(np.iinfo(np.int32).max)


def _find_size_of_constant(node: Any) -> float | None:
    """Return the largest size of a number that rows meet, and None where that follows from rows."""
    for value in node.input_values():
        numbers = find_constant(value)
        if numbers is not None and numbers.size:
            return float(np.max(np.abs(numbers.astype(np.float64))))
    return None


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


def _tell_zero(opset: Any, node: Any) -> Iterator[Any]:
    """Yield whether an operator divides integers by 0, of which other libraries make an error."""
    if node.get_type_name() not in _DIVISIONS:
        return
    divisor = node.input_value(1)
    if depends_on_rows(divisor):
        zero = opset.constant(0, divisor.get_element_type())
        yield has_any(opset, opset.equal(divisor, zero))


def _is_beyond(opset: Any, numbers: Any, largest: np.float32) -> Any:
    size = opset.absolute(numbers)
    # So asked, it is true of NaN, too.
    fits = opset.less(size, opset.constant(largest))
    return has_any(opset, opset.logical_not(fits))


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
    "ConvertLike": _take,
    # Of the smallest integer that there is they make itself.
    "Abs": _take,
    "Negative": _take,
    "Add": _add,
    "Subtract": _subtract,
    "Multiply": _multiply,
    "Power": _raise_to_power,
    "ReduceSum": _add_up,
    "ReduceProd": _multiply_all,
    "CumSum": _add_up_so_far,
    "MatMul": _multiply_matrices,
}
