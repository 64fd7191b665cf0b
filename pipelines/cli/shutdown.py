"""How a program's process ends.

Jobs that it submitted are cancelled when it is stopped, and servers that it started do not outlive
it.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
import logging
import os
import sys
import threading
from typing import NoReturn, TypeAlias, TypeVar

from pipelines.cli.python_private import run_exit_functions
from pipelines.cli.terminal import flush_quietly, lead_nowhere

# A user who presses Ctrl-C waits no longer than this before pressing again.
_CANCEL_SECONDS = 3.0
# Beam asks a job server for five seconds to end, and then kills it.
_EXIT_SECONDS = 6.5
# Of the file that it is, whatever Python's own stream is by then.
_STDERR = 2
T = TypeVar("T")
Cancel: TypeAlias = Callable[[], object]
# One list for the process: a signal's handler has nothing but this to find them by.
_jobs: list[Cancel] = []
# None outside of a program, where nobody would tell its end.
_put_off: ExitStack | None = None


@contextmanager
def cancelled_when_stopped(cancel: Cancel) -> Iterator[None]:
    """Let an interruption of this process also call `cancel`, while the block runs.

    No cluster goes on with a job that its user stopped.
    """
    _jobs.append(cancel)
    # No `finally`: an interruption leaves the job to be cancelled, and the process ends.
    try:
        yield
    except Exception:
        _jobs.remove(cancel)
        raise
    _jobs.remove(cancel)


def cancel_jobs() -> bool:
    """Cancel what is under way elsewhere, and tell whether every runner confirmed it in time."""
    return all(_confirms(cancel) for cancel in _jobs)


def _confirms(cancel: Cancel) -> bool:
    """Tell whether a job is cancelled in time."""

    def confirm() -> bool:
        cancel()
        return True

    return bool(call_within(_CANCEL_SECONDS, confirm))


@contextmanager
def closed_when_told() -> Iterator[None]:
    """Close what is put off in the block behind it: the block tells how a program ends.

    However that goes: Python's own last words are to be heard.
    """
    global _put_off
    try:
        with ExitStack() as _put_off:
            yield
    finally:
        _put_off = None


def put_off(block: ExitStack) -> None:
    """Leave open, until the end of the program is told, what a block would close; in no program it closes that."""
    if _put_off is not None:
        _put_off.callback(block.pop_all().close)


def close_put_off() -> None:
    """Close now what was put off."""
    if _put_off is not None:
        _put_off.close()


def end_process(status: int) -> NoReturn:
    """End the process without waiting for threads that a failed or interrupted runner left."""
    flush_quietly(sys.stdout)
    flush_quietly(sys.stderr)
    _drop_what_threads_say()
    # Beam stops its job servers in exit functions, which `os._exit` alone would leave out.
    call_within(_EXIT_SECONDS, run_exit_functions)
    logging.shutdown()
    os._exit(status)


def _drop_what_threads_say() -> None:
    """Let stderr lead nowhere from now on, but with --debug.

    All is said. Threads of a failed runner find its servers gone, and print a traceback each.
    """
    if logging.getLogger().isEnabledFor(logging.INFO):
        return
    with suppress(OSError):
        lead_nowhere(_STDERR)


def call_within(seconds: float, call: Callable[[], T]) -> T | None:
    """Call, and go on when it fails or does not come back in time.

    Args:
        seconds: how long to wait.
        call: what to call.

    Returns:
        What it returns; None where it did not.
    """
    done: list[T] = []

    def run() -> None:
        try:
            done.append(call())
        except Exception as error:  # noqa: BLE001 - the process ends either way
            logging.getLogger(__name__).info("while leaving: %s", error)

    # A daemon: a call that hangs must not keep the process alive.
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    return done[0] if done else None
