"""What makes tests of models quick beside other work: one torch thread."""

from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(autouse=True)
def _one_torch_thread() -> Iterator[None]:
    """Compute what a test expects on one thread; two wait for each other at every product, for long where cores are taken.

    Scorers set their own number of threads, on threads of their own.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
