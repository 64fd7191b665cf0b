"""Weights of a package into its network. Weights are data: a file that could run code is refused before any of it is unpickled."""

import io
import pickle

import torch
from torch import nn

from configs.errors import ModelError
from model_zoo.package import Package


def load_weights(network: nn.Module, package: Package) -> None:
    """Load the package's state dict into the network that the card describes.

    Raises:
        ModelError: a format that can carry code, or weights of another network.
    """
    name = package.card.weights
    try:
        network.load_state_dict(_state_dict(name, package.files[name]))
    except (RuntimeError, TypeError, AttributeError, ValueError, EOFError, OSError) as error:
        raise ModelError(f"{package.url}/{name}: does not hold the weights of {package.card.builder}: {error}") from error


def _state_dict(name: str, content: bytes) -> dict[str, torch.Tensor]:
    if name.endswith(".safetensors"):
        from safetensors import SafetensorError
        from safetensors.torch import load

        try:
            return load(content)
        except SafetensorError as error:
            raise ValueError(str(error)) from error
    if name.endswith((".pt", ".pth")):
        try:
            return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            raise ValueError(
                "it holds more than plain weights, and such a file could run code; save the state dict alone"
            ) from error
    raise ModelError(f"weights file {name}: only .safetensors, .pt and .pth state dicts are read; other formats can carry code")
