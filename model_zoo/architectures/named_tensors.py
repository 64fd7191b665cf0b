"""A network that somebody else wrote, called as ours are: tensors by name in, tensors by name out."""

from collections.abc import Mapping, Sequence
import copy
import dataclasses
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from model_zoo.package.card import Tensor as DeclaredTensor

Call: TypeAlias = Literal["keywords", "positions"]
Tensors: TypeAlias = Mapping[str, Tensor]
Outputs: TypeAlias = dict[str, Tensor]
# Without the rows.
Shape: TypeAlias = tuple[int, ...]
# Whatever a network returns, by names that need not be texts.
_Values: TypeAlias = Mapping[Any, Any]
# Of an output that has no name of its own.
_ONLY = "output"
# Rows, tokens, and what there is for each token.
_TOKEN_DIMENSIONS = 3


class NamedTensors(nn.Module):
    """Calls the network as its author does, and names what it returns.

    Args:
        network: the author's.
        inputs: names of what it takes, in its order.
        call: whether it takes them by name or by position.
        outputs: what is wanted of what it returns: dtype, and shape without the rows, by name.
        mask: the input, (rows, tokens), that is 1 for tokens, where a row has any. It may have fewer
            tokens than outputs are declared with: what is given for each token is filled up with
            zeros, which also stand for padding.
    """

    def __init__(
        self,
        network: nn.Module,
        inputs: Sequence[str],
        call: Call,
        outputs: Mapping[str, DeclaredTensor],
        mask: str | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self._inputs = tuple(inputs)
        self._call = call
        self._mask = mask
        self._shapes: dict[str, Shape] = {}
        for name, tensor in outputs.items():
            self._shapes[name] = tuple(tensor.shape)

    def wrap(self, network: nn.Module) -> "NamedTensors":
        """Return the same around another network, an equivalent of the author's for example."""
        twin = copy.copy(self)
        twin._modules = {**self._modules, "network": network}
        return twin

    def forward(self, **tensors: Tensor) -> Outputs:
        returned = call_network(self.network, tensors, self._inputs, self._call)
        names = list(self._shapes)
        found = name_tensors(returned, names)
        outputs: Outputs = {}
        for name, shape in self._shapes.items():
            outputs[name] = _fit(found[name], shape)
        if self._mask is not None:
            mask = tensors[self._mask]
            self._complete_tokens(outputs, mask)
        return outputs

    def _complete_tokens(self, outputs: Outputs, mask: Tensor) -> None:
        """Put zeros for padding into outputs that have something for each token."""
        for name, shape in self._shapes.items():
            output = outputs[name]
            if _has_each_token(output, shape, mask):
                cleared = clear_padding(output, mask)
                outputs[name] = _fill_up(cleared, tokens=shape[0])


def is_double(network: nn.Module) -> bool:
    """Tell whether a network computes in float64: each of its weights that has fractions is so."""
    kinds = set()
    for weight in network.parameters():
        # Whole numbers say nothing of how fractions are computed.
        if weight.is_floating_point():
            kinds.add(weight.dtype)
    return kinds == {torch.float64}


def may_be_of_tokens(shape: Sequence[int]) -> bool:
    """Tell whether an output may have numbers for each token: (tokens, classes), and not (width,)."""
    # A shape is without the rows.
    dimensions = 1 + len(shape)
    return dimensions >= _TOKEN_DIMENSIONS


def clear_padding(output: Tensor, mask: Tensor) -> Tensor:
    """Return an output (rows, tokens, ...) with zeros where the mask (rows, tokens) has no token."""
    is_padding = mask == 0
    # Dimensions of size 1, for what there is for each token.
    beyond = [1] * (output.ndim - 2)
    is_padding = is_padding.reshape(*mask.shape, *beyond)
    return output.masked_fill(is_padding, 0)


def call_network(
    network: nn.Module,
    tensors: Tensors,
    inputs: Sequence[str],
    call: Call,
) -> Any:
    """Return whatever the network returns.

    Args:
        network: the author's.
        tensors: (rows, ...) by name.
        inputs: their names, in the network's order.
        call: whether it takes them by name or by position.
    """
    if call == "positions":
        in_order = [tensors[name] for name in inputs]
        return network(*in_order)
    return network(**tensors)


def name_tensors(returned: Any, names: Sequence[str] = ()) -> Outputs:
    """Return a network's tensors by name.

    Those of a dict, a dataclass or a named tuple have names; those of a tuple or list are called
    `output_0`, `output_1`, ..., and a tensor alone `output`.

    Args:
        returned: what the network returned.
        names: the tensors that are wanted of what has names; for what has none, a name for each;
            none for all tensors under names of their own.

    Raises:
        ValueError: it is something else, or what is wanted of it is missing or no tensor.
    """
    values = _list_values(returned)
    if names:
        has_names = not _is_unnamed(returned)
        values = _choose(values, names, has_names)
    found: Outputs = {}
    for name, value in values.items():
        # A loss that was not asked for, for example.
        if value is None and not names:
            continue
        if not isinstance(value, Tensor):
            kind = type(value).__name__
            raise ValueError(
                f"{name} of what the network returns is a {kind}, and no tensor; "
                "name the tensors that are wanted in outputs, or return them alone"
            )
        found[str(name)] = value
    return found


def _is_unnamed(returned: Any) -> bool:
    # Not `isinstance`: named tuples are tuples.
    is_sequence = type(returned) in (tuple, list)
    return is_sequence or isinstance(returned, Tensor)


def _choose(values: _Values, names: Sequence[str], has_names: bool) -> _Values:
    is_one_name_each = len(values) == len(names)
    if not has_names and is_one_name_each:
        return dict(zip(names, values.values(), strict=True))
    missing = set(names).difference(values)
    if missing:
        given = list(values)
        # Of several the first, so that the message is the same every time.
        first = min(missing)
        raise ValueError(f"the network gives {given}, and no {first!r}")
    return {name: values[name] for name in names}


def _list_values(returned: Any) -> _Values:
    if isinstance(returned, Tensor):
        return {_ONLY: returned}
    # Before dataclasses: a ModelOutput is both, and its items leave out what is None.
    if isinstance(returned, Mapping):
        return returned
    is_class = isinstance(returned, type)
    if dataclasses.is_dataclass(returned) and not is_class:
        declared = dataclasses.fields(returned)
        names = [field.name for field in declared]
        # Not `asdict`, which copies every tensor.
        return {name: getattr(returned, name) for name in names}
    # Before tuples: a named tuple is one.
    if isinstance(returned, tuple) and hasattr(returned, "_asdict"):
        fields: _Values = returned._asdict()
        return fields
    if isinstance(returned, tuple | list):
        places = range(len(returned))
        names = [f"{_ONLY}_{place}" for place in places]
        return dict(zip(names, returned, strict=True))
    kind = type(returned).__name__
    raise ValueError(f"the network returns a {kind}, and no tensor, tuple, dict or dataclass")


def _fit(output: Tensor, shape: Sequence[int]) -> Tensor:
    """Return (rows, 1) as (rows,) where a number a row is what the card says."""
    is_number = not shape
    is_list = output.ndim == 2
    if is_number and is_list and output.shape[1] == 1:
        return output[:, 0]
    return output


def _has_each_token(output: Tensor, shape: Sequence[int], mask: Tensor) -> bool:
    """Tell whether an output has something for each token.

    Args:
        output: (rows, ...).
        shape: that the card says, without the rows.
        mask: (rows, tokens).
    """
    if not may_be_of_tokens(shape) or output.ndim < _TOKEN_DIMENSIONS:
        return False
    given = output.shape[1]
    tokens = mask.shape[1]
    # Another number of them is something else of the row: layers, heads.
    return given == tokens


def _fill_up(output: Tensor, tokens: int) -> Tensor:
    """Return (rows, longest, ...) as (rows, tokens, ...), with zeros behind."""
    missing = tokens - output.shape[1]
    # `pad` begins with the last dimension: nothing before and behind, for each beyond the tokens.
    beyond = (0, 0) * (output.ndim - 2)
    widths = (*beyond, 0, missing)
    return functional.pad(output, widths)
