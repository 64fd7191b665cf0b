"""Numbers are learned at mean 0 and deviation 1, and given back in their own units.

    y = scale * z + mean          z is what the loss sees, y what a score is
    last layer: z = W h + b       y = (scale W) h + (scale b + mean)

So the network that is packed has other numbers in its last layer, and nothing else changes.
"""

from collections.abc import Callable, Iterator
import copy
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
        wide = _to_wide(targets)
        mean = wide.mean(axis=0)
        spread = wide.std(axis=0)
        # A number that is constant in the training part is learned as it is.
        is_spread = spread > 0
        scale = np.where(is_spread, spread, 1.0)
        return cls(mean, scale)

    def invert(self) -> "TargetScale":
        """Return what takes numbers in their own units back to mean 0 and deviation 1."""
        steps = self.mean / self.scale
        scale = 1 / self.scale
        return TargetScale(-steps, scale)

    def standardise(self, targets: np.ndarray) -> np.ndarray:
        """Return targets as the loss sees them, float32 of the same shape."""
        wide = _to_wide(targets)
        centred = wide - self.mean
        scaled = centred / self.scale
        # From float64 only now, so that large numbers lose nothing of what tells them apart.
        floats = scaled.astype(np.float32)
        return floats.reshape(targets.shape)


def find_last_layer(network: nn.Module, numbers: int, compute: Compute) -> str | None:
    """Return the name of the layer whose numbers the network gives as they are; None if none is so.

    Tried out: with twice the weights and a bias that is moved, outputs must be twice and moved.

    Args:
        network: any, with the weights that training begins with.
        numbers: how many it gives for a row.
        compute: what it gives for some rows.
    """
    moved = np.full(numbers, 3.0)
    doubled = np.full(numbers, 2.0)
    probe = TargetScale(moved, doubled)
    outputs = compute()
    before = _join(outputs)
    expected = before * doubled + moved
    for name, layer in _list_candidates(network, numbers):
        state = layer.state_dict()
        kept = copy.deepcopy(state)
        rescale(network, name, probe)
        outputs = compute()
        after = _join(outputs)
        # As it was, whether it is the one or not.
        layer.load_state_dict(kept)
        is_it = np.allclose(
            after,
            expected,
            rtol=_ALIKE,
            atol=_ALIKE,
        )
        if is_it:
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
    weight = last.get_parameter("weight")
    bias = last.get_parameter("bias")
    factor = torch.from_numpy(scale.scale)
    mean = torch.from_numpy(scale.mean)
    # Dimensions of size 1, for what there is in each row of weights.
    beyond = [1] * (weight.ndim - 1)
    by_row = factor.reshape(-1, *beyond)
    with torch.no_grad():
        # In float64: the product is rounded once.
        wide_weight = weight.double() * by_row
        scaled_bias = bias.double() * factor
        wide_bias = scaled_bias + mean
        # Back to the width of the layer.
        weight.copy_(wide_weight)
        bias.copy_(wide_bias)


def _list_candidates(
    network: nn.Module,
    numbers: int,
) -> Iterator[tuple[str, nn.Module]]:
    """Yield layers that may be the last, the one that was made last first."""
    layers = list(network.named_modules())
    for name, layer in reversed(layers):
        if _gives(layer, numbers):
            yield name, layer


def _gives(layer: nn.Module, numbers: int) -> bool:
    """Tell whether a layer has a row of weights and a bias for each number."""
    weight = getattr(layer, "weight", None)
    if not isinstance(weight, torch.Tensor):
        return False
    bias = getattr(layer, "bias", None)
    if not isinstance(bias, torch.Tensor):
        return False
    has_bias_each = bias.shape == (numbers,)
    return has_bias_each and len(weight) == numbers


def _to_wide(targets: np.ndarray) -> np.ndarray:
    """Return targets as (rows, numbers), whether there are several or one."""
    rows = len(targets)
    return targets.reshape(rows, -1)


def _join(outputs: Arrays) -> np.ndarray:
    """Return all numbers of all outputs, float64."""
    wide = [_to_wide(output) for output in outputs.values()]
    joined = np.concatenate(wide, axis=1)
    return joined.astype(np.float64)
