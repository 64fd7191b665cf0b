"""Draw and compute alike again: the same seed gives the same bits.

What one mini-batch draws (dropout, for example) hangs on the seed, the epoch and its place there
alone. So a training that was stopped goes on with the same numbers, and no generator's state is kept.
"""

from collections.abc import Iterator
from contextlib import contextmanager
import os
import random

import numpy as np
import torch

# cuBLAS computes alike only with a workspace of a fixed size, which it is told of as it starts.
_CUBLAS_WORKSPACE = ("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
_CPU = torch.device("cpu")


@contextmanager
def repeatable(
    seed: int,
    threads: int = 1,
    device: torch.device = _CPU,
) -> Iterator[None]:
    """Draw and compute in this block as the seed says; what was set before comes back.

    A network's fresh weights are drawn from torch's global generator: build it in such a block.

    Args:
        seed: of torch's, Python's and numpy's global generators.
        threads: that compute; a sum that is spread over another number of them rounds differently.
        device: where it is computed.
    """
    threads_before = torch.get_num_threads()
    is_deterministic = torch.are_deterministic_algorithms_enabled()
    only_warns = torch.is_deterministic_algorithms_warn_only_enabled()
    python_state = random.getstate()
    numpy_state = np.random.get_state()
    on_cuda = device.type == "cuda"
    if on_cuda:
        os.environ.setdefault(*_CUBLAS_WORKSPACE)

    with torch.random.fork_rng(devices=[device] if on_cuda else []):
        seed_generators(seed, device)
        torch.set_num_threads(threads)
        # CUDA has no other algorithm for some layers; there the last digits may differ.
        torch.use_deterministic_algorithms(True, warn_only=on_cuda)
        try:
            yield
        finally:
            torch.set_num_threads(threads_before)
            torch.use_deterministic_algorithms(is_deterministic, warn_only=only_warns)
            random.setstate(python_state)
            np.random.set_state(numpy_state)


def seed_generators(
    seed: int,
    device: torch.device = _CPU,
) -> None:
    """Seed torch's, Python's and numpy's global generators: a network may draw from any.

    Args:
        seed: of 32 bits.
        device: whose generator is seeded beside the CPU's.
    """
    # Not `torch.manual_seed`, which asks every kind of device and takes longer than a small layer.
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed)


def derive_seed(seed: int, *place: int) -> int:
    """Return a seed of 32 bits for one place of a training.

    Args:
        seed: of the training.
        place: numbers that no other place has: epoch, mini-batch.

    >>> derive_seed(0, 1, 2) == derive_seed(0, 1, 2)
    True
    >>> derive_seed(0, 1, 2) == derive_seed(0, 2, 1)
    False
    """
    # Neighbouring seeds would give generators whose first numbers resemble each other.
    mixed = np.random.SeedSequence([seed, *place])
    (number,) = mixed.generate_state(1)
    return int(number)
