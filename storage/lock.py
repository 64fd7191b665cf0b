"""Whether a run's launcher still lives: it holds a lock on a file in the run's temporary folder, and the system drops it with the process.

Local disks only; nobody can tell it of a store, and where workers outlive their launcher a free lock would prove nothing.
"""

from collections.abc import Iterator
from contextlib import contextmanager
import fcntl
import os
from pathlib import Path

from storage import disk
from storage.layout import RunFolder

_MODE = 0o640


@contextmanager
def held(run: RunFolder, content: str) -> Iterator[None]:
    """Hold the run's lock, together with other launchers of the same run, while the block runs; `content` is for who finds it free."""
    number = _opened(Path(run.lock))
    try:
        os.ftruncate(number, 0)
        os.pwrite(number, content.encode(), 0)
        yield
    finally:
        os.close(number)


@contextmanager
def found_free(run: RunFolder) -> Iterator[str | None]:
    """The content of a lock that nobody holds, which cannot be taken while the block runs; None when it is held, or there is none."""
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
        yield os.pread(number, 1 << 16, 0).decode(errors="replace")
    finally:
        os.close(number)


@contextmanager
def kept_free(run: RunFolder) -> Iterator[bool]:
    """Whether no launcher of the run lives on this machine; one that finds its lock there waits until the block ends."""
    with found_free(run) as content:
        yield content is not None or not os.path.exists(run.lock)


def _opened(path: Path) -> int:
    """The lock file, opened and locked; opened anew when a cleaner removed it in between."""
    while True:
        disk.make_folders(path.parent)
        try:
            number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, _MODE)
        except FileNotFoundError:
            continue
        fcntl.flock(number, fcntl.LOCK_SH)
        try:
            if os.stat(path).st_ino == os.fstat(number).st_ino:
                return number
        except FileNotFoundError:
            pass
        os.close(number)
