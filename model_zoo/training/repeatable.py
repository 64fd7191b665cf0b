"""Draw and compute alike again: the same seed gives the same bits."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def repeatable(seed: int) -> Iterator[None]:
    """Draw and compute in this block as the seed says; what was set before comes back.

    A network's fresh weights are drawn from torch's global generator: build it in such a block.
    """
    threads = torch.get_num_threads()
    deterministic = torch.are_deterministic_algorithms_enabled()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        # A sum that is spread over threads rounds differently on another machine.
        torch.set_num_threads(1)

        torch.use_deterministic_algorithms(True)
        try:
            yield
        finally:
            torch.set_num_threads(threads)
            torch.use_deterministic_algorithms(deterministic)
