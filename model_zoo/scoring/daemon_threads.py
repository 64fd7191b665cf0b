"""Threads that a process does not wait for when it ends.

Code that hangs cannot be interrupted, and an executor's threads are waited for at exit.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Thread
from typing import Any, NamedTuple, TypeVar
import weakref

T = TypeVar("T")


class _Order(NamedTuple):
    """A call to be made, and the future that stands for it."""

    future: Future[Any]
    call: Callable[[], Any]


# None ends the thread that takes it.
_Orders = SimpleQueue[_Order | None]


class DaemonThreads:
    """Threads that make calls in the order in which they are handed over.

    They end with this object.
    """

    def __init__(self, threads: int, name: str) -> None:
        self._orders: _Orders = SimpleQueue()
        for number in range(threads):
            # They know the queue and not this object, which could otherwise never be collected.
            thread = Thread(
                target=_make_calls,
                args=(self._orders,),
                name=f"{name}-{number}",
                daemon=True,
            )
            thread.start()
        end = weakref.finalize(self, _end_threads, self._orders, threads)
        # Not at exit: daemon threads need no end then, and one that hangs would not take it.
        end.atexit = False

    def submit(self, call: Callable[[], T]) -> Future[T]:
        """Hand over a call; what it returns or raises will be in the future."""
        future = Future[T]()
        order = _Order(future, call)
        self._orders.put(order)
        return future

    def run(self, calls: Iterable[Callable[[], object]]) -> None:
        """Make all calls and wait for them.

        Raises:
            Exception: the first error, in the order of the calls; what has not begun by then is
                not made.
        """
        futures = [self.submit(call) for call in calls]
        try:
            for future in futures:
                future.result()
        finally:
            # What is done cannot be cancelled; what waits need not be made after an error.
            for future in futures:
                future.cancel()


def _make_calls(orders: _Orders) -> None:
    while True:
        order = orders.get()
        if order is None:
            return
        _make_call(order)
        # What a call was about is free while the thread waits for the next one.
        del order


def _make_call(order: _Order) -> None:
    # Cancelled before its turn.
    if not order.future.set_running_or_notify_cancel():
        return
    try:
        result = order.call()
    except BaseException as error:  # noqa: BLE001 - it is raised where somebody waits
        order.future.set_exception(error)
    else:
        order.future.set_result(result)


def _end_threads(orders: _Orders, threads: int) -> None:
    # One each: a thread that has taken its end takes no other's.
    for _ in range(threads):
        orders.put(None)
