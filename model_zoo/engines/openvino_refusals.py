"""Refuse graphs that OpenVINO on a CPU would compute otherwise than they are, in silence.

Here by kind, before a row is scored: it would do so for many rows, or no flag beside the operator could tell
for which. What it does otherwise for a few numbers is watched row by row (`openvino_guards.py`); what it does
otherwise for all rows the smoke batch shows.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from configs.errors import ModelError
from model_zoo.engines.openvino_flags import (
    BODIES,
    CASTS,
    FLOATS,
    depends_on_rows,
    find_constant,
    find_dtype,
)
from model_zoo.engines.openvino_guards import LOOKUPS
from model_zoo.engines.openvino_nan import makes_nan
from model_zoo.engines.openvino_numbers import counts

_SMALL = frozenset({"i8", "u8", "i16", "u16"})
_INTEGERS = frozenset({"i32", "i64", "u32", "u64"})
# Beyond their ends such integers begin anew; OpenVINO stays at the end.
_ARITHMETIC = frozenset(
    {
        "Add", "Subtract", "Multiply", "Divide", "Mod", "FloorMod", "Power", "Abs", "Negative",
        "CumSum", "ReduceSum", "ReduceProd", "ReduceMean", "MatMul",
    }
)  # fmt: skip
# Rounded on the way, whatever comes out.
_ROUNDED = frozenset({"Einsum", "ReduceL1", "ReduceL2"})
_REMAINDERS = frozenset({"Mod", "FloorMod"})
# OpenVINO has 32 bits with a sign for each of these: nothing begins anew, and nothing is cut off.
_HELD_AS_I32 = {
    "i16": frozenset({"boolean", "i8", "u8", "i16"}),
    "u16": frozenset({"boolean", "u8", "u16"}),
    "u32": frozenset({"boolean", "u8", "u16", "u32"}),
    "u64": frozenset({"boolean", "u8", "u16", "u32", "u64"}),
}
# Which of the inputs are numbers that come out as they are.
_GIVEN_AS_THEY_ARE = {"Gather": (0,), "GatherElements": (0,), "GatherND": (0,), "Select": (1, 2)}
_FIX = "set model.engine to onnxruntime"


def refuse_operators(path: str, model: Any) -> None:
    """Refuse a graph with operators that OpenVINO computes otherwise.

    Args:
        path: of the graph, for messages.
        model: OpenVINO's, as it was read.

    Raises:
        ModelError: it has one.
    """
    for node in model.get_ops():
        reason = _find_reason(node)
        if reason is not None:
            raise ModelError(f"{path}: {reason}; {_FIX}")


def _find_reason(node: Any) -> str | None:
    """Return why a graph with an operator is refused, or nothing."""
    kind = node.get_type_name()
    dtypes = [find_dtype(output) for output in node.outputs()]
    if "f64" in dtypes:
        return f"it computes in float64 ({kind}), and OpenVINO on a CPU in float32"
    if kind in BODIES:
        return _find_reason_inside(node)
    reason = _find_reason_of_integers(node, kind, dtypes)
    # Others are the same for all rows, and are tried before the model scores.
    if reason is None or not depends_on_rows(node.output(0)):
        return None
    return reason


def _find_reason_of_integers(node: Any, kind: str, dtypes: list[str]) -> str | None:
    given = dtypes[0] if dtypes else ""
    if kind in _ARITHMETIC and given in _SMALL:
        return f"it computes in {given} ({kind}), and OpenVINO stays at the end of those integers"
    if kind in _ROUNDED and given in _INTEGERS:
        return f"it computes integers by {kind}, and OpenVINO rounds them on the way"
    if kind in _REMAINDERS and given in FLOATS:
        return f"it computes remainders of floating point ({kind}), and OpenVINO rounds on the way"
    if kind in CASTS and _is_cut_off(node, given):
        return f"it makes {given} of other numbers, and OpenVINO keeps what those do not hold"
    if _gives_wide_constant(node, kind):
        return f"it holds integers beyond 32 bits ({kind}), and OpenVINO computes with 32 on a CPU"
    return None


def _is_cut_off(node: Any, given: str) -> bool:
    held = _HELD_AS_I32.get(given)
    return held is not None and find_dtype(node.input_value(0)) not in held


def _gives_wide_constant(node: Any, kind: str) -> bool:
    """Tell whether an operator gives numbers of a constant that 32 bits do not hold."""
    values = node.input_values()
    for port in _GIVEN_AS_THEY_ARE.get(kind, ()):
        numbers = find_constant(values[port])
        if numbers is not None and _is_wide(numbers):
            return True
    return False


def _is_wide(numbers: np.ndarray) -> bool:
    if numbers.dtype.kind not in "iu" or not numbers.size:
        return False
    held = np.iinfo(np.int32)
    return bool(numbers.max() > held.max or numbers.min() < held.min)


def _find_reason_inside(node: Any) -> str | None:
    """Return why branches or a body are refused: what is watched outside gives no flag from inside."""
    outer = node.get_type_name()
    for body in _list_bodies(node):
        for inner in body.get_ops():
            kind = inner.get_type_name()
            reason = _find_reason(inner)
            if reason is not None:
                return reason
            is_watched = kind in LOOKUPS or counts(inner) or makes_nan(inner)
            if is_watched and depends_on_rows(inner.output(0)):
                return f"it has {kind} inside of {outer}, where nothing tells of rows that OpenVINO computes otherwise"
    return None


def _list_bodies(node: Any) -> Iterator[Any]:
    if node.get_type_name() == "If":
        yield node.get_then_body()
        yield node.get_else_body()
    else:
        yield node.get_function()
