"""Numbers are learned at mean 0 and deviation 1, and given back in their own units.

    y = scale * z + mean          z is what the loss sees, y what a score is
    last layer: z = W h + b       y = (scale W) h + (scale b + mean)

So the network that is packed has other numbers in its last layer, and nothing else changes.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from model_zoo.arrays import Arrays

Compute = Callable[[], Arrays]
# A rescaled network rounds otherwise; float32 keeps 24 bits.
_ALIKE = 1e-3


@dataclass(frozen=True)
class TargetScale:
    """Where numbers are, and how far they spread, by target.

    Attributes:
        mean, scale: float64 (numbers,).
    """

    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(cls, targets: np.ndarray) -> "TargetScale":
        """Return those of the training rows, (rows,) or (rows, numbers)."""
        wide = targets.reshape(len(targets), -1)
        scale = wide.std(axis=0)
        # A number that is constant in the training part is learned as it is.
        return cls(wide.mean(axis=0), np.where(scale > 0, scale, 1.0))

    def invert(self) -> "TargetScale":
        """Return what takes numbers in their own units back to mean 0 and deviation 1."""
        return TargetScale(-self.mean / self.scale, 1 / self.scale)

    def standardise(self, targets: np.ndarray) -> np.ndarray:
        """Return targets as the loss sees them, float32 of the same shape."""
        wide = targets.reshape(len(targets), -1)
        scaled = (wide - self.mean) / self.scale
        return scaled.astype(np.float32).reshape(targets.shape)


def find_last_layer(network: nn.Module, numbers: int, compute: Compute) -> str | None:
    """Return the name of the layer whose numbers the network gives as they are; None if none is so.

    Tried out: with twice the weights and a bias that is moved, outputs must be twice and moved.

    Args:
        network: any, with the weights that training begins with.
        numbers: how many it gives for a row.
        compute: what it gives for some rows.
    """
    probe = TargetScale(np.full(numbers, 3.0), np.full(numbers, 2.0))
    before = _join(compute())
    for name, layer in _list_candidates(network, numbers):
        kept = {key: value.clone() for key, value in layer.state_dict().items()}
        rescale(network, name, probe)
        after = _join(compute())
        layer.load_state_dict(kept)
        expected = before * 2.0 + 3.0
        if after.shape == expected.shape and np.allclose(after, expected, rtol=_ALIKE, atol=_ALIKE):
            return name
    return None


def rescale(network: nn.Module, layer: str, scale: TargetScale) -> None:
    """Let a network give numbers in their own units.

    Args:
        network: whose last layer is changed.
        layer: its name.
        scale: of the targets.
    """
    last = network.get_submodule(layer)
    weight, bias = last.get_parameter("weight"), last.get_parameter("bias")
    factor = torch.from_numpy(scale.scale)
    mean = torch.from_numpy(scale.mean)
    with torch.no_grad():
        # In float64: the product is rounded once.
        by_row = factor.reshape(-1, *[1] * (weight.ndim - 1))
        weight.copy_((weight.double() * by_row).to(weight.dtype))
        bias.copy_((bias.double() * factor + mean).to(bias.dtype))


def _list_candidates(network: nn.Module, numbers: int) -> Iterator[tuple[str, nn.Module]]:
    """Yield layers that may be the last, the one that was made last first."""
    for name, layer in reversed(list(network.named_modules())):
        weight = getattr(layer, "weight", None)
        bias = getattr(layer, "bias", None)
        if isinstance(weight, torch.Tensor) and isinstance(bias, torch.Tensor):
            has_a_row_each = len(weight) == numbers and tuple(bias.shape) == (numbers,)
            if has_a_row_each:
                yield name, layer


def _join(outputs: Arrays) -> np.ndarray:
    """Return all numbers of all outputs, float64."""
    flat = [array.reshape(len(array), -1) for array in outputs.values()]
    return np.concatenate(flat, axis=1).astype(np.float64)
