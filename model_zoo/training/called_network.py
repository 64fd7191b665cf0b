"""A network of any kind, called on tensors by name, and the output of it that is learned."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from configs.errors import ModelError, Refusal, crashes_as_errors
from model_zoo.architectures.named_tensors import Outputs, call_network, name_tensors
from model_zoo.architectures.signature import read_signature
from model_zoo.arrays import Arrays, count_rows
from model_zoo.engines.device_errors import is_out_of_memory
from model_zoo.training.mini_batches import transfer_rows

# What most networks call it that have further outputs.
_LEARNED = ("logits",)
# Enough rows to keep a core busy, few enough that a picture network's intermediate values stay in
# the cache.
FORWARD_ROWS = 512
# A library's error may quote whole tensors.
_SHOWN_CHARACTERS = 300
_CPU = torch.device("cpu")


class CalledNetwork:
    """Calls a network as its author does: by keywords where it has the inputs' names, or in order.

    Args:
        network: the author's.
        inputs: names of what it takes, in its order.
        output: name of what is learned; by default the only one, or `logits`.
    """

    def __init__(
        self,
        network: nn.Module,
        inputs: Sequence[str],
        output: str | None,
    ) -> None:
        self.network = network
        self._inputs = tuple(inputs)
        signature = read_signature(network)
        self._call = signature.choose_call(self._inputs)
        self._output = output

    def call(self, tensors: Mapping[str, torch.Tensor]) -> Any:
        """Return whatever the network returns.

        Raises:
            ModelError: it fails.
        """
        try:
            with crashes_as_errors():
                return call_network(
                    self.network,
                    tensors,
                    self._inputs,
                    self._call,
                )
        except Refusal:
            raise
        except Exception as error:  # a user's own code may raise anything
            raise _explain(error, tensors) from error

    def compute(self, tensors: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return the output that is learned, (rows, ...).

        Raises:
            ModelError: the network fails, or does not tell which output that is.
        """
        returned = self.call(tensors)
        try:
            return _choose_output(returned, self._output)
        except ValueError as error:
            raise ModelError(f"{error}; name the one that is to be learned") from error


def forward(
    network: nn.Module,
    inputs: Arrays,
    outputs: Sequence[str] = (),
) -> Arrays:
    """Return raw outputs (rows, ...) by name, computed in eval mode.

    Args:
        network: called with one tensor (rows, *shape) per input, by name or in order.
        inputs: one array (rows, *shape) each.
        outputs: names of what is wanted; by default all under names of their own.

    Raises:
        ModelError: the network fails, or gives other outputs.
    """
    network.eval()
    called = CalledNetwork(
        network,
        list(inputs),
        None,
    )
    parts: list[Arrays] = []
    # No rows are one part too: their outputs have names and shapes.
    rows = max(count_rows(inputs), 1)
    for start in range(
        0,
        rows,
        FORWARD_ROWS,
    ):
        some = slice(start, start + FORWARD_ROWS)
        part = _forward_part(
            called,
            inputs,
            some,
            outputs,
        )
        parts.append(part)

    joined: Arrays = {}
    for name in parts[0]:
        values = [part[name] for part in parts]
        joined[name] = np.concatenate(values)
    return joined


def _forward_part(
    called: CalledNetwork,
    inputs: Arrays,
    rows: slice,
    outputs: Sequence[str],
) -> Arrays:
    with torch.inference_mode():
        tensors = transfer_rows(
            inputs,
            rows,
            _CPU,
        )
        returned = called.call(tensors)
        try:
            named = name_tensors(returned, outputs)
        except ValueError as error:
            raise ModelError(str(error)) from error
        return {name: tensor.numpy() for name, tensor in named.items()}


def _choose_output(
    returned: Any,
    wanted: str | None,
) -> torch.Tensor:
    """Return one tensor of what a network returned.

    Raises:
        ValueError: there are several, and none of them is the one that is learned.
    """
    if wanted is not None:
        return name_tensors(returned, (wanted,))[wanted]
    try:
        return name_tensors(returned, _LEARNED)[_LEARNED[0]]
    except ValueError:
        found: Outputs = name_tensors(returned)
    if len(found) != 1:
        names = list(found)
        raise ValueError(f"the network gives {names}")
    (only,) = found.values()
    return only


def _explain(
    error: Exception,
    tensors: Mapping[str, torch.Tensor],
) -> ModelError:
    """Return what is said of a network that cannot be called."""
    shapes = {}
    for name, tensor in tensors.items():
        shapes[name] = tuple(tensor.shape[1:])
        rows = len(tensor)
    if is_out_of_memory(error):
        return ModelError(
            f"memory does not hold a mini-batch of {rows} rows; lower training.batch_rows "
            "(and raise training.accumulate, so that a step has as many rows)"
        )
    # torch writes several lines, and a message is one.
    words = str(error).split()
    reason = " ".join(words)[:_SHOWN_CHARACTERS] or type(error).__name__
    return ModelError(f"the network does not take inputs of shape {shapes}: {reason}")
