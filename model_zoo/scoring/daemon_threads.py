"""Threads that a process does not wait for when it ends.

Code that hangs cannot be interrupted, and an executor's threads are waited for at exit.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar
import weakref

T = TypeVar("T")
# What a thread takes from it: a future with the call that it stands for, or None as its end.
_Calls = SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None]


class DaemonThreads:
    """Threads that make calls in the order in which they are handed over.

    They end with this object.
    """

    def __init__(self, threads: int, name: str) -> None:
        self._calls: _Calls = SimpleQueue()
        for number in range(threads):
            # They know the queue and not this object, which could otherwise never be collected.
            Thread(
                target=_make_calls, args=(self._calls,), name=f"{name}-{number}", daemon=True
            ).start()
        # Not at exit: daemon threads need no end then, and one that hangs would not take it.
        weakref.finalize(self, _end_threads, self._calls, threads).atexit = False

    def submit(self, call: Callable[[], T]) -> Future[T]:
        """Hand over a call; what it returns or raises will be in the future."""
        future = Future[T]()
        self._calls.put((future, call))
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
            for future in futures:
                future.cancel()


def _make_calls(calls: _Calls) -> None:
    while True:
        following = calls.get()
        if following is None:
            return
        _make_call(*following)
        # What a call was about is free while the thread waits for the next one.
        del following


def _make_call(future: Future[Any], call: Callable[[], Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = call()
    except BaseException as error:  # noqa: BLE001 - it is raised where somebody waits
        future.set_exception(error)
    else:
        future.set_result(result)


def _end_threads(calls: _Calls, threads: int) -> None:
    for _ in range(threads):
        calls.put(None)
