"""Who wants to know how many rows of a call of the model are scored, while it goes on."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
import threading
from typing import TypeAlias

# Called with a number of rows, by several threads.
Listener: TypeAlias = Callable[[int], None]


def _hear_nothing(_: int) -> None: ...


# Of a thread, because a worker has several, and all of them share a model.
class _OfThread(threading.local):
    def __init__(self) -> None:
        self.listener: Listener = _hear_nothing


_of_thread = _OfThread()


@contextmanager
def told(listener: Listener) -> Iterator[None]:
    """Let calls of the model that this thread makes in the block tell of the rows that they score."""
    before = _of_thread.listener
    _of_thread.listener = listener
    try:
        yield
    finally:
        _of_thread.listener = before


def find_listener() -> Listener:
    """Return whom the calls of this thread tell."""
    return _of_thread.listener
