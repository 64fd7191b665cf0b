"""Give NaN for rows with NaN or infinity, in a network that cannot hold either.

8-bit integers make a number of either, which would pass for a score.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn


class NanGuard(nn.Module):
    """A network whose outputs are NaN for rows whose inputs are not finite, as in float32.

    What overflows inside the network is not noticed: an integer stays at its end of the scale.
    """

    def __init__(self, network: Callable[..., Any]) -> None:
        super().__init__()
        self.network = network

    def forward(self, **inputs: torch.Tensor) -> Any:
        """Take and give what the network does, tensors (rows, ...) by name."""
        outputs = self.network(**inputs)
        for tensor in inputs.values():
            if tensor.is_floating_point():
                _write_nan(outputs, _find_not_finite(tensor))
        return outputs


def _write_nan(outputs: dict[str, torch.Tensor], rows: torch.Tensor) -> None:
    # An index without rows would cost a copy of every output.
    if not rows.numel():
        return
    for values in outputs.values():
        if values.is_floating_point():
            values[rows] = torch.nan


def _find_not_finite(tensor: torch.Tensor) -> torch.Tensor:
    """Return the positions (int64) of rows with a NaN or an infinity."""
    if tensor.ndim == 1:
        return _find_infinite_numbers(tensor)
    inner = tuple(range(1, tensor.ndim))
    # The sum is quick, and not finite if any number is not; a finite row may still overflow it.
    sums = tensor.sum(inner)
    suspicious = _find_infinite_numbers(sums)
    is_finite = torch.isfinite(tensor[suspicious])
    is_finite_row = is_finite.flatten(1).all(1)
    return suspicious[~is_finite_row]


def _find_infinite_numbers(numbers: torch.Tensor) -> torch.Tensor:
    is_finite = torch.isfinite(numbers)
    return torch.nonzero(~is_finite).flatten()
