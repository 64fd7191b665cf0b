"""A network -> an ONNX graph that takes and gives what scoring does.

The network is exported as scoring calls it, so all that stands around it (dtypes, names, zeros for
padding) is in the graph too. Rows are free; of texts the tokens are, because mini-batches are cut to
their longest.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from model_zoo.architectures.taken_dtypes import find_taken_dtypes
from model_zoo.arrays import Arrays
from model_zoo.package.card import ModelCard
from model_zoo.package.weights import call_by_names
from pipelines.packing.converters.torch_graph import make_example, write_graph

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

    def forward(self, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Take the card's inputs in their order, and give its outputs in theirs."""
        named = {}
        for name, tensor in zip(self._inputs, tensors, strict=True):
            named[name] = self._dtypes.cast(tensor)
        outputs = self.network(**named)
        return tuple(outputs[name] for name in self._outputs)


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
    shared = sorted(card.inputs.keys() & card.outputs.keys())
    if shared:
        raise ValueError(f"{shared[0]!r} is an input and an output, and a graph has one of a name")
    tokens = _count_tokens(card)
    # Sizes of one number would be taken for one and the same.
    example = make_example(inputs, unlike=tokens)
    tensors = []
    axes = []
    for name in card.inputs:
        free: dict[int, Any] = {0: torch.export.Dim.DYNAMIC}
        array = example[name]
        if _has_tokens(card, name, tokens):
            free[1] = torch.export.Dim.DYNAMIC
            # Fewer than there may be: of all of them, a network's own table of places is not cut.
            array = array[:, : _choose_tokens(tokens)]
        tensor = torch.from_numpy(array.copy())
        tensors.append(tensor)
        axes.append(free)
    scored = _Scored(network, card).eval()
    free_axes: tuple[Mapping[int, Any], ...] = tuple(axes)
    return write_graph(scored, tensors, free_axes, list(card.inputs), list(card.outputs))


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
    """Return how many tokens an example has: an odd number, which no other size is likely to be."""
    fewer = tokens - 1
    if fewer % 2 or fewer == _FEWEST_TOKENS:
        return fewer
    return fewer - 1
