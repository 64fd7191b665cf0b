"""Whether a run's launcher still lives.

It holds a lock on a file in the run's temporary folder, and the system drops that with the process.
Local disks only: nobody can tell it of a store, and where workers outlive their launcher a free
lock would prove nothing.
"""

from collections.abc import Iterator
from contextlib import contextmanager
import fcntl
import os
from pathlib import Path

from storage import disk
from storage.layout import RunFolder

_MODE = 0o640
# Longer than any job's name, which is what the file holds.
_MOST_BYTES = 1 << 16


@contextmanager
def hold(run: RunFolder, content: str) -> Iterator[None]:
    """Hold the run's lock, together with other launchers of the same run, while the block runs.

    Args:
        run: the run.
        content: what whoever claims it once it is free shall read.
    """
    number = _open_locked(Path(run.lock))
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


def _open_locked(path: Path) -> int:
    """Open and lock the lock file; again when a cleaner removed it in between."""
    while True:
        disk.make_folders(path.parent)
        try:
            number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, _MODE)
        except FileNotFoundError:
            continue
        # Shared among launchers; a cleaner's claim excludes them, so this waits for it.
        fcntl.flock(number, fcntl.LOCK_SH)
        locked = os.fstat(number)
        try:
            if os.stat(path).st_ino == locked.st_ino:
                return number
        except FileNotFoundError:
            pass
        # The lock is on a file that lost its name: nobody would find it.
        os.close(number)
