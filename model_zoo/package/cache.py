"""Copies of remote package files on this machine, by their sha256.

A worker that starts anew need not fetch a model again. A copy is never trusted: whoever reads it
hashes what it read, and takes it only if the digest is the one asked for. So a copy that was cut,
altered or put there by somebody else costs a fetch and nothing more, and two workers that store one
at once do no harm.
"""

from contextlib import suppress
import hashlib
import os
from pathlib import Path
import stat
import tempfile

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
        content = (folder / sha256).read_bytes()
        if hashlib.sha256(content).hexdigest() != sha256:
            return None
        os.utime(folder / sha256)  # the least recently used copy goes first
    except OSError:
        return None
    return content


def keep_copy(content: bytes) -> None:
    """Store a copy, unless the disk is full or the folder is not this user's own."""
    folder = private_folder(_FOLDER)
    if folder is None:
        return
    # Without a copy the next worker fetches again, which is no reason to fail.
    with suppress(OSError):
        _write_copy(folder, hashlib.sha256(content).hexdigest(), content)
        _drop_oldest(folder, _MOST_BYTES)


def private_folder(name: str) -> Path | None:
    """Return a folder that only this user may read or write; None when something else has its name."""
    folder = Path(tempfile.gettempdir()) / f"{name}-{os.getuid()}"
    with suppress(OSError):
        folder.mkdir(mode=_MODE, exist_ok=True)
        # Anybody may make names in the temporary folder, so what stands there is looked at: not
        # through a link, which could be turned elsewhere later.
        found = folder.lstat()
        is_own_folder = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
        if is_own_folder and stat.S_IMODE(found.st_mode) == _MODE:
            return folder
    return None


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
    # What a killed worker left half written is among them, and nobody uses it.
    found = [(path, path.stat()) for path in folder.iterdir()]
    found.sort(key=lambda item: item[1].st_mtime_ns, reverse=True)
    total = 0
    for path, status in found:
        total += status.st_size
        if total > most_bytes:
            path.unlink(missing_ok=True)
