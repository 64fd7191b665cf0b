"""Copies of remote package files on this machine, by their sha256.

A worker that starts anew need not fetch a model again. A copy is never trusted: whoever reads it
hashes what it read, and takes it only if the digest is the one asked for. So a copy that was cut,
altered or put there by somebody else costs a fetch and nothing more, and two workers that store one
at once do no harm.
"""

from contextlib import suppress
import hashlib
from operator import attrgetter
import os
from pathlib import Path
import stat
import tempfile
from typing import NamedTuple

_FOLDER = "model-packages"
# A few large models; what was used longest ago goes first.
_MOST_BYTES = 10 << 30
_MODE = 0o700


def read_copy(sha256: str) -> bytes | None:
    """Return the content with this digest, or None when there is no good copy."""
    folder = private_folder(_FOLDER)
    if folder is None:
        return None
    try:
        path = folder / sha256
        content = path.read_bytes()
        found = hashlib.sha256(content)
        if found.hexdigest() != sha256:
            return None
        # Used now: the least recently used copy goes first.
        os.utime(path)
    except OSError:
        return None
    return content


def keep_copy(content: bytes) -> None:
    """Store a copy, unless the disk is full or the folder is not this user's own."""
    folder = private_folder(_FOLDER)
    if folder is None:
        return
    digest = hashlib.sha256(content)
    # Without a copy the next worker fetches again, which is no reason to fail.
    with suppress(OSError):
        _write_copy(folder, digest.hexdigest(), content)
        _drop_oldest(folder, _MOST_BYTES)


def has_mark(folder_name: str, mark: str) -> bool:
    """Tell whether this user has left a mark on this machine.

    Args:
        folder_name: as for `private_folder`.
        mark: the mark's name.
    """
    folder = private_folder(folder_name)
    return folder is not None and (folder / mark).exists()


def leave_mark(folder_name: str, mark: str) -> None:
    """Leave a mark, an empty file, unless the disk is full or the folder is not this user's own.

    Args:
        folder_name, mark: as for `has_mark`.
    """
    folder = private_folder(folder_name)
    if folder is None:
        return
    # Without it somebody does again what was done, which is no reason to fail.
    with suppress(OSError):
        (folder / mark).touch()


def private_folder(name: str) -> Path | None:
    """Return a folder that only this user may read or write; None when something else has its name."""
    user = os.getuid()
    folder = Path(tempfile.gettempdir()) / f"{name}-{user}"
    with suppress(OSError):
        folder.mkdir(mode=_MODE, exist_ok=True)
        # Anybody may make names in the temporary folder, so what stands there is looked at: not
        # through a link, which could be turned elsewhere later.
        found = folder.lstat()
        is_folder = stat.S_ISDIR(found.st_mode)
        is_own = found.st_uid == user
        is_private = stat.S_IMODE(found.st_mode) == _MODE
        if is_folder and is_own and is_private:
            return folder
    return None


class _Copy(NamedTuple):
    """A kept file; `used_at` in nanoseconds."""

    path: Path
    size_bytes: int
    used_at: int


def _write_copy(folder: Path, name: str, content: bytes) -> None:
    number, path = tempfile.mkstemp(prefix=".", dir=folder)
    temporary = Path(path)
    try:
        with os.fdopen(number, "wb") as file:
            file.write(content)
        # In one move, so that nobody finds half of it.
        temporary.replace(folder / name)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def _drop_oldest(folder: Path, most_bytes: int) -> None:
    """Drop what was used longest ago until no more than this is kept."""
    copies = []
    # What a killed worker left half written is among them, and nobody uses it.
    for path in folder.iterdir():
        status = path.stat()
        copy = _Copy(
            path=path,
            size_bytes=status.st_size,
            used_at=status.st_mtime_ns,
        )
        copies.append(copy)
    copies.sort(key=attrgetter("used_at"), reverse=True)

    total = 0
    for copy in copies:
        total += copy.size_bytes
        if total > most_bytes:
            # Another worker may have dropped it a moment ago.
            copy.path.unlink(missing_ok=True)
