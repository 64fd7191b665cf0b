"""Which read errors may pass by themselves, and how often a read is tried again before they count.

Disks that are mounted over a network, and sockets, fail for a moment. A corrupt file, a missing
one, a refusal, and an error in a program do not: they are raised at once. Clients of object stores
ask again themselves, and what they raise after that is final.
"""

from collections.abc import Callable, Iterator
import errno
from functools import wraps
import time
from typing import Any, ParamSpec, TypeVar

import tenacity

from storage.client_errors import is_of_a_client

P = ParamSpec("P")
T = TypeVar("T")

# Some seconds in all: what lasts longer is an outage, which a new run has to wait for.
_ATTEMPTS = 4
_FIRST_WAIT_SECONDS = 0.1
_LONGEST_WAIT_SECONDS = 2.0
_NAMES = """
    EAGAIN EBUSY ECONNABORTED ECONNREFUSED ECONNRESET EHOSTDOWN EHOSTUNREACH EINTR EIO
    ENETDOWN ENETRESET ENETUNREACH ENOTCONN EPIPE EREMOTEIO ESHUTDOWN ESTALE ETIMEDOUT
"""
# Not every system has all of them.
_KNOWN_NAMES = [name for name in _NAMES.split() if hasattr(errno, name)]
_TRANSIENT = frozenset(getattr(errno, name) for name in _KNOWN_NAMES)
_END = object()

# Looked up at each wait, so that a test can replace it.
pause = time.sleep


def is_transient(error: BaseException) -> bool:
    """Tell whether the same read may succeed a moment later.

    >>> passing = (OSError(errno.EIO, "disk"), ConnectionResetError())
    >>> lasting = (OSError("corrupt"), FileNotFoundError(), KeyError())
    >>> [is_transient(error) for error in (*passing, *lasting)]
    [True, True, False, False, False]
    """
    if not isinstance(error, OSError):
        return False
    # A time-out often carries no number.
    is_broken_off = isinstance(error, ConnectionError | TimeoutError)
    is_passing = is_broken_off or error.errno in _TRANSIENT
    return is_passing and not _is_retried_by_a_client(error)


def retried(read: Callable[P, T]) -> Callable[P, T]:
    """Return `read`, called again after a transient error, 4 times in all.

    The last error is raised as it is.
    """

    @wraps(read)
    def read_again(*args: P.args, **kwargs: P.kwargs) -> T:
        # Nearly always this is all, and making a policy takes longer than looking at a file.
        try:
            return read(*args, **kwargs)
        except Exception as error:
            if not is_transient(error):
                raise
            failed: Exception | None = error

        def read_or_fail() -> T:
            nonlocal failed
            if failed is None:
                return read(*args, **kwargs)
            # It counts as the first try.
            first = failed
            failed = None
            raise first

        return _make_policy()(read_or_fail)

    return read_again


def resumed(open_from: Callable[[int], Iterator[T]]) -> Iterator[T]:
    """Yield an iterator's items; a transient error opens it again behind those that came.

    Args:
        open_from: gives the items from the numbered one on; the same ones every time.
    """
    items: Iterator[T] | None = None
    done = 0

    def take_next() -> Any:
        nonlocal items
        try:
            if items is None:
                items = open_from(done)
            return next(items, _END)
        except BaseException:
            # A generator that raised gives no more items.
            items = None
            raise

    take = retried(take_next)
    while True:
        item = take()
        if item is _END:
            return
        done += 1
        yield item


def _make_policy() -> tenacity.Retrying:
    doubling = tenacity.wait_exponential(multiplier=_FIRST_WAIT_SECONDS, max=_LONGEST_WAIT_SECONDS)
    return tenacity.Retrying(
        retry=tenacity.retry_if_exception(is_transient),
        stop=tenacity.stop_after_attempt(_ATTEMPTS),
        # And up to 0.1 s more, so that workers do not ask in step.
        wait=doubling + tenacity.wait_random(0, _FIRST_WAIT_SECONDS),
        sleep=_pause,
        reraise=True,
    )


def _pause(seconds: float) -> None:
    pause(seconds)


def _is_retried_by_a_client(error: BaseException) -> bool:
    """Tell whether the error, or one that it came from, is a store's client's."""
    cause: BaseException | None = error
    while cause is not None:
        if is_of_a_client(cause):
            return True
        cause = cause.__cause__
    return False
