"""What makes tests of models quick beside other work: one torch thread, and no garbage that is looked through again and again."""

from collections.abc import Iterator
import gc

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


@pytest.fixture(scope="module", autouse=True)
def _what_is_there_is_no_garbage() -> None:
    """Leave the million objects that are there already out of collections, of which a lack of memory makes one each time.

    For good: let in again, they would be looked through in all tests that follow.
    """
    gc.freeze()
