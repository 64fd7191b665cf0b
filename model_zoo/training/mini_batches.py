"""Which rows the network is called with at once, and which mini-batches make one step together."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import torch

from model_zoo.arrays import Arrays
from model_zoo.training.repeatable import derive_seed

Rows: TypeAlias = np.ndarray
Tensors: TypeAlias = dict[str, torch.Tensor]


def cut_mini_batches(rows: int, batch_rows: int, seed: int, epoch: int) -> list[Rows]:
    """Return row numbers, shuffled.

    Args:
        rows: how many there are.
        batch_rows: of a mini-batch; the last has fewer, or one more.
        seed: of the training.
        epoch: whose order it is.
    """
    order = torch.Generator().manual_seed(derive_seed(seed, epoch))
    shuffled = torch.randperm(rows, generator=order)
    starts = list(range(0, rows, batch_rows))
    # A last batch of one row joins the one before it: batch normalisation cannot train on one row.
    has_several = len(starts) > 1
    if has_several and rows - starts[-1] == 1:
        starts.pop()
    cuts = starts[1:]
    return np.split(shuffled.numpy(), cuts)


def group(batches: Sequence[Rows], accumulate: int) -> list[Sequence[Rows]]:
    """Return the mini-batches of each step.

    Args:
        batches: of an epoch.
        accumulate: how many make a step; the last step may have fewer.
    """
    starts = range(0, len(batches), accumulate)
    return [batches[start : start + accumulate] for start in starts]


def count_steps(rows: int, batch_rows: int, accumulate: int) -> int:
    """Return how many steps an epoch has.

    Args:
        rows: how many there are.
        batch_rows, accumulate: as above.
    """
    batches = cut_mini_batches(rows, batch_rows, seed=0, epoch=0)
    return len(group(batches, accumulate))


def take_rows(inputs: Arrays, rows: Rows) -> Arrays:
    """Return the inputs of some rows.

    Args:
        inputs: (rows, ...) by name.
        rows: which of them.
    """
    return {name: array[rows] for name, array in inputs.items()}


def to_tensors(inputs: Arrays, rows: Rows | slice, device: torch.device) -> Tensors:
    """Return the inputs of some rows.

    Args:
        inputs: (rows, ...) by name.
        rows: which of them.
        device: where to.
    """
    return {name: to_tensor(array[rows], device) for name, array in inputs.items()}


def to_tensor(array: np.ndarray, device: torch.device) -> torch.Tensor:
    """Return an array as a tensor.

    Args:
        array: whatever its strides.
        device: where to.
    """
    # torch refuses strides that go backwards, and is slow at others.
    contiguous = np.ascontiguousarray(array)
    tensor = torch.from_numpy(contiguous)
    return tensor.to(device)
