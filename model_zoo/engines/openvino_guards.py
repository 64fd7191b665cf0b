"""Let a graph tell of indices that are outside of what they are looked up in.

OpenVINO looks at none. A number that no table has gives zeros in place of an error, so a row would be
scored by nothing; and places of several numbers lead anywhere in memory, which ends the process. So
each is compared with the size of what it leads into, in the graph itself, and those of the second kind
are kept inside. Whoever calls the graph reads the answer, and the row is rejected as by other engines.
So is one that says it has more steps than a sequence is long, of which OpenVINO would read on.

    indices --+-- inside? --> OUTSIDE (one bool for all of the graph)
              +-- clamped --> GatherND
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from model_zoo.engines.openvino_flags import add_flag, depends_on_rows, has_any
from model_zoo.engines.openvino_nan import NAN, guard_nan
from model_zoo.engines.openvino_numbers import guard_integers

# A name that no card can have for an output.
OUTSIDE = "index is outside"
_INDICES = 1


class _Lookup(NamedTuple):
    """What an operator looks up.

    Attributes:
        find_sizes: takes the operator, and gives the dimensions that its indices lead into.
        is_clamped: whether OpenVINO reads or writes memory of others where an index is outside.
        port: which of the operator's inputs the indices are.
        counts_back: whether a negative index counts from the end.
    """

    find_sizes: Callable[[Any, Any], Any]
    is_clamped: bool
    port: int = _INDICES
    counts_back: bool = True


def guard_rows(opset: Any, model: Any) -> tuple[str, ...]:
    """Add outputs that tell of rows that OpenVINO would compute otherwise than they are, and return their names.

    Args:
        opset: OpenVINO's operators.
        model: OpenVINO's, which is changed.
    """
    told = list(guard_integers(opset, model))
    if guard_nan(opset, model):
        told.append(NAN)
    if guard_indices(opset, model):
        told.append(OUTSIDE)
    return tuple(told)


def guard_indices(opset: Any, model: Any) -> bool:
    """Add the output `OUTSIDE` to a model whose indices come of its inputs, and tell whether there are any.

    Args:
        opset: OpenVINO's operators.
        model: OpenVINO's, which is changed.
    """
    flags = []
    # A list, as operators are added on the way.
    nodes = list(model.get_ordered_ops())
    for node in nodes:
        kind = node.get_type_name()
        lookup = LOOKUPS.get(kind)
        if lookup is None:
            continue
        indices = node.input_value(lookup.port)
        # Others are the same for all rows, and are tried before the model scores.
        if not depends_on_rows(indices):
            continue
        sizes = lookup.find_sizes(opset, node)
        flag = _guard(opset, node, sizes, lookup)
        flags.append(flag)
    if not flags:
        return False
    add_flag(opset, model, OUTSIDE, flags)
    return True


def _guard(
    opset: Any,
    node: Any,
    sizes: Any,
    lookup: _Lookup,
) -> Any:
    """Return whether an operator's indices are outside, a single bool."""
    indices = node.input_value(lookup.port)
    dtype = indices.get_element_type()
    ends = opset.convert(sizes, dtype.get_type_name())
    # Counted from the end they are negative.
    starts = opset.negative(ends) if lookup.counts_back else opset.constant(0, dtype)
    is_behind = opset.greater_equal(indices, ends)
    is_before = opset.less(indices, starts)
    is_outside = opset.logical_or(is_behind, is_before)
    if lookup.is_clamped:
        one = opset.constant(1, dtype)
        last = opset.subtract(ends, one)
        raised = opset.maximum(indices, starts)
        inside = opset.minimum(raised, last)
        port = node.input(lookup.port)
        port.replace_source_output(inside.output(0))
    return has_any(opset, is_outside)


def _find_size_of_axis(opset: Any, node: Any, axis: Any) -> Any:
    looked_up = node.input_value(0)
    shape = opset.shape_of(looked_up)
    of_shape = opset.constant(0, np.int64)
    return opset.gather(shape, axis, of_shape)


def _find_size_of_gather(opset: Any, node: Any) -> Any:
    axis = node.input_value(2)
    return _find_size_of_axis(opset, node, axis)


def _find_size_of_elements(opset: Any, node: Any) -> Any:
    attributes = node.get_attributes()
    axis = opset.constant(attributes["axis"], np.int64)
    return _find_size_of_axis(opset, node, axis)


def _find_size_of_scattered(opset: Any, node: Any) -> Any:
    axis = node.input_value(3)
    return _find_size_of_axis(opset, node, axis)


def _find_sizes_of_places(opset: Any, node: Any) -> Any:
    """Return the sizes of the dimensions that a place, the last axis of the indices, has numbers for."""
    attributes = node.get_attributes()
    # Dimensions that places share with what they lead into; those that are written to have none.
    skipped = attributes.get("batch_dims", 0)
    indices = node.input_value(_INDICES)
    index_shape = opset.shape_of(indices)
    last_axis = opset.constant([-1], np.int64)
    of_shape = opset.constant(0, np.int64)
    count = opset.gather(index_shape, last_axis, of_shape)
    start = opset.constant([skipped], np.int64)
    stop = opset.add(count, start)
    looked_up = node.input_value(0)
    shape = opset.shape_of(looked_up)
    step = opset.constant([1], np.int64)
    return opset.slice(shape, start, stop, step)


def _find_sizes_of_sequence(opset: Any, node: Any) -> Any:
    """Return how many lengths a sequence of an LSTM, GRU or RNN can have, 0 among them."""
    return _count_lengths(opset, node, 1)


def _find_sizes_of_reversed(opset: Any, node: Any) -> Any:
    return _count_lengths(opset, node, node.get_attributes()["seq_axis"])


def _count_lengths(opset: Any, node: Any, of_steps: int) -> Any:
    axis = opset.constant(of_steps, np.int64)
    steps = _find_size_of_axis(opset, node, axis)
    return opset.add(steps, opset.constant(1, np.int64))


LOOKUPS = {
    "Gather": _Lookup(_find_size_of_gather, is_clamped=False),
    "GatherElements": _Lookup(_find_size_of_elements, is_clamped=True),
    "GatherND": _Lookup(_find_sizes_of_places, is_clamped=True),
    "ScatterElementsUpdate": _Lookup(_find_size_of_scattered, is_clamped=True),
    "ScatterNDUpdate": _Lookup(_find_sizes_of_places, is_clamped=True),
    # Before the lengths stand the states from which they begin: an LSTM has two.
    "LSTMSequence": _Lookup(_find_sizes_of_sequence, True, port=3, counts_back=False),
    "GRUSequence": _Lookup(_find_sizes_of_sequence, True, port=2, counts_back=False),
    "RNNSequence": _Lookup(_find_sizes_of_sequence, True, port=2, counts_back=False),
    "ReverseSequence": _Lookup(_find_sizes_of_reversed, True, counts_back=False),
}
