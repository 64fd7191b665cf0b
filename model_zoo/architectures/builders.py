"""The table of networks, by the name that a model card gives them: a new one is a file and a line.

Comes in: the card's `builder` and `parameters`. Goes out: a module that is called as
`module(**inputs)` and gives `dict[str, Tensor]`, one entry per output of the card.
"""

from collections.abc import Callable
import difflib
from typing import Any, TypeAlias

from torch import nn

from configs.errors import ModelError
from model_zoo.architectures.cnn import cnn
from model_zoo.architectures.mlp import mlp
from model_zoo.architectures.resnet import resnet18
from model_zoo.architectures.sentence_encoder import sentence_encoder

Builder: TypeAlias = Callable[..., nn.Module]

# Closed: a card is data that anybody may have written, and names nothing else to be called.
BUILDERS: dict[str, Builder] = {
    "cnn": cnn,
    "mlp": mlp,
    "resnet18": resnet18,
    "sentence_encoder": sentence_encoder,
}


def find_builder(name: str) -> Builder:
    """Return what builds the networks of a name.

    All names of networks are resolved here, whatever kind of name they are.

    Raises:
        ModelError: there is no such network.
    """
    if name not in BUILDERS:
        # Without a cutoff, the nearest name however far it is: there always is one.
        (near,) = difflib.get_close_matches(name, BUILDERS, n=1, cutoff=0.0)
        raise ModelError(
            f"builder {name!r} is unknown; did you mean {near!r}? There are {sorted(BUILDERS)}"
        )
    return BUILDERS[name]


def build(name: str, parameters: dict[str, Any]) -> nn.Module:
    """Build the network `name` with fresh weights, drawn from torch's global generator.

    Args:
        name: as a model card says it.
        parameters: keyword arguments of the builder.

    Raises:
        ModelError: there is no such network, or it does not take these parameters.
    """
    builder = find_builder(name)
    try:
        return builder(**parameters)
    # What torch raises when a layer is given a wrong type, shape or size.
    except (TypeError, ValueError, RuntimeError) as error:
        raise ModelError(
            f"builder {name} does not take the parameters {parameters}: {error}"
        ) from error
