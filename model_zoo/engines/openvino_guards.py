"""Let a graph tell of indices that are outside of what they are looked up in.

OpenVINO looks at none. A number that no table has gives zeros in place of an error, so a row would be
scored by nothing; and places of several numbers lead anywhere in memory, which ends the process. So
each is compared with the size of what it leads into, in the graph itself, and those of the second kind
are kept inside. Whoever calls the graph reads the answer, and the row is rejected as by other engines.

    indices --+-- inside? --> OUTSIDE (one bool for all of the graph)
              +-- clamped --> GatherND
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

# A name that no card can have for an output.
OUTSIDE = "index is outside"
_INDICES = 1


class _Lookup(NamedTuple):
    """What an operator looks up.

    Attributes:
        find_sizes: takes the operator, and gives the dimensions that its indices lead into.
        is_clamped: whether OpenVINO reads or writes memory of others where an index is outside.
    """

    find_sizes: Callable[[Any, Any], Any]
    is_clamped: bool


def guard_indices(opset: Any, model: Any) -> bool:
    """Add the output `OUTSIDE` to a model whose indices come of its inputs, and tell whether there are any.

    Args:
        opset: OpenVINO's operators.
        model: OpenVINO's, which is changed.
    """
    flags = []
    for node in list(model.get_ordered_ops()):
        lookup = _LOOKUPS.get(node.get_type_name())
        # Other indices are the same for all rows, and are tried before the model scores.
        if lookup is None or not _depends_on_rows(node.input_value(_INDICES)):
            continue
        sizes = lookup.find_sizes(opset, node)
        flag = _guard(opset, node, sizes, lookup.is_clamped)
        flags.append(flag)
    if not flags:
        return False
    outside = flags[0]
    for flag in flags[1:]:
        outside = opset.logical_or(outside, flag)
    outside.output(0).get_tensor().set_names({OUTSIDE})
    model.add_results([opset.result(outside)])
    model.validate_nodes_and_infer_types()
    return True


def _guard(opset: Any, node: Any, sizes: Any, is_clamped: bool) -> Any:
    """Return whether an operator's indices are outside, a single bool."""
    indices = node.input_value(_INDICES)
    dtype = indices.get_element_type()
    ends = opset.convert(sizes, dtype.get_type_name())
    # Counted from the end they are negative.
    starts = opset.negative(ends)
    is_behind = opset.greater_equal(indices, ends)
    is_before = opset.less(indices, starts)
    is_outside = opset.logical_or(is_behind, is_before)
    if is_clamped:
        last = opset.subtract(ends, opset.constant(1, dtype))
        raised = opset.maximum(indices, starts)
        inside = opset.minimum(raised, last)
        node.input(_INDICES).replace_source_output(inside.output(0))
    flat = opset.reshape(is_outside, opset.constant([-1], np.int64), special_zero=False)
    return opset.reduce_logical_or(flat, opset.constant([0], np.int64), keep_dims=False)


def _depends_on_rows(output: Any) -> bool:
    """Tell whether numbers come of the model's inputs, and not of their shapes alone."""
    seen = set()
    pending = [output.get_node()]
    while pending:
        node = pending.pop()
        name = node.get_name()
        kind = node.get_type_name()
        if kind == "Parameter":
            return True
        if name in seen or kind == "ShapeOf":
            continue
        seen.add(name)
        pending.extend(_list_sources(node))
    return False


def _list_sources(node: Any) -> Iterator[Any]:
    for value in node.input_values():
        yield value.get_node()


def _find_size_of_axis(opset: Any, node: Any, axis: Any) -> Any:
    shape = opset.shape_of(node.input_value(0))
    return opset.gather(shape, axis, opset.constant(0, np.int64))


def _find_size_of_gather(opset: Any, node: Any) -> Any:
    return _find_size_of_axis(opset, node, node.input_value(2))


def _find_size_of_elements(opset: Any, node: Any) -> Any:
    axis = node.get_attributes()["axis"]
    return _find_size_of_axis(opset, node, opset.constant(axis, np.int64))


def _find_size_of_scattered(opset: Any, node: Any) -> Any:
    return _find_size_of_axis(opset, node, node.input_value(3))


def _find_sizes_of_places(opset: Any, node: Any) -> Any:
    """Return the sizes of the dimensions that a place, the last axis of the indices, has numbers for."""
    skipped = node.get_attributes().get("batch_dims", 0)
    indices = node.input_value(_INDICES)
    index_shape = opset.shape_of(indices)
    minus_one, zero = opset.constant([-1], np.int64), opset.constant(0, np.int64)
    count = opset.gather(index_shape, minus_one, zero)
    start = opset.constant([skipped], np.int64)
    stop = opset.add(count, start)
    shape = opset.shape_of(node.input_value(0))
    return opset.slice(shape, start, stop, opset.constant([1], np.int64))


_LOOKUPS = {
    "Gather": _Lookup(_find_size_of_gather, is_clamped=False),
    "GatherElements": _Lookup(_find_size_of_elements, is_clamped=True),
    "GatherND": _Lookup(_find_sizes_of_places, is_clamped=True),
    "ScatterElementsUpdate": _Lookup(_find_size_of_scattered, is_clamped=True),
    "ScatterNDUpdate": _Lookup(_find_sizes_of_places, is_clamped=True),
}
