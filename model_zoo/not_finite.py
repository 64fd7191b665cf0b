"""NaN and infinity in a network that cannot hold them: 8-bit integers make a number of either, which would pass for a score."""

from typing import Any

import torch
from torch import nn


class NanWhereInputIsNotFinite(nn.Module):
    """A network whose outputs are NaN for rows whose inputs are not finite, as in float32.

    What overflows inside the network is not noticed: an integer stays at its end of the scale.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, **inputs: torch.Tensor) -> Any:
        """Take and give what the network does, tensors (rows, ...) by name."""
        outputs = self.network(**inputs)
        bad = [rows for t in inputs.values() if t.is_floating_point() and (rows := _not_finite(t)).numel()]
        for rows in bad:
            for values in outputs.values():
                if values.is_floating_point():
                    values[rows] = torch.nan
        return outputs


def _not_finite(tensor: torch.Tensor) -> torch.Tensor:
    """Positions of rows with a NaN or an infinity, int64; only rows whose sum is one are looked through."""
    inner = tuple(range(1, tensor.ndim))
    suspicious = torch.nonzero(~torch.isfinite(tensor.sum(inner) if inner else tensor)).flatten()
    finite = torch.isfinite(tensor[suspicious])
    return suspicious[~finite.flatten(1).all(1)] if inner else suspicious
