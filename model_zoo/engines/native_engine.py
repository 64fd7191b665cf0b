"""An engine that computes a model from its library's own file, in a process of its own."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from math import prod
from typing import Any

import numpy as np
import torch

from configs.errors import ModelError
from model_zoo.engines.child.process import ChildProcess, start_child
from model_zoo.engines.engine import Network
from model_zoo.engines.settings import Settings
from model_zoo.engines.untuned import Untuned
from model_zoo.package.card import Form, ModelCard, Tensor
from model_zoo.package.packed_model import PackedModel

# Outputs may come in a wider type than the card's, which they are cast to.
_WIDEST_BYTES = 8


@dataclass(frozen=True)
class NativeEngine(Untuned):
    """A library that scores models of its own format.

    Attributes:
        name: the word that settings name it by.
        form: name of the format, in the card.
        libraries: modules that must be installed.
        distributions: names that the library is installed by, of which there is one.
        extra: of this program, which brings it.
        child_module: module whose `load` reads the file, in the child.
    """

    name: str
    form: Form
    libraries: tuple[str, ...]
    distributions: tuple[str, ...]
    extra: str
    child_module: str
    device_types: tuple[str, ...] = ("cpu",)

    def reads(self, card: ModelCard) -> str | None:
        """Return the file of the library's own format."""
        return card.forms.get(self.form)

    def load(
        self,
        package: PackedModel,
        device: torch.device,
        threads: int,
        settings: Settings,
    ) -> Network:
        """Load the file in a child, as `Engine.load`, which computes `threads` mini-batches at once."""
        if device.type != "cpu":
            raise ModelError(
                f"{package.url}: {self.name} computes it on a CPU here, and not on {device.type}; "
                "set model.device to cpu"
            )
        if not settings.is_reference:
            raise ModelError(
                f"{package.url}: {self.name} computes in the model's own types, and not in "
                f"{settings}; set model.dtype to float32, which leaves them as they are"
            )
        card = package.card
        name = card.forms[self.form]
        child = start_child(
            self.child_module,
            package.read_file(name),
            describe_card(card),
            threads,
            what=f"{package.url}/{name}",
        )
        return Network(
            compute=_Call(child, card.outputs),
            dtype=None,
            layout=torch.contiguous_format,
            kept_dtype=None,
        )

    def describe_version(self) -> str:
        """Return the library's version."""
        for name in self.distributions:
            try:
                return f"{self.name} {version(name)}"
            except PackageNotFoundError:
                continue
        return self.name

    def is_out_of_memory(self, error: Exception) -> bool:
        """Tell whether fewer rows may fit."""
        return isinstance(error, MemoryError)


def describe_card(card: ModelCard) -> dict[str, Any]:
    """Return what the child is told of a card, as plain values."""
    inputs = {}
    for name, tensor in card.inputs.items():
        inputs[name] = {"dtype": tensor.dtype, "shape": list(tensor.shape)}
    outputs = {}
    for name, tensor in card.outputs.items():
        outputs[name] = {"dtype": tensor.dtype, "shape": list(tensor.shape)}
    return {"inputs": inputs, "outputs": outputs, "activation": card.activation}


@dataclass(frozen=True)
class _Call:
    """A child, called with tensors by name as a network is."""

    child: ChildProcess
    outputs: Mapping[str, Tensor]

    def __call__(self, **inputs: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the outputs of a mini-batch."""
        arrays = {name: tensor.numpy() for name, tensor in inputs.items()}
        rows = len(next(iter(arrays.values())))
        numbers = 0
        for tensor in self.outputs.values():
            numbers += prod(tensor.shape)
        computed = self.child(arrays, rows * numbers * _WIDEST_BYTES)
        tensors = {}
        for name, array in computed.items():
            tensors[name] = torch.from_numpy(self._shape(name, array, rows))
        return tensors

    def _shape(self, name: str, array: np.ndarray, rows: int) -> np.ndarray:
        """Return a column of lists of one number as numbers, and the other way round."""
        wanted = self.outputs.get(name)
        if wanted is None:
            return array
        shape = (rows, *wanted.shape)
        has_rows = array.shape[:1] == (rows,)
        has_numbers = array.size == prod(shape)
        most_dimensions = len(shape) + 1
        if not has_rows or not has_numbers or array.ndim > most_dimensions:
            # As it is: whoever asked for it says what is wrong with it.
            return array
        return array.reshape(shape)
