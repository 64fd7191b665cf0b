"""The next batch is fetched while this one is scored.

For shards in a store, where reading is mostly waiting for a network. Shards on a disk are not read
ahead: every core has a worker of its own already, and one more thread beside it only takes turns.
"""

from collections.abc import Iterator
from contextlib import suppress
from queue import Empty, Queue
from threading import Event, Thread
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")
_END = object()


class _Made(NamedTuple):
    """An item, or the error that came in its place."""

    item: Any
    error: BaseException | None = None


def read_ahead(items: Iterator[T]) -> Iterator[T]:
    """Yield the same items in the same order, made while the caller is busy.

    One of them waits, and one is being made. An error comes where it would. A caller that leaves
    early does not wait for what is being made.
    """
    # More than one would only take memory: a batch is read faster than it is scored, or never in
    # time.
    waiting: Queue[_Made] = Queue(maxsize=1)
    left = Event()
    # A daemon: a store that does not answer must not keep the worker alive.
    thread = Thread(
        target=_make,
        args=(items, waiting, left),
        name="read-ahead",
        daemon=True,
    )
    thread.start()
    try:
        while True:
            made = waiting.get()
            if made.error is not None:
                raise made.error
            if made.item is _END:
                return
            yield made.item
    finally:
        left.set()
        # The thread may wait for room, and then sees that nobody is there.
        with suppress(Empty):
            waiting.get_nowait()


def _make(items: Iterator[Any], waiting: Queue[_Made], left: Event) -> None:
    try:
        for item in items:
            waiting.put(_Made(item))
            if left.is_set():
                return
        waiting.put(_Made(_END))
    except BaseException as error:  # noqa: BLE001 - it is raised where somebody waits
        waiting.put(_Made(None, error))
