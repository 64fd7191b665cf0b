"""Rows of the sample whose scores are no finite numbers, which scoring rejects unless a job says otherwise."""

import numpy as np
import torch
from torch import nn

from configs.errors import ModelError
from model_zoo.arrays import Arrays

# Of weights that hold NaN, when a whole network diverged.
_SHOWN_NAMES = 3


def find_finite(outputs: Arrays) -> np.ndarray:
    """Return (bool) which rows have finite numbers in all outputs.

    >>> find_finite({"y": np.array([1.0, np.nan, np.inf, 2.0])}).tolist()
    [True, False, False, True]
    """
    rows = len(next(iter(outputs.values())))
    is_finite = np.ones(rows, dtype=bool)
    for array in outputs.values():
        numbers = array.reshape(rows, -1)
        is_finite &= np.isfinite(numbers).all(axis=1)
    return is_finite


def refuse_without_scores(outputs: Arrays, network: nn.Module | None = None) -> None:
    """Refuse a model that gives a finite number for no row of the sample.

    Args:
        outputs: of the model (rows, ...), by name.
        network: that gave them, where it is one.

    Raises:
        ModelError: it does so.
    """
    is_finite = find_finite(outputs)
    if is_finite.any():
        return
    broken = [] if network is None else _list_broken(network)
    if broken:
        shown = ", ".join(broken[:_SHOWN_NAMES])
        why = f"of its weights {len(broken)} hold NaN or infinity, the first: {shown}"
    else:
        why = "are its inputs scaled as in its training?"
    raise ModelError(
        f"the model gives NaN or infinity for each of {len(is_finite):,} rows of the sample, "
        f"all of which scoring would reject: {why}"
    )


def describe_not_finite(outputs: Arrays) -> tuple[str, ...]:
    """Return a note on rows that scoring would reject; none where there are none."""
    is_finite = find_finite(outputs)
    rows = int(np.count_nonzero(~is_finite))
    if not rows:
        return ()
    return (f"{rows:,} rows of the sample have scores of NaN or infinity, and would be rejected",)


def _list_broken(network: nn.Module) -> list[str]:
    """Return the names of weights that are no finite numbers."""
    broken = []
    for name, tensor in network.state_dict().items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            broken.append(name)
    return broken
