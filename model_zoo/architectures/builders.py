"""From the name that a model card gives a network to the network.

    mlp                    ours: a file in this folder and a line in the table below
    torchvision:resnet50   a library's (libraries.py)
    churn_net:ChurnNet     a user's own, of a module that the job allows (users_own.py)

Comes in: the card's `builder` and `parameters`. Goes out: a module. Ours are called as
`module(**inputs)` and give `dict[str, Tensor]`, one entry per output of the card; `NamedTensors`
has the others do the same.
"""

from collections.abc import Callable, Container
import difflib
from functools import partial
from typing import Any, TypeAlias

from torch import nn

from configs.errors import ModelError, Refusal, crashes_as_errors
from configs.user_code import describe_failure
from model_zoo.architectures.adversarial import discriminator, generator
from model_zoo.architectures.cnn import cnn
from model_zoo.architectures.libraries import LIBRARIES, build_of_library
from model_zoo.architectures.library_names import is_of_library
from model_zoo.architectures.mlp import mlp
from model_zoo.architectures.recurrent import gru, lstm
from model_zoo.architectures.resnet import resnet18
from model_zoo.architectures.sentence_encoder import sentence_encoder
from model_zoo.architectures.users_own import find_users_builder, is_users_own, refuse_unlisted

Builder: TypeAlias = Callable[..., nn.Module]

# Closed: a card is data that anybody may have written, and names nothing else to be called, but for
# what the job allows by its module.
BUILDERS: dict[str, Builder] = {
    "cnn": cnn,
    "discriminator": discriminator,
    "generator": generator,
    "gru": gru,
    "lstm": lstm,
    "mlp": mlp,
    "resnet18": resnet18,
    "sentence_encoder": sentence_encoder,
}


def find_builder(name: str, modules: Container[str] = ()) -> Builder:
    """Return what builds the networks of a name.

    All names of networks are resolved here, whatever kind of name they are.

    Args:
        name: as a model card says it.
        modules: users' own modules that may be imported.

    Raises:
        ModelError: there is no such network.
        JobError: it is a user's own and its module is not allowed, or it cannot be imported.
    """
    if is_of_library(name):
        return partial(_build_of_library, name)
    if is_users_own(name):
        refuse_unlisted(name, modules)
        return find_users_builder(name)
    if name not in BUILDERS:
        # Without a cutoff, the nearest name however far it is: there always is one.
        (near,) = difflib.get_close_matches(name, BUILDERS, n=1, cutoff=0.0)
        raise ModelError(
            f"builder {name!r} is unknown; did you mean {near!r}? There are {sorted(BUILDERS)}, "
            f"networks of {sorted(LIBRARIES)} as library:name, and your own as module:callable"
        )
    return BUILDERS[name]


def build(
    name: str,
    parameters: dict[str, Any],
    modules: Container[str] = (),
) -> nn.Module:
    """Build the network `name` with fresh weights, drawn from torch's global generator.

    Args:
        name: as a model card says it.
        parameters: keyword arguments of the builder.
        modules: users' own modules that may be imported.

    Raises:
        ModelError: there is no such network, or it does not take these parameters.
        JobError: as `find_builder`.
    """
    builder = find_builder(name, modules)
    try:
        with crashes_as_errors():
            network = builder(**parameters)
    except Refusal:
        raise
    except Exception as error:  # a library's layers, and a user's own code, may raise anything
        reason = describe_failure(error)
        raise ModelError(
            f"builder {name} does not take the parameters {parameters}: {reason}"
        ) from error
    if not isinstance(network, nn.Module):
        kind = type(network).__name__
        raise ModelError(f"builder {name} gives a {kind}, and no torch.nn.Module")
    return network


def _build_of_library(network: str, /, **parameters: Any) -> nn.Module:
    return build_of_library(network, parameters)
