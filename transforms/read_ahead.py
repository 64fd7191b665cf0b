"""The next batch is fetched while this one is scored: for shards in a store, where reading is mostly waiting for a network.

Shards on a disk are not read ahead: every core has a worker of its own already, and one more thread beside it only takes turns.
"""

from collections.abc import Iterator
from contextlib import suppress
from queue import Empty, Queue
from threading import Event, Thread
from typing import Any, TypeVar

T = TypeVar("T")
_END = object()


def read_ahead(items: Iterator[T]) -> Iterator[T]:
    """The same items in the same order, one of them waiting and one being made while the caller is busy; an error comes where it would.

    A caller that leaves early does not wait for what is being made.
    """
    waiting: Queue[tuple[Any, BaseException | None]] = Queue(maxsize=1)
    left = Event()
    Thread(target=_make, args=(items, waiting, left), name="read-ahead", daemon=True).start()
    try:
        while True:
            item, error = waiting.get()
            if error is not None:
                raise error
            if item is _END:
                return
            yield item
    finally:
        left.set()
        with suppress(Empty):  # the thread may wait for room, and then sees that nobody is there
            waiting.get_nowait()


def _make(items: Iterator[Any], waiting: Queue[tuple[Any, BaseException | None]], left: Event) -> None:
    try:
        for item in items:
            waiting.put((item, None))
            if left.is_set():
                return
        waiting.put((_END, None))
    except BaseException as error:  # noqa: BLE001 - it is raised where somebody waits
        waiting.put((None, error))
