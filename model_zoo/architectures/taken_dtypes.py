"""In which floating-point dtype a network takes its inputs, whatever its package's card declares."""

from typing import NamedTuple

import torch
from torch import nn

from model_zoo.architectures.named_tensors import is_double
from model_zoo.architectures.users_own import is_ours


class TakenDtypes(NamedTuple):
    """The dtypes of floating-point inputs; whole numbers reach a network as they are.

    Attributes:
        dtype: in which inputs reach the network.
        kept: in which they reach it all the same; None for none.
    """

    dtype: torch.dtype
    kept: torch.dtype | None

    def cast(self, tensor: torch.Tensor) -> torch.Tensor:
        """Return an input (rows, ...) as it reaches the network."""
        if not tensor.is_floating_point() or tensor.dtype is self.kept:
            return tensor
        return tensor.to(self.dtype)


def find_taken_dtypes(network: nn.Module, builder: str) -> TakenDtypes:
    """Return the dtypes in which a network takes its inputs with the reference settings.

    Args:
        network: with the weights of its package.
        builder: its name, as a card says it.
    """
    dtype = torch.float64 if is_double(network) else torch.float32
    # Our own networks compute in float32; another one takes what its author gave it.
    kept = None if is_ours(builder) else torch.float16
    return TakenDtypes(dtype, kept)
