"""Locks on files of a local disk, which the system drops with the process that holds them.

A run's launcher holds one in the run's temporary folder, which tells that it still lives. Nobody
can tell it of a store, and where workers outlive their launcher a free lock would prove nothing.
Whoever moves CURRENT holds one beside it, for as long as it takes to look and to replace.
"""

from collections.abc import Iterator
from contextlib import contextmanager
import errno
import fcntl
import os
from pathlib import Path
import time

from storage import disk, files, retries
from storage.layout import CURRENT, RunFolder

_MODE = 0o640
# Longer than any job's name, which is what the file holds.
_MOST_BYTES = 1 << 16
# CURRENT is moved in milliseconds, and seconds on a disk that is busy: longer, and its holder was
# stopped.
_LONGEST_WAIT_SECONDS = 60.0
_LOOK_AGAIN_SECONDS = 0.01


@contextmanager
def hold(run: RunFolder, content: str) -> Iterator[None]:
    """Hold the run's lock, together with other launchers of the same run, while the block runs.

    Args:
        run: the run.
        content: what whoever claims it once it is free shall read.
    """
    number = _open_locked(Path(run.lock), fcntl.LOCK_SH)
    try:
        os.ftruncate(number, 0)
        os.pwrite(number, content.encode(), 0)
        yield
    finally:
        os.close(number)


@contextmanager
def claim_if_free(run: RunFolder) -> Iterator[str | None]:
    """Claim a lock that nobody holds, so that nobody takes it while the block runs.

    Gives its content; None when it is held, or there is none.
    """
    # No link: it could lead to a file of somebody else.
    try:
        number = os.open(run.lock, os.O_RDWR | os.O_NOFOLLOW)
    except OSError:
        yield None
        return
    try:
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield None
            return
        content = os.pread(number, _MOST_BYTES, 0)
        yield content.decode(errors="replace")
    finally:
        os.close(number)


@contextmanager
def keep_free(run: RunFolder) -> Iterator[bool]:
    """Tell whether no launcher of the run lives on this machine.

    One that finds its lock there waits until the block ends.
    """
    with claim_if_free(run) as content:
        is_ours = content is not None
        yield is_ours or not os.path.exists(run.lock)


@contextmanager
def hold_current(output: str) -> Iterator[None]:
    """Let nobody else on this disk move CURRENT while the block runs.

    Raises:
        OSError: another process has held the lock for a minute.
    """
    path = Path(files.join(output, f".{CURRENT}.lock"))
    number = _open_locked(path, fcntl.LOCK_EX)
    try:
        yield
    finally:
        # While it is held: who waits for it finds that it lost its name, and opens another.
        disk.remove(path)
        os.close(number)


def _open_locked(path: Path, kind: int) -> int:
    """Open and lock the lock file; again when somebody removed it in between.

    Args:
        path: the file.
        kind: shared among holders, or of one alone.
    """
    while True:
        disk.make_folders(path.parent)
        try:
            number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, _MODE)
        except FileNotFoundError:
            continue
        try:
            _wait_for_lock(number, kind, path)
        except BaseException:
            os.close(number)
            raise
        locked = os.fstat(number)
        try:
            if os.stat(path).st_ino == locked.st_ino:
                return number
        except FileNotFoundError:
            pass
        # The lock is on a file that lost its name: nobody would find it.
        os.close(number)


def _wait_for_lock(number: int, kind: int, path: Path) -> None:
    # A launcher's own lock is shared with others of its run, and waits for a cleaner's claim.
    if kind == fcntl.LOCK_SH:
        fcntl.flock(number, kind)
        return
    deadline = time.monotonic() + _LONGEST_WAIT_SECONDS
    while True:
        try:
            fcntl.flock(number, kind | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                held = "is held by a process that has stopped; continue or end that"
                raise OSError(errno.EBUSY, held, str(path)) from None
        retries.pause(_LOOK_AGAIN_SECONDS)
