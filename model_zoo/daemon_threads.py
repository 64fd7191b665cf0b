"""Threads that a process does not wait for when it ends: code that hangs cannot be interrupted, and an executor's threads are waited for."""

from collections.abc import Callable, Iterable
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar
import weakref

T = TypeVar("T")
_Calls = SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None]


class DaemonThreads:
    """Some threads that make calls, in the order in which they are handed over; they end with this object."""

    def __init__(self, threads: int, name: str) -> None:
        self._calls: _Calls = SimpleQueue()
        for number in range(threads):
            Thread(target=_make_calls, args=(self._calls,), name=f"{name}-{number}", daemon=True).start()
        weakref.finalize(self, _end, self._calls, threads).atexit = False

    def submit(self, call: Callable[[], T]) -> Future[T]:
        """Hand over a call; what it returned or raised will be in the future."""
        future = Future[T]()
        self._calls.put((future, call))
        return future

    def run(self, calls: Iterable[Callable[[], object]]) -> None:
        """Make all calls and wait for them; the first error, in their order, is raised, and what had not begun by then is not."""
        handed_over = [self.submit(call) for call in calls]
        try:
            for future in handed_over:
                future.result()
        finally:
            for future in handed_over:
                future.cancel()


def _make_calls(calls: _Calls) -> None:
    while (following := calls.get()) is not None:
        _make(*following)
        del following  # what a call was about is free while the thread waits for the next one


def _make(future: Future[Any], call: Callable[[], Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = call()
    except BaseException as error:  # noqa: BLE001 - it is raised where somebody waits
        future.set_exception(error)
    else:
        future.set_result(result)


def _end(calls: _Calls, threads: int) -> None:
    for _ in range(threads):
        calls.put(None)
