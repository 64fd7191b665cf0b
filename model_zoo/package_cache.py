"""Copies of remote package files on this machine, by their sha256, so that a worker that starts anew does not fetch a model again.

A copy is never trusted: whoever reads it hashes what it read, and takes it only if the digest is the one asked for. So a copy that
was cut, altered or put there by somebody else costs a fetch and nothing more, and two workers that store one at once do no harm.
"""

from contextlib import suppress
import hashlib
import os
from pathlib import Path
import stat
import tempfile

_NAME = "model-packages"
_MOST_BYTES = 10 << 30


def cached(sha256: str) -> bytes | None:
    """The content with this digest, or None when there is no good copy."""
    folder = private_folder(_NAME)
    if folder is None:
        return None
    try:
        content = (folder / sha256).read_bytes()
        if hashlib.sha256(content).hexdigest() != sha256:
            return None
        os.utime(folder / sha256)  # the least recently used copy goes first
    except OSError:
        return None
    return content


def keep(content: bytes) -> None:
    """Store a copy; where the disk is full or the folder is not ours there is none, and the next worker fetches again."""
    folder = private_folder(_NAME)
    if folder is None:
        return
    with suppress(OSError):
        _write(folder, hashlib.sha256(content).hexdigest(), content)
        _make_room(folder, _MOST_BYTES)


def private_folder(name: str) -> Path | None:
    """A folder of this user's that nobody else may read or write; None when something else has its name."""
    folder = Path(tempfile.gettempdir()) / f"{name}-{os.getuid()}"
    with suppress(OSError):
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and stat.S_IMODE(found.st_mode) == 0o700:
            return folder
    return None


def _write(folder: Path, name: str, content: bytes) -> None:
    number, temporary = tempfile.mkstemp(prefix=".", dir=folder)
    try:
        with os.fdopen(number, "wb") as file:
            file.write(content)
        Path(temporary).replace(folder / name)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise


def _make_room(folder: Path, most_bytes: int) -> None:
    """Drop what was used longest ago, and what a killed worker left half written, until no more than this is kept."""
    found = sorted(((p, p.stat()) for p in folder.iterdir()), key=lambda f: f[1].st_mtime_ns, reverse=True)
    total = 0
    for path, status in found:
        total += status.st_size
        if total > most_bytes:
            path.unlink(missing_ok=True)
