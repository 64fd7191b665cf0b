"""A package's network with its weights. The card's word about the network is checked against the weights before memory is given for it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from configs.errors import ModelError
from model_zoo.architectures import build
from model_zoo.package import Package
from model_zoo.state_dicts import StateDict, read_state_dict

_SHOWN_CHARACTERS = 300


def load_network(package: Package) -> nn.Module:
    """The network that the card describes, with the package's weights.

    Raises:
        ModelError: no such builder, parameters that it does not take, a format that can carry code, or weights of another network.
    """
    card = package.card
    content = package.files[card.weights]
    try:
        state = read_state_dict(card.weights, content)
        _check_size(_outline(package), state, len(content))
        network = build(card.builder, card.parameters)
        network.load_state_dict(state)
    except (RuntimeError, TypeError, AttributeError, ValueError, EOFError, OSError) as error:
        reason = " ".join(str(error).split())[:_SHOWN_CHARACTERS]
        raise ModelError(f"{package.url}/{card.weights}: does not hold the weights of {card.builder}: {reason}") from error
    return network


class _WithoutDrawing(TorchFunctionMode):
    """Draws no normal numbers for weights that have no memory: torch would import its compiler for them, which takes seconds."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if func in (torch.Tensor.normal_, nn.init.normal_):
            return args[0] if args else (kwargs or {})["tensor"]
        return func(*args, **(kwargs or {}))


def _outline(package: Package) -> nn.Module:
    """The network without memory for its weights."""
    card = package.card
    try:
        with torch.device("meta"), _WithoutDrawing():
            return build(card.builder, card.parameters)
    except (ModelError, ArithmeticError, LookupError, AttributeError) as error:
        reason = str(error)[:_SHOWN_CHARACTERS]  # torch adds its whole call stack to some
        raise ModelError(f"{package.url}: the card describes no network: {reason}") from error


def _check_size(outline: nn.Module, state: StateDict, content_bytes: int) -> None:
    """Refuse a network with more numbers than the weights file has bytes: memory is given only for what was delivered."""
    numbers = sum(tensor.numel() for tensor in (*outline.parameters(), *outline.buffers()))
    if numbers > content_bytes:
        raise ValueError(f"the card describes {numbers:,} numbers, and the file has {content_bytes:,} bytes")
    for name, expected in outline.state_dict().items():
        found = state.get(name)
        if found is not None and (found.is_floating_point(), found.is_complex()) != (expected.is_floating_point(), False):
            raise ValueError(f"{name} is {found.dtype}, and the network has {expected.dtype} there")
