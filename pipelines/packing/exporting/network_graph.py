"""A network -> an ONNX graph that takes and gives what scoring does.

The network is exported as scoring calls it, so all that stands around it (dtypes, names, zeros for
padding) is in the graph too. Rows are free; of texts the tokens are, because mini-batches are cut to
their longest.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import nn

from model_zoo.architectures.taken_dtypes import find_taken_dtypes
from model_zoo.arrays import Arrays
from model_zoo.package.card import ModelCard
from model_zoo.package.weights import call_by_names
from pipelines.packing.converters.torch_graph import make_example, write_graph
from pipelines.packing.exporting.row_guard import find_guarded, mark_rows

# Those of an input of which a graph takes any number.
Axes: TypeAlias = Mapping[int, Any]
_FREE = torch.export.Dim.DYNAMIC
# torch takes 0 and 1 for sizes that never change.
_FEWEST_TOKENS = 2


class _Scored(nn.Module):
    """The network as scoring calls it, with tensors in one order in and out, as exporters want it.

    Args:
        network: the author's, in evaluation mode.
        card: what the package says of it.
    """

    def __init__(self, network: nn.Module, card: ModelCard) -> None:
        super().__init__()
        self.network = call_by_names(network, card)
        self._inputs = tuple(card.inputs)
        self._outputs = tuple(card.outputs)
        self._dtypes = find_taken_dtypes(network, card.builder)
        # Inputs by which rows are told that torch gives no score; none before that is known.
        self.guarded: frozenset[str] = frozenset()

    def forward(self, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Take the card's inputs in their order, and give its outputs in theirs."""
        named = {}
        for name, tensor in zip(self._inputs, tensors, strict=True):
            named[name] = self._dtypes.cast(tensor)
        outputs = self.network(**named)
        in_order = [outputs[name] for name in self._outputs]
        guarded = {name: named[name] for name in self._inputs if name in self.guarded}
        return tuple(mark_rows(in_order, guarded))


def export_network(network: nn.Module, card: ModelCard, inputs: Arrays) -> Any:
    """Return a network as a graph, `onnx.ModelProto`, that takes any number of rows.

    Args:
        network: the author's, with its weights, in evaluation mode.
        card: what the package says of it.
        inputs: of the sample, arrays (rows, *shape) by name.

    Raises:
        ValueError: an input and an output have one name.
        Exception: torch's own, of many classes, where something cannot be exported.
    """
    _refuse_shared_names(card)
    tokens = _count_tokens(card)
    # Sizes of one number would be taken for one and the same.
    example = make_example(inputs, unlike=tokens)
    tensors = []
    axes: list[Axes] = []
    for name in card.inputs:
        has_tokens = _has_tokens(card, name, tokens)
        array = example[name]
        free: Axes = {0: _FREE}
        if has_tokens:
            free = {0: _FREE, 1: _FREE}
            most = _choose_tokens(tokens)
            array = array[:, :most]
        # A copy, as torch takes no array that nobody may write to.
        copy = np.array(array)
        tensor = torch.from_numpy(copy)
        tensors.append(tensor)
        axes.append(free)
    scored = _Scored(network, card).eval()
    names = list(card.inputs)
    outputs = list(card.outputs)
    scored.guarded = find_guarded(scored, tensors, names)
    return write_graph(scored, tensors, axes, names, outputs)


def _refuse_shared_names(card: ModelCard) -> None:
    shared = card.inputs.keys() & card.outputs.keys()
    if shared:
        # Of several always the same one, so that the message is the same every time.
        first = min(shared)
        raise ValueError(f"{first!r} is an input and an output, and a graph has one of a name")


def _count_tokens(card: ModelCard) -> int:
    """Return how many tokens a text has at most; 0 of a model of something else."""
    if card.mask is None:
        return 0
    return card.inputs[card.mask].shape[0]


def _has_tokens(card: ModelCard, name: str, tokens: int) -> bool:
    """Tell whether scoring cuts an input to the tokens of the longest text."""
    shape = card.inputs[name].shape
    return tokens > _FEWEST_TOKENS and shape[:1] == (tokens,)


def _choose_tokens(tokens: int) -> int:
    """Return how many tokens an example has: an odd number, which no other size is likely to be.

    Fewer than there may be: of all of them, a network's own table of places would not be cut.
    """
    fewer = tokens - 1
    if fewer % 2 or fewer == _FEWEST_TOKENS:
        return fewer
    return fewer - 1
