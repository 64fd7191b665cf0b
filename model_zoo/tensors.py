"""Arrays as torch's tensors, which take their memory over where torch can use it."""

import numpy as np
import torch

from model_zoo.arrays import Arrays


def to_tensor(array: np.ndarray) -> torch.Tensor:
    """Return an array as a tensor of the same dtype and shape.

    >>> to_tensor(np.arange(3)[::-1]).tolist()
    [2, 1, 0]
    """
    # torch refuses strides that go backwards, and is slow at others.
    contiguous = np.ascontiguousarray(array)
    return torch.from_numpy(contiguous)


def to_tensors(arrays: Arrays) -> dict[str, torch.Tensor]:
    """Return arrays (rows, ...) as tensors, by name."""
    return {name: to_tensor(array) for name, array in arrays.items()}
