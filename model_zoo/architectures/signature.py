"""How a network is called, found out by what its `forward` takes."""

from collections.abc import Sequence
from dataclasses import dataclass
import inspect

from torch import nn

from model_zoo.architectures.named_tensors import Call

# *arguments and **names: of these no number or name is known.
_ANY_POSITIONS = inspect.Parameter.VAR_POSITIONAL
_ANY_NAMES = inspect.Parameter.VAR_KEYWORD


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
    signature = inspect.signature(network.forward)
    required = []
    known = set()
    takes_any = False
    for parameter in signature.parameters.values():
        if parameter.kind is _ANY_NAMES:
            takes_any = True
        if parameter.kind in (_ANY_POSITIONS, _ANY_NAMES):
            continue
        # Python's own mark of an argument that must be given; None may be a default.
        if parameter.default is parameter.empty:
            required.append(parameter.name)
        if parameter.kind is not parameter.POSITIONAL_ONLY:
            known.add(parameter.name)
    return Signature(
        tuple(required),
        frozenset(known),
        takes_any,
    )
