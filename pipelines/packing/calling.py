"""How a network is called, found out by its signature and by calling it on the sample."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
import inspect

import numpy as np
import torch
from torch import nn

from configs.errors import ModelError
from model_zoo.architectures.named_tensors import Call, call_network, name_tensors
from model_zoo.arrays import Arrays

# As a mini-batch of scoring; a network computes a row alike in any of them.
_ROWS_AT_A_TIME = 256
_VARIABLE = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


@dataclass(frozen=True)
class Signature:
    """What a network's `forward` takes.

    Attributes:
        required: names of arguments without a default, in order.
        known: names of all arguments that can be given by name.
        takes_any: whether it takes any names.
    """

    required: tuple[str, ...]
    known: frozenset[str]
    takes_any: bool

    def takes(self, name: str) -> bool:
        """Tell whether an argument can be given by this name."""
        return self.takes_any or name in self.known

    def choose_call(self, inputs: Sequence[str]) -> Call:
        """Return how these inputs are given: by name where the network has all of the names."""
        if self.takes_any or self.known.issuperset(inputs):
            return "keywords"
        return "positions"


def read_signature(network: nn.Module) -> Signature:
    """Return what the network takes, as Python says it."""
    parameters = inspect.signature(network.forward).parameters.values()
    required = []
    known = set()
    for parameter in parameters:
        if parameter.kind in _VARIABLE:
            continue
        if parameter.default is parameter.empty:
            required.append(parameter.name)
        if parameter.kind is not parameter.POSITIONAL_ONLY:
            known.add(parameter.name)
    takes_any = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters)
    return Signature(tuple(required), frozenset(known), takes_any)


def compute(network: nn.Module, inputs: Arrays, call: Call, outputs: Sequence[str]) -> Arrays:
    """Call the network as its author does, and return what it gives, by name.

    Args:
        network: with its weights, in evaluation mode.
        inputs: one array (rows, ...) by argument, in the network's order.
        call: whether they are given by name or by position.
        outputs: the names that are wanted, as for `name_tensors`.

    Raises:
        ModelError: it fails, or returns what is no tensor of so many rows.
    """
    rows = len(next(iter(inputs.values())))
    parts: list[Mapping[str, np.ndarray]] = []
    for start in range(0, rows, _ROWS_AT_A_TIME):
        stop = start + _ROWS_AT_A_TIME
        part = {name: array[start:stop] for name, array in inputs.items()}
        parts.append(_compute_part(network, part, call, outputs))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _compute_part(network: nn.Module, inputs: Arrays, call: Call, outputs: Sequence[str]) -> Arrays:
    rows = len(next(iter(inputs.values())))
    tensors = {name: torch.from_numpy(np.ascontiguousarray(a)) for name, a in inputs.items()}
    try:
        with torch.inference_mode():
            returned = call_network(network, tensors, list(inputs), call)
            named = name_tensors(returned, outputs)
    except Exception as error:  # a user's own code may raise anything
        shapes = {name: f"{array.dtype}{list(array.shape)}" for name, array in inputs.items()}
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise ModelError(f"the network fails on {shapes}: {reason}") from error
    arrays = {}
    for name, tensor in named.items():
        if tensor.ndim == 0 or len(tensor) != rows:
            raise ModelError(
                f"the network's output {name} has shape {tuple(tensor.shape)} for {rows} rows; "
                "its first dimension must be the rows"
            )
        arrays[name] = tensor.numpy()
    return arrays
