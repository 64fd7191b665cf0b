"""A network that somebody else wrote, called as ours are: tensors by name in, tensors by name out."""

from collections.abc import Mapping, Sequence
import dataclasses
from typing import Any, Literal, TypeAlias

import torch
from torch import nn

from model_zoo.package.card import Tensor

Call: TypeAlias = Literal["keywords", "positions"]
Outputs: TypeAlias = dict[str, torch.Tensor]
# Of an output that has no name of its own.
_ONLY = "output"


class NamedTensors(nn.Module):
    """Calls the network as its author does, and names what it returns.

    Args:
        network: the author's.
        inputs: names of what it takes, in its order.
        call: whether it takes them by name or by position.
        outputs: what is wanted of what it returns: dtype, and shape without the rows, by name.
    """

    def __init__(
        self,
        network: nn.Module,
        inputs: Sequence[str],
        call: Call,
        outputs: Mapping[str, Tensor],
    ) -> None:
        super().__init__()
        self.network = network
        self._inputs = tuple(inputs)
        self._call = call
        self._shapes = {name: tensor.shape for name, tensor in outputs.items()}

    def forward(self, **tensors: torch.Tensor) -> Outputs:
        returned = call_network(self.network, tensors, self._inputs, self._call)
        found = name_tensors(returned, list(self._shapes))
        return {name: _fit(found[name], shape) for name, shape in self._shapes.items()}


def call_network(
    network: nn.Module, tensors: Mapping[str, torch.Tensor], inputs: Sequence[str], call: Call
) -> Any:
    """Return whatever the network returns.

    Args:
        network: the author's.
        tensors: (rows, ...) by name.
        inputs: their names, in the network's order.
        call: whether it takes them by name or by position.
    """
    if call == "positions":
        return network(*(tensors[name] for name in inputs))
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
        values = _choose(values, names, has_names=not _is_unnamed(returned))
    found: Outputs = {}
    for name, value in values.items():
        # A loss that was not asked for, for example.
        if value is None and not names:
            continue
        if not isinstance(value, torch.Tensor):
            kind = type(value).__name__
            raise ValueError(
                f"{name} of what the network returns is a {kind}, and no tensor; "
                "name the tensors that are wanted in outputs, or return them alone"
            )
        found[str(name)] = value
    return found


def _is_unnamed(returned: Any) -> bool:
    return isinstance(returned, torch.Tensor) or type(returned) in (tuple, list)


def _choose(values: Mapping[Any, Any], names: Sequence[str], has_names: bool) -> Mapping[Any, Any]:
    if not has_names and len(values) == len(names):
        return dict(zip(names, values.values(), strict=True))
    missing = sorted(set(names).difference(values))
    if missing:
        raise ValueError(f"the network gives {list(values)}, and no {missing[0]!r}")
    return {name: values[name] for name in names}


def _list_values(returned: Any) -> Mapping[Any, Any]:
    if isinstance(returned, torch.Tensor):
        return {_ONLY: returned}
    # Before dataclasses: a ModelOutput is both, and its items leave out what is None.
    if isinstance(returned, Mapping):
        return returned
    if dataclasses.is_dataclass(returned) and not isinstance(returned, type):
        return {f.name: getattr(returned, f.name) for f in dataclasses.fields(returned)}
    if isinstance(returned, tuple) and hasattr(returned, "_asdict"):
        named: Mapping[Any, Any] = returned._asdict()
        return named
    if isinstance(returned, tuple | list):
        return {f"{_ONLY}_{number}": value for number, value in enumerate(returned)}
    kind = type(returned).__name__
    raise ValueError(f"the network returns a {kind}, and no tensor, tuple, dict or dataclass")


def _fit(output: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    """Return (rows, 1) as (rows,) where a number a row is what the card says."""
    if not shape and output.ndim == 2 and output.shape[1] == 1:
        return output[:, 0]
    return output
