"""Which read errors may pass by themselves, and how often and how slowly a read is tried again before they count.

Disks that are mounted over a network, and sockets, fail for a moment. A corrupt file, a missing one, a refusal, and an error in a
program do not: they are raised at once. Clients of object stores ask again themselves, and what they raise after that is final.
"""

from collections.abc import Callable, Iterator
import errno
import time
from typing import Any, ParamSpec, TypeVar

import tenacity

from storage.stores import CLIENTS

P = ParamSpec("P")
T = TypeVar("T")

_ATTEMPTS = 4
_FIRST_WAIT_SECONDS = 0.1
_LONGEST_WAIT_SECONDS = 2.0
_NAMES = (
    "EAGAIN EBUSY ECONNABORTED ECONNREFUSED ECONNRESET EHOSTDOWN EHOSTUNREACH EINTR EIO ENETDOWN ENETRESET ENETUNREACH ENOTCONN EPIPE "
    "EREMOTEIO ESHUTDOWN ESTALE ETIMEDOUT"
)
_TRANSIENT = frozenset(getattr(errno, name) for name in _NAMES.split() if hasattr(errno, name))  # not every system has all of them
_END = object()

pause = time.sleep  # looked up at each wait, so that a test can replace it


def is_transient(error: BaseException) -> bool:
    """Whether the same read may succeed a moment later.

    >>> [is_transient(e) for e in (OSError(errno.EIO, "disk"), ConnectionResetError(), OSError("corrupt"), FileNotFoundError(), KeyError())]
    [True, True, False, False, False]
    """
    if not isinstance(error, OSError):
        return False
    passing = error.errno in _TRANSIENT or isinstance(error, ConnectionError | TimeoutError)
    return passing and not _retried_by_a_client(error)


def retried(read: Callable[P, T]) -> Callable[P, T]:
    """`read`, called again after a transient error, 4 times in all; the last error is raised as it is."""
    return _policy().wraps(read)


def resumed(open_from: Callable[[int], Iterator[T]]) -> Iterator[T]:
    """The items of an iterator that, whenever a transient error ends it, is opened again behind those that came.

    Args:
        open_from: gives the items from the numbered one on; the same ones every time.
    """
    items: Iterator[T] | None = None
    done = 0

    def following() -> Any:
        nonlocal items
        try:
            items = open_from(done) if items is None else items
            return next(items, _END)
        except BaseException:
            items = None
            raise

    again = retried(following)
    while (item := again()) is not _END:
        done += 1
        yield item


def _policy() -> tenacity.Retrying:
    """Four attempts within a few seconds; each wait is twice the last one and up to 0.1 s, so that workers do not ask in step."""
    doubling = tenacity.wait_exponential(multiplier=_FIRST_WAIT_SECONDS, max=_LONGEST_WAIT_SECONDS)
    return tenacity.Retrying(
        retry=tenacity.retry_if_exception(is_transient),
        stop=tenacity.stop_after_attempt(_ATTEMPTS),
        wait=doubling + tenacity.wait_random(0, _FIRST_WAIT_SECONDS),
        sleep=_pause,
        reraise=True,
    )


def _pause(seconds: float) -> None:
    pause(seconds)


def _retried_by_a_client(error: BaseException) -> bool:
    cause: BaseException | None = error
    while cause is not None:
        if type(cause).__module__.partition(".")[0] in CLIENTS:
            return True
        cause = cause.__cause__
    return False
