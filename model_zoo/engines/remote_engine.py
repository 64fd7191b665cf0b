"""A server as an engine: mini-batches go to it, several at a time, and come back as outputs.

Here nothing is computed. Who asks again, and when a run ends, is decided in `model_zoo/remote`; a mini-batch
that the server refuses is halved as with every engine, until the rows that it refuses are alone.
"""

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

import numpy as np
import torch

from configs.errors import ModelError
from model_zoo.engines.engine import Network
from model_zoo.engines.settings import Settings
from model_zoo.engines.untuned import Untuned
from model_zoo.package.card import CARD, ModelCard
from model_zoo.package.packed_model import PackedModel
from model_zoo.remote.called_model import CalledModel
from model_zoo.remote.calls import Calls
from model_zoo.remote.card_match import refuse_other_model
from model_zoo.remote.failures import TooLargeError
from model_zoo.remote.table import connect
from model_zoo.remote.target import describe_target

# What the protocols are spoken with, where it is installed.
_LIBRARIES = ("grpcio", "urllib3")


class RemoteEngine(Untuned):
    """A server that holds the model."""

    name = "remote"
    # Each protocol has its own, which it asks for by itself.
    libraries: tuple[str, ...] = ()
    extra = "remote"
    device_types = ("cpu",)

    def reads(self, card: ModelCard) -> str | None:
        """Return the card, where it names a server."""
        return None if card.remote is None else CARD

    def load(
        self,
        package: PackedModel,
        device: torch.device,
        threads: int,
        settings: Settings,
    ) -> Network:
        """Compare the server's model with the card, as `Engine.load`; nothing is loaded here."""
        _refuse_settings(package.url, device, settings)
        target = package.target
        if target is None:
            raise ModelError(
                f"{package.url}: a server computes it, and nothing says how it is reached; "
                "score it with pipelines.score"
            )
        calls = Calls(connect(target), target)
        described = calls.describe()
        refuse_other_model(package.card, target, described)
        return Network(
            compute=_Call(CalledModel(calls, described), package.card),
            dtype=None,
            layout=torch.contiguous_format,
            at_once=target.max_in_flight,
            computed_by=describe_target(target, described.server),
        )

    def describe_version(self) -> str:
        """Return what speaks to servers, as a manifest says it."""
        versions = [_describe_library(name) for name in _LIBRARIES]
        return ", ".join(filter(None, versions))

    def is_out_of_memory(self, error: Exception) -> bool:
        """Tell whether a smaller request may be taken."""
        return isinstance(error, TooLargeError)


def _describe_library(distribution: str) -> str:
    try:
        return f"{distribution} {version(distribution)}"
    except PackageNotFoundError:
        return ""


def _refuse_settings(url: str, device: torch.device, settings: Settings) -> None:
    if device.type != "cpu":
        raise ModelError(
            f"{url}: a server computes it, and not {device.type} here; set model.device to cpu"
        )
    if not settings.is_reference:
        raise ModelError(
            f"{url}: its server computes in the model's own types, and not in {settings}; "
            "set model.dtype to float32, which leaves them as they are"
        )


@dataclass(frozen=True)
class _Call:
    """A server, called with tensors by name as a network is."""

    model: CalledModel
    card: ModelCard

    def __call__(self, **inputs: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the outputs of a mini-batch."""
        arrays = {name: tensor.numpy() for name, tensor in inputs.items()}
        answered = self.model(arrays)
        outputs = {}
        # What else the server gives is nobody's.
        for name, declared in self.card.outputs.items():
            array = answered[name]
            # A list of one is a number, to this program.
            if not declared.shape and array.shape[1:] == (1,):
                array = array.reshape(-1)
            # What lies in a message's bytes may not be written to, of which torch would warn.
            outputs[name] = torch.from_numpy(np.require(array, requirements=["W"]))
        return outputs
