"""How a program's process ends: jobs that it submitted are cancelled when it is stopped, and servers that it started do not outlive it."""

import atexit
from collections.abc import Callable, Iterator
from contextlib import contextmanager
import logging
import os
import sys
import threading
from typing import NoReturn

_CANCEL_SECONDS = 3.0
_EXIT_SECONDS = 6.5  # Beam asks a job server for five seconds to end, and then kills it
_jobs: list[Callable[[], object]] = []


@contextmanager
def cancelled_when_stopped(cancel: Callable[[], object]) -> Iterator[None]:
    """While the block runs, an interruption of this process also calls `cancel`: no cluster goes on with a job that its user stopped."""
    _jobs.append(cancel)
    try:
        yield
    except Exception:
        _jobs.remove(cancel)
        raise
    _jobs.remove(cancel)


def cancel_jobs() -> bool:
    """Cancel what is under way elsewhere; False when a runner did not confirm it in time."""
    return all(_within(_CANCEL_SECONDS, cancel) for cancel in _jobs)


def leave(status: int) -> NoReturn:
    """End the process without waiting for worker threads that a failed or interrupted runner left behind.

    Beam stops its job servers in exit functions, which `os._exit` alone would leave out.
    """
    sys.stdout.flush()
    _within(_EXIT_SECONDS, atexit._run_exitfuncs)
    sys.stderr.flush()
    logging.shutdown()
    os._exit(status)


def _within(seconds: float, call: Callable[[], object]) -> bool:
    """Call, and go on when it fails or does not come back in time; whether it came back."""
    done = []

    def run() -> None:
        try:
            done.append(call())
        except Exception as error:  # noqa: BLE001 - the process ends either way
            logging.getLogger(__name__).info("while leaving: %s", error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    return bool(done)
