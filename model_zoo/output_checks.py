"""Whether a network gave what its package declares."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from configs.errors import ModelError
from model_zoo.card import Tensor


def check_outputs(given: Any, declared: Mapping[str, Tensor], slots: int) -> None:
    """Refuse what a network gave for a mini-batch of `slots` rows unless it has the declared names, shapes and types.

    Raises:
        ModelError: always when it has not.
    """
    if not isinstance(given, dict) or given.keys() != declared.keys():
        names = sorted(map(str, given)) if isinstance(given, dict) else type(given).__name__
        raise ModelError(f"the model gave {names}, but its package declares the outputs {sorted(declared)}")
    for name, tensor in given.items():
        if not isinstance(tensor, torch.Tensor):
            raise ModelError(f"the model's output {name} is a {type(tensor).__name__} instead of a tensor")
        expected = (slots, *declared[name].shape)
        if tuple(tensor.shape) != expected:
            raise ModelError(f"the model's output {name} has shape {tuple(tensor.shape)} instead of {expected}")
        if not _becomes(tensor.dtype, getattr(torch, declared[name].dtype)):
            raise ModelError(f"the model's output {name} is {tensor.dtype}, which does not become {declared[name].dtype}")


def _becomes(given: torch.dtype, declared: torch.dtype) -> bool:
    """Whether an output may be stored as declared: floating point may be rounded, but an integer that does not fit would wrap around."""
    if given.is_floating_point or given.is_complex or declared.is_floating_point:
        return torch.can_cast(given, declared)
    return np.can_cast(str(given).removeprefix("torch."), str(declared).removeprefix("torch."), "safe")
