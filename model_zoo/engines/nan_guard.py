"""Give NaN for rows with NaN or infinity, in a network that cannot hold either.

8-bit integers make a number of either, which would pass for a score.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import nn

# The square root of float32's largest number.
LARGEST_SQUARE = torch.finfo(torch.float32).max ** 0.5


class Limit(NamedTuple):
    """What no number of an input is.

    Attributes:
        largest: numbers of this size, and beyond it, are none; infinity, or less. `LARGEST_SQUARE`
            where sums of products would overflow, and their difference be NaN. None where the
            network computes with infinities.
        takes_nan: whether the network says itself what becomes of NaN.
    """

    largest: float | None = torch.inf
    takes_nan: bool = False


# All numbers are finite.
_FINITE = Limit()


class NanGuard(nn.Module):
    """A network whose outputs are NaN for rows whose inputs are not finite, as in float32.

    What overflows inside the network is not noticed: an integer stays at its end of the scale.

    Args:
        network: takes and gives tensors (rows, ...) by name.
        limits: of each input that is looked at, by name; without them all are, and are finite.
    """

    def __init__(
        self,
        network: Callable[..., Any],
        limits: Mapping[str, Limit] | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self._limits = limits

    def forward(self, **inputs: torch.Tensor) -> Any:
        """Take and give what the network does, tensors (rows, ...) by name.

        Raises:
            ValueError: a row is not finite, and all outputs are integers, which cannot say so.
        """
        outputs = self.network(**inputs)
        for name, tensor in inputs.items():
            limit = self._find_limit(name)
            if limit is None or not tensor.is_floating_point():
                continue
            if _may_be_wrong(tensor):
                _write_nan(outputs, _find_wrong_rows(tensor, limit))
        return outputs

    def _find_limit(self, name: str) -> Limit | None:
        """Return what no number of an input is, and None where any may be."""
        return _FINITE if self._limits is None else self._limits.get(name)


def _find_wrong_rows(tensor: torch.Tensor, limit: Limit) -> torch.Tensor:
    """Return the positions (int64) of rows with a number that is none."""
    sizes = tensor.abs()
    is_wrong = torch.zeros_like(sizes, dtype=torch.bool)
    if limit.largest is not None:
        is_wrong = sizes >= limit.largest
    if not limit.takes_nan:
        is_wrong |= sizes.isnan()
    is_wrong_row = is_wrong.reshape(len(tensor), -1).any(1)
    return torch.nonzero(is_wrong_row).flatten()


def _may_be_wrong(tensor: torch.Tensor) -> bool:
    """Tell whether a number of a mini-batch, or its square, may be none: finite ones may overflow it, too."""
    # Squares of 64 bits overflow later: what is too large would be found beside a row with NaN alone.
    if tensor.dtype == torch.float64:
        tensor = tensor.float()
    # Of all rows at once, as sums row by row take as long as a small network.
    if tensor.is_contiguous():
        flat = tensor.flatten()
        sizes = torch.dot(flat, flat)
    else:
        # Stacked columns, and so column by column: to lay them out anew would take as long as half of
        # a wide network.
        sizes = torch.linalg.vector_norm(tensor, dim=0)
    return not bool(torch.isfinite(sizes).all())


def _write_nan(outputs: dict[str, torch.Tensor], rows: torch.Tensor) -> None:
    # An index without rows would cost a copy of every output.
    if not rows.numel():
        return
    floating = [values for values in outputs.values() if values.is_floating_point()]
    if not floating:
        raise ValueError("an input is NaN, infinite or beyond 1.8e19, and no output can say so")
    for values in floating:
        values[rows] = torch.nan
