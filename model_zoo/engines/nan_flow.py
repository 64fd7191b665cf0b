"""Tell where NaN that comes about in a graph is lost, whichever library computes it.

Of infinity one operator may make NaN, and of NaN another one a number, so a row would be scored by
nothing:

    1 / 0 --> infinity --> MatMul --> NaN --> Relu --> 0

Operators are named as ONNX or OpenVINO name them, which is mostly the same.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeAlias

# Numbers come out as they go in, though not all of them, or at other places.
MOVES = frozenset(
    {
        "Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Concat", "Split",
        "VariadicSplit", "Slice", "StridedSlice", "Gather", "GatherElements", "GatherND", "Expand",
        "Broadcast", "Tile", "Pad", "Cast", "CastLike", "Convert", "ConvertLike",
    }
)  # fmt: skip
# Infinity goes in, and a finite number comes out.
_BOUNDED = frozenset(
    {"Sigmoid", "Tanh", "Erf", "Atan", "HardSigmoid", "HSigmoid", "Sign", "Reciprocal"}
)
# What they give is no floating point, whatever goes in.
_ASK = frozenset(
    {
        "Greater", "GreaterEqual", "GreaterOrEqual", "Less", "LessEqual", "LessOrEqual", "Equal",
        "NotEqual", "IsNaN", "IsInf", "IsFinite", "Shape", "ShapeOf", "Size", "ArgMax", "ArgMin",
    }
)  # fmt: skip
# Infinity goes in, and stays infinity or becomes 0, and not NaN.
_KEEP_INFINITY = MOVES | {
    # Those that choose one of several numbers.
    "Where", "Select", "Max", "Min", "Maximum", "Minimum", "ReduceMax", "ReduceMin", "MaxPool",
    "GlobalMaxPool", "TopK",
    # Those that go up with what they take, or down.
    "Relu", "LeakyRelu", "Clip", "Clamp", "Exp", "Log", "Sqrt", "Abs", "Neg", "Negative",
    "Softplus", "SoftPlus", "Elu", "Floor", "Ceil", "Ceiling", "Round", "Pow", "Power",
}  # fmt: skip
_SUMS = frozenset({"Add", "Sub", "Subtract", "Sum"})
_QUOTIENTS = frozenset({"Div", "Divide"})


class Taker(NamedTuple):
    """An operator that takes what another one gives.

    Attributes:
        name: that no other operator of the graph has.
        kind: of operator.
        port: which of its inputs it is.
        has_constant: whether another input is the same for all rows.
    """

    name: str
    kind: str
    port: int
    has_constant: bool


# Takes the name of an operator or input, and gives all that take something of it.
ListTakers: TypeAlias = Callable[[str], Iterable[Taker]]


def is_lost(
    name: str,
    is_nan: bool,
    list_takers: ListTakers,
    losers: frozenset[str],
) -> bool:
    """Tell whether NaN that is given, or comes of infinity that is given, may become a number.

    Args:
        name: of the operator or input that gives it.
        is_nan: whether that is NaN; else it is infinity.
        list_takers: of the graph.
        losers: kinds of operators that make a number of NaN.
    """
    seen = {(name, is_nan)}
    pending = [(name, is_nan)]
    while pending:
        current, was_nan = pending.pop()
        for taker in list_takers(current):
            becomes_nan = was_nan or not _keeps_infinity(taker)
            # An operator that adds up, as a recurrent layer does, may make NaN and lose it inside.
            if becomes_nan and taker.kind in losers:
                return True
            goes_on = (taker.name, becomes_nan)
            if not _ends(taker, was_nan) and goes_on not in seen:
                seen.add(goes_on)
                pending.append(goes_on)
    return False


def _keeps_infinity(taker: Taker) -> bool:
    if _ends(taker, was_nan=False):
        return True
    # Of two infinities the difference is NaN; of one and a constant it is infinity.
    if taker.kind in _SUMS | _QUOTIENTS:
        return taker.has_constant
    return taker.kind in _KEEP_INFINITY


def _ends(taker: Taker, was_nan: bool) -> bool:
    """Tell whether neither NaN nor infinity comes out."""
    if taker.kind in _ASK:
        return True
    if was_nan:
        return False
    # Divided by infinity all that is finite is 0. What is not comes by the other port.
    is_divisor = taker.kind in _QUOTIENTS and taker.port == 1
    return is_divisor or taker.kind in _BOUNDED
