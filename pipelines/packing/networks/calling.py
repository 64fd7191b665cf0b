"""Call a network as its author does, on the sample."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from configs.errors import crashes_as_errors
from model_zoo.architectures.named_tensors import Call, call_network, name_tensors
from model_zoo.arrays import Arrays, count_rows
from model_zoo.tensors import to_tensors
from pipelines.packing.networks.computed import make_failure, to_arrays

# As a mini-batch of scoring; a network computes a row alike in any of them.
_ROWS_AT_A_TIME = 256


def compute(
    network: nn.Module,
    inputs: Arrays,
    call: Call,
    outputs: Sequence[str],
) -> Arrays:
    """Call the network as its author does, and return what it gives, by name.

    Args:
        network: with its weights, in evaluation mode.
        inputs: one array (rows, ...) by argument, in the network's order.
        call: whether they are given by name or by position.
        outputs: the names that are wanted, as for `name_tensors`.

    Raises:
        ModelError: it fails, or returns what is no tensor of so many rows.
    """
    rows = count_rows(inputs)
    parts = []
    for start in range(0, rows, _ROWS_AT_A_TIME):
        mini_batch = _take_rows(inputs, start)
        part = _compute_part(network, mini_batch, call, outputs)
        parts.append(part)
    return _join_rows(parts)


def _take_rows(inputs: Arrays, start: int) -> Arrays:
    stop = start + _ROWS_AT_A_TIME
    taken = {}
    for name, array in inputs.items():
        taken[name] = array[start:stop]
    return taken


def _join_rows(parts: Sequence[Arrays]) -> Arrays:
    joined = {}
    for name in parts[0]:
        arrays = [part[name] for part in parts]
        joined[name] = np.concatenate(arrays)
    return joined


def _compute_part(
    network: nn.Module,
    inputs: Arrays,
    call: Call,
    outputs: Sequence[str],
) -> Arrays:
    tensors = to_tensors(inputs)
    order = list(inputs)
    try:
        with crashes_as_errors(), torch.inference_mode():
            returned = call_network(network, tensors, order, call)
            named = name_tensors(returned, outputs)
    except Exception as error:  # a user's own code may raise anything
        raise make_failure("the network", inputs, error) from error
    rows = count_rows(inputs)
    return to_arrays(named, rows, "the network")
