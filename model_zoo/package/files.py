"""Files of a package: read once, no further than they are said to be long, and hashed.

storage's file operations do all that they can. A local file is opened here, because its name may be
a trap in a package that somebody else wrote: a link could lead out of it, and a pipe or a device
would never end. storage follows links, as inputs and outputs of a run may be links.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
import errno
import hashlib
import os
import stat
from typing import BinaryIO

from configs.errors import ModelError
from model_zoo.package.cache import keep_copy, read_copy
from model_zoo.package.card import FileEntry
from storage import files

# What is hashed at a time: large enough that the calls do not count.
_PIECE_BYTES = 1 << 20
# Not followed, not waited for: opening a pipe would block until somebody writes to it.
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
# What pipelines.package takes as --weights.
_WEIGHTS = (".pt", ".pth", ".ckpt", ".bin", ".safetensors")
# memory:// is this process's own.
_IN_MEMORY = "memory://"


def is_remote(url: str) -> bool:
    """Tell whether reading a package goes over a network.

    Raises:
        ModelError: there is no such kind of storage, or its library is not installed.
    """
    try:
        is_local = files.is_local(url)
    except (ValueError, ImportError) as error:
        raise ModelError(
            f"{url}: cannot be read: {error}; install the extra for this kind of storage (s3, gcs)"
        ) from error
    is_in_memory = url.startswith(_IN_MEMORY)
    return not is_local and not is_in_memory


def read_file(url: str, name: str, most_bytes: int) -> bytes:
    """Return the content of a file of a package; of a local one at most one byte more than allowed.

    Args:
        url: folder of the package.
        name: of the file.
        most_bytes: how large it may be.

    Raises:
        ModelError: there is none, or it cannot be read.
    """
    with _explaining(url, name):
        if files.is_local(url):
            with _open_own_file(_find_path(url, name)) as file:
                # One more than allowed tells that it is too large, however large it is.
                return file.read(most_bytes + 1)
        path = files.join(url, name)
        content = files.read(path)
        if content is None:
            raise FileNotFoundError(name)
        return content


@dataclass(frozen=True)
class ListedFile:
    """A file of a package as the card lists it.

    Attributes:
        url: folder of the package.
        name: of the file, already checked.
        entry: what the card says of it.
    """

    url: str
    name: str
    entry: FileEntry

    def read(self) -> bytes:
        """Return the content; of a remote file, that of a copy on this machine if there is one.

        Raises:
            ModelError: the file is missing, or not what the card lists.
        """
        remote = is_remote(self.url)
        copy = read_copy(self.entry.sha256) if remote else None
        if copy is not None:
            return copy

        content = read_file(self.url, self.name, self.entry.bytes)
        digest = hashlib.sha256(content)
        self._compare(len(content), digest.hexdigest())
        # Checked first: nobody would ever ask for a copy of other content.
        if remote:
            keep_copy(content)
        return content

    def check(self) -> None:
        """Refuse a file that is not what the card lists; nothing of it stays in memory.

        Raises:
            ModelError: the file is missing, or not what the card lists.
        """
        if not files.is_local(self.url):
            # A store sends it whole at best, and it is kept on this machine on the way.
            self.read()
            return

        digest = hashlib.sha256()
        size = 0
        path = _find_path(self.url, self.name)
        with _explaining(self.url, self.name), _open_own_file(path) as file:
            # A file of a terabyte that is listed with a few bytes is not read to its end.
            while size <= self.entry.bytes:
                piece = file.read(_PIECE_BYTES)
                if not piece:
                    break
                digest.update(piece)
                size += len(piece)
        self._compare(size, digest.hexdigest())

    def _compare(self, size: int, sha256: str) -> None:
        _check_content(self.url, self.name, self.entry, size, sha256)


def _find_path(url: str, name: str) -> str:
    """Return the path of a file of a local package."""
    folder = files.to_absolute(url)
    return files.join(folder, name)


def _check_content(
    url: str,
    name: str,
    entry: FileEntry,
    size: int,
    sha256: str,
) -> None:
    if size != entry.bytes or sha256 != entry.sha256:
        raise ModelError(
            f"{url}/{name}: its content is not what model.yaml lists (size or sha256 differs); "
            "restore the package"
        )


@contextmanager
def _explaining(url: str, name: str) -> Iterator[None]:
    """Raise a ModelError in place of whatever keeps a file from being read."""
    try:
        yield
    except FileNotFoundError as error:
        raise ModelError(
            f"{url}: no {name} there; model.package must be a folder written by "
            f"pipelines.package or pipelines.train{_tell_how_to_package(url)}"
        ) from error
    except NotADirectoryError as error:
        raise ModelError(
            f"{url}: is a file, and model.package must be a folder written by "
            f"pipelines.package or pipelines.train{_tell_how_to_package(url)}"
        ) from error
    except Exception as error:  # a store's client has error classes of its own
        reason = getattr(error, "strerror", None) or error
        raise ModelError(
            f"{url}/{name}: cannot be read: {reason}; see that this file can be read from here"
        ) from error


def _tell_how_to_package(url: str) -> str:
    """Return how a package is made of a file of weights; nothing of a name that tells none."""
    if not url.endswith(_WEIGHTS):
        return ""
    return (
        "; make one: python -m pipelines.package --network MODULE:CALLABLE "
        f"--weights {url} --sample ROWS.parquet --output models/NAME/1"
    )


@contextmanager
def _open_own_file(path: str) -> Iterator[BinaryIO]:
    """Open a regular file under its own name.

    Raises:
        OSError: it is a link, a pipe, a device or a folder.
    """
    try:
        number = os.open(path, _FLAGS)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError("it is a link, and a package holds files themselves") from error
        raise
    try:
        # Asked of what was opened: a name may mean something else a moment later.
        status = os.fstat(number)
        if not stat.S_ISREG(status.st_mode):
            raise OSError("it is not a file")
        with os.fdopen(number, "rb", closefd=False) as file:
            yield file
    finally:
        os.close(number)
