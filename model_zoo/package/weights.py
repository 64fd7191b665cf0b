"""A package's network with its weights.

What the card says about the network is checked against the weights before memory is given for it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
import itertools
import threading
from typing import Any

import torch
from torch import nn
from torch.nn.modules.module import (
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
)
from torch.overrides import TorchFunctionMode

from configs.errors import JobError, ModelError, Refusal, crashes_as_errors
from model_zoo.architectures.builders import build
from model_zoo.architectures.disjoint_graphs import DisjointGraphs
from model_zoo.architectures.library_names import is_of_library
from model_zoo.architectures.named_tensors import NamedTensors
from model_zoo.architectures.users_own import check_users_network, is_ours
from model_zoo.package.card import ModelCard
from model_zoo.package.packed_model import PackedModel
from model_zoo.package.state_dicts import StateDict, read_state_dict

_PARTS_OF_ONE_WEIGHT = 8
_PARTS_AT_LEAST = 1000
# torch lists every weight that does not fit, and adds its whole call stack to some errors.
_SHOWN_CHARACTERS = 300


def load_network(package: PackedModel) -> nn.Module:
    """Return the network that the card describes, with the package's weights.

    The file's bytes are let go as soon as the network has its numbers.

    Raises:
        ModelError: no such builder, parameters that it does not take, a format that can carry code,
            or weights of another network.
    """
    card = package.card
    content = package.read_file(card.weights)
    try:
        with crashes_as_errors():
            state = read_state_dict(card.weights, content)
            check_users_network(card.builder, card.source_sha256, package.modules)
            most_parts = _count_parts(state)
            outline = _outline_network(package, most_parts)
            if outline is not None:
                _check_size(outline, state, len(content))
            # Without an outline, numbers are counted as weights are registered, before they are drawn.
            most_numbers = None
            if outline is None and is_of_library(card.builder):
                most_numbers = len(content)
            with _counted_parts(most_parts, most_numbers):
                network = build(card.builder, card.parameters, package.modules)
            network.load_state_dict(state)
    except Refusal:
        raise
    except Exception as error:  # libraries have no class for all that can be wrong with a file
        text = str(error) or type(error).__name__
        # torch writes several lines, and a message is one.
        words = text.split()
        reason = " ".join(words)[:_SHOWN_CHARACTERS]
        raise ModelError(
            f"{package.url}/{card.weights}: does not hold the weights of {card.builder}: {reason}"
        ) from error
    return call_by_names(network, card)


def call_by_names(network: nn.Module, card: ModelCard) -> nn.Module:
    """Return the network as scoring calls it: tensors by name in, tensors by name out.

    Args:
        network: as its builder gives it.
        card: how its author calls it, and what is wanted of what it returns.
    """
    if is_ours(card.builder):
        return network
    if card.graph is not None:
        network = DisjointGraphs(network, card.graph, tuple(card.outputs))
    return NamedTensors(network, tuple(card.inputs), card.call, card.outputs, card.mask)


class _TooManyPartsError(ModelError):
    """A network of more layers and weights than the file has numbers for."""


class _WithoutDrawing(TorchFunctionMode):
    """Draws no normal numbers for weights that have no memory."""

    # torch would import its compiler for them, which takes seconds.

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        named = kwargs or {}
        is_drawing = func in (torch.Tensor.normal_, nn.init.normal_)
        if not is_drawing:
            return func(*args, **named)
        # Both give back the tensor that they were to fill.
        if args:
            return args[0]
        return named["tensor"]


def _count_parts(state: StateDict) -> int:
    """Return how many layers and weights a network with these weights has at most."""
    # Layers without weights stand beside those that have some, and are in other layers.
    return _PARTS_OF_ONE_WEIGHT * len(state) + _PARTS_AT_LEAST


@contextmanager
def _counted_parts(most: int, most_numbers: int | None = None) -> Iterator[None]:
    """Refuse a network of more parts, while the calling thread builds it in the block.

    A card of one line can describe a hundred million layers.

    Args:
        most: layers and weights.
        most_numbers: of all weights; None for any.
    """
    builder = threading.get_ident()
    counter = itertools.count(1)
    numbers = 0

    def count_part(_: object, __: object, part: object) -> None:
        nonlocal numbers
        # torch asks for every network that any thread builds.
        if threading.get_ident() != builder:
            return
        if most_numbers is not None and isinstance(part, torch.Tensor):
            numbers += part.numel()
            if numbers > most_numbers:
                raise _TooManyPartsError(
                    f"it would be a network of more than {most_numbers:,} numbers, "
                    "which the file does not have"
                )
        if next(counter) > most:
            raise _TooManyPartsError(
                f"it would be a network of more than {most:,} layers and weights, "
                "for which the file has no numbers"
            )

    layers = register_module_module_registration_hook(count_part)
    weights = register_module_parameter_registration_hook(count_part)
    try:
        yield
    finally:
        layers.remove()
        weights.remove()


def _outline_network(package: PackedModel, most_parts: int) -> nn.Module | None:
    """Return the network without memory for its weights.

    None for one of a library or a user that cannot be built so, because it looks at numbers while
    it is built; its parts are counted all the same.
    """
    card = package.card
    try:
        # On torch's meta device tensors have shapes and dtypes, and no numbers.
        with torch.device("meta"), _WithoutDrawing(), _counted_parts(most_parts):
            return build(card.builder, card.parameters, package.modules)
    except _TooManyPartsError as error:
        raise ModelError(f"{package.url}: the card describes no network: {error}") from error
    except JobError:
        raise
    except Exception as error:
        if not is_ours(card.builder):
            return None
        reason = str(error)[:_SHOWN_CHARACTERS]
        raise ModelError(f"{package.url}: the card describes no network: {reason}") from error


def _check_size(outline: nn.Module, state: StateDict, content_bytes: int) -> None:
    """Refuse a network with more numbers than the weights file has bytes, or of other kinds.

    Memory is given only for what was delivered: a card of one line can describe a network of a
    terabyte.
    """
    numbers = 0
    tensors = itertools.chain(outline.parameters(), outline.buffers())
    for tensor in tensors:
        numbers += tensor.numel()
    # No dtype stores a number in less than a byte.
    if numbers > content_bytes:
        raise ValueError(
            f"the card describes {numbers:,} numbers, and the file has {content_bytes:,} bytes"
        )
    for name, expected in outline.state_dict().items():
        found = state.get(name)
        # A weight that is missing is refused when the network takes the others.
        if found is None:
            continue
        if _describe_kind(found) != _describe_kind(expected):
            raise ValueError(f"{name} is {found.dtype}, and the network has {expected.dtype} there")


def _describe_kind(tensor: torch.Tensor) -> tuple[bool, bool]:
    """Return what torch would change in silence: copying cuts fractions and imaginary parts off."""
    return tensor.is_floating_point(), tensor.is_complex()
