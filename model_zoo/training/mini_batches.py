"""Which rows the network is called with at once, and which mini-batches make one step together."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import torch

from model_zoo.arrays import Arrays
from model_zoo.tensors import to_tensor
from model_zoo.training.repeatable import derive_seed

Rows: TypeAlias = np.ndarray
Tensors: TypeAlias = dict[str, torch.Tensor]


def cut_mini_batches(
    rows: int,
    batch_rows: int,
    seed: int,
    epoch: int,
) -> list[Rows]:
    """Return row numbers, shuffled.

    Args:
        rows: how many there are.
        batch_rows: of a mini-batch; the last has fewer, or one more.
        seed: of the training.
        epoch: whose order it is.
    """
    # A generator of its own: dropout draws from the global one, more or less often.
    order = torch.Generator()
    order.manual_seed(derive_seed(seed, epoch))
    shuffled = torch.randperm(rows, generator=order)
    numbers = shuffled.numpy()
    starts = list(
        range(
            0,
            rows,
            batch_rows,
        )
    )
    # A last batch of one row joins the one before it: batch normalisation cannot train on one row.
    has_several = len(starts) > 1
    if has_several and rows - starts[-1] == 1:
        starts.pop()
    cuts = starts[1:]
    return np.split(numbers, cuts)


def group(
    batches: Sequence[Rows],
    accumulate: int,
) -> list[Sequence[Rows]]:
    """Return the mini-batches of each step.

    Args:
        batches: of an epoch.
        accumulate: how many make a step; the last step may have fewer.
    """
    steps = []
    for start in range(
        0,
        len(batches),
        accumulate,
    ):
        stop = start + accumulate
        step = batches[start:stop]
        steps.append(step)
    return steps


def take_rows(
    inputs: Arrays,
    rows: Rows,
) -> Arrays:
    """Return the inputs of some rows.

    Args:
        inputs: (rows, ...) by name.
        rows: which of them.
    """
    taken = {}
    for name, array in inputs.items():
        taken[name] = array[rows]
    return taken


def transfer_rows(
    inputs: Arrays,
    rows: Rows | slice,
    device: torch.device,
) -> Tensors:
    """Return the inputs of some rows.

    Args:
        inputs: (rows, ...) by name.
        rows: which of them.
        device: where to.
    """
    tensors = {}
    for name, array in inputs.items():
        of_rows = array[rows]
        tensors[name] = to_tensor(of_rows).to(device)
    return tensors
