"""Locks on files of a local disk, which the system drops with the process that holds them.

A run's launcher holds one in the run's temporary folder, which tells that it still lives. Nobody
can tell it of a store, and where workers outlive their launcher a free lock would prove nothing.
Whoever moves CURRENT, or the name of a model's version, holds one beside it, for as long as it takes
to look and to replace; who is stopped meanwhile loses it.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
import fcntl
import os
from pathlib import Path
import time

from storage import disk, files, retries
from storage.output_names import CURRENT
from storage.run_folder import RunFolder

_MODE = 0o640
# Longer than any job's name, which is what the file holds.
_MOST_BYTES = 1 << 16
_FOLDER_MODE = 0o750
# A name is moved in milliseconds; who takes longer may lose the lock, and begins again.
_PATIENCE_SECONDS = 5.0
_LOOK_AGAIN_SECONDS = 0.01


@contextmanager
def hold(run: RunFolder, content: str) -> Iterator[None]:
    """Hold the run's lock, together with other launchers of the same run, while the block runs.

    Args:
        run: the run.
        content: what whoever claims it once it is free shall read.
    """
    path = Path(run.lock)
    number = _open_locked(path, fcntl.LOCK_SH)
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


def hold_current(output: str) -> AbstractContextManager[str]:
    """Let nobody else on this disk move CURRENT while the block runs; see `hold_name`."""
    return hold_name(output, CURRENT)


@contextmanager
def hold_name(folder: str, name: str) -> Iterator[str]:
    """Let nobody else on this disk move a name while the block runs.

    Gives a folder for what gets its name in the block. A holder that was stopped loses the lock
    after some seconds, and that folder with it: what it has prepared then is not found, so it
    cannot replace anything on the word of what it read before.

    Args:
        folder: where the name is.
        name: that others may want to move.
    """
    path = Path(files.join(folder, f".{name}.lock"))
    number, scratch = _claim_name(path, scratch=f".{name}.")
    try:
        yield str(scratch)
    finally:
        try:
            disk.remove(scratch)
            # While it is held: who waits for it finds that it lost its name, and opens another.
            if _has_name(number, path):
                disk.remove(path)
        finally:
            os.close(number)


def _claim_name(path: Path, scratch: str) -> tuple[int, Path]:
    """Return the locked file, and the holder's folder.

    Args:
        path: the file to lock.
        scratch: what the names of holders' folders begin with.
    """
    while True:
        number = _open_locked(path, fcntl.LOCK_EX)
        inode = os.fstat(number).st_ino
        own = path.with_name(f"{scratch}{inode}")
        try:
            # Of holders that were killed, or have lost the lock.
            for name in files.list_names(str(path.parent)):
                if name.startswith(scratch) and name != path.name:
                    disk.remove(path.with_name(name))
            os.mkdir(own, _FOLDER_MODE)
            # Asked after the folder is there: who takes the lock from here on finds that, and
            # removes it.
            if _has_name(number, path):
                return number, own
            disk.remove(own)
        except BaseException:
            os.close(number)
            raise
        os.close(number)


def _has_name(number: int, path: Path) -> bool:
    """Tell whether an open file still has its name, so that others find the lock on it."""
    try:
        return os.stat(path).st_ino == os.fstat(number).st_ino
    except FileNotFoundError:
        return False


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
        if _has_name(number, path):
            return number
        # The lock is on a file that lost its name: nobody would find it.
        os.close(number)


def _wait_for_lock(number: int, kind: int, path: Path) -> None:
    # A launcher's own lock is shared with others of its run, and waits for a cleaner's claim.
    if kind == fcntl.LOCK_SH:
        fcntl.flock(number, kind)
        return
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            fcntl.flock(number, kind | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            # Its holder was stopped: without its name, the lock is nobody's any more.
            if time.monotonic() > deadline and _has_name(number, path):
                disk.remove(path)
                return
        retries.pause(_LOOK_AGAIN_SECONDS)
