"""Layers that compute in 16 bits where the recipe says so; weights and losses stay in 32."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from configs.errors import JobError
from model_zoo.training.recipe import Recipe


@contextmanager
def reduced_precision(
    recipe: Recipe,
    device: torch.device,
) -> Iterator[None]:
    """Compute matrix products and convolutions of this block in the recipe's precision.

    Args:
        recipe: how to train.
        device: where it is computed.
    """
    if recipe.precision == "float32":
        yield
        return
    dtype = torch.bfloat16 if recipe.precision == "bfloat16" else torch.float16
    with torch.autocast(device.type, dtype):
        yield


def make_scaler(
    recipe: Recipe,
    device: torch.device,
) -> torch.amp.GradScaler:
    """Return what keeps small gradients of float16 from becoming 0; without effect for others.

    Args:
        recipe: how to train.
        device: where it is computed.

    Raises:
        JobError: float16 on a CPU.
    """
    # bfloat16 has the range of float32: there nothing becomes 0.
    needs_scaling = recipe.precision == "float16"
    if needs_scaling and device.type == "cpu":
        raise JobError(
            "training.precision is float16, which needs a CUDA device; "
            "say bfloat16 or float32, or training.device: cuda"
        )
    return torch.amp.GradScaler(device.type, enabled=needs_scaling)
