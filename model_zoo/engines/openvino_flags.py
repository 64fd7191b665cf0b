"""Flags that a graph in OpenVINO gives beside its outputs: one bool of all rows, who are then asked by halves."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

# Operators that have a graph of their own inside.
BODIES = frozenset({"If", "Loop", "TensorIterator"})
CASTS = frozenset({"Convert", "ConvertLike"})
FLOATS = frozenset({"f32", "bf16"})


def has_any(opset: Any, is_one: Any) -> Any:
    """Return whether any of some bools is true, a single bool.

    Args:
        opset: OpenVINO's operators.
        is_one: bools of any shape.
    """
    all_in_one = opset.constant([-1], np.int64)
    flat = opset.reshape(is_one, all_in_one, special_zero=False)
    first_axis = opset.constant([0], np.int64)
    return opset.reduce_logical_or(flat, first_axis, keep_dims=False)


def add_flag(
    opset: Any,
    model: Any,
    name: str,
    flags: Sequence[Any],
) -> None:
    """Add an output that tells whether any flag is true.

    Args:
        opset: OpenVINO's operators.
        model: OpenVINO's, which is changed.
        name: of the output.
        flags: single bools, at least one.
    """
    first, *others = flags
    flag = first
    for other in others:
        flag = opset.logical_or(flag, other)
    tensor = flag.output(0).get_tensor()
    tensor.set_names({name})
    result = opset.result(flag)
    model.add_results([result])
    model.validate_nodes_and_infer_types()


def depends_on_rows(output: Any) -> bool:
    """Tell whether numbers come of the model's inputs, and not of their shapes alone."""
    return any(True for _ in list_inputs(output))


def list_inputs(output: Any, kinds: frozenset[str] | None = None) -> Iterator[Any]:
    """Yield the model's inputs that numbers come of, and not of their shapes alone.

    Args:
        output: that gives the numbers.
        kinds: of operators between them, of which others are not followed; any without it.
    """
    seen = set()
    pending = [output.get_node()]
    while pending:
        node = pending.pop()
        name = node.get_name()
        kind = node.get_type_name()
        # Shapes are those of the mini-batch, whatever its rows say.
        if name in seen or kind == "ShapeOf":
            continue
        seen.add(name)
        if kind == "Parameter":
            yield node
        if kinds is None or kind in kinds:
            pending.extend(_list_sources(node))


def find_constant(output: Any) -> np.ndarray | None:
    """Return the numbers of a constant, and None of all else."""
    node = output.get_node()
    if node.get_type_name() == "Constant":
        return np.asarray(node.data)
    # A constant in half of the bits, or one of another dtype.
    if node.get_type_name() == "Convert":
        return find_constant(node.input_value(0))
    return None


def _list_sources(node: Any) -> Iterator[Any]:
    for value in node.input_values():
        yield value.get_node()


def find_dtype(output: Any) -> str:
    """Return OpenVINO's word for the dtype of what an operator takes or gives."""
    dtype: str = output.get_element_type().get_type_name()
    return dtype
