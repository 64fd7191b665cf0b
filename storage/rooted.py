"""Files that rows name, below a folder that the job declares, and never outside it.

Comes in: the root, and what stands in a row: a path relative to the root, or one that begins with it.
Goes out: size and version of the file, and its content as long as it is of that version. Whatever
names another place is a `RowError`: it is the row's, and it is told without the path.
"""

import errno
import os
from pathlib import PurePosixPath
import re
import stat
from typing import Any

from fsspec.implementations.local import LocalFileSystem

from configs.errors import ChangedError, InputError, RowError
from storage.client_errors import plain_errors
from storage.inputs import describe_file, describe_stat
from storage.object_stores import is_object_store, locate
from storage.retries import is_transient, retried
from storage.rooted_file import RootedFile

# The longest path that a disk takes; a key of a store is shorter.
_MOST_CHARACTERS = 4_096
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
# By which clients of stores take the end of a key for the number of a version.
_VERSION = re.compile(r"\?versionId=|#\d+$")
# What is not a letter of a name in the address of a web server, and in chains of fsspec.
_OF_ADDRESSES = frozenset("%?#")
_SHOWN_CHARACTERS = 300
_SIGNATURE = re.compile(r"\?.*=.*")
# Folders whose places are kept, so that files side by side are not looked for from the root on.
_MOST_FOLDERS = 1_000
# What a disk says of a file itself. All else may pass (a mount that is gone), and what passes must
# not decide which rows are scored.
_OF_A_FILE = frozenset(
    {
        errno.EACCES,
        errno.EISDIR,
        errno.ELOOP,
        errno.ENAMETOOLONG,
        errno.ENOENT,
        errno.ENOTDIR,
        errno.EPERM,
        # A sector that cannot be read, once it was tried several times.
        errno.EIO,
    }
)


class FileRoot:
    """A folder on a disk or in a store, and the files below it."""

    def __init__(self, url: str) -> None:
        """Take the folder's absolute path or URL.

        Raises:
            ImportError, ValueError: this kind of storage is not known here.
        """
        self.url = url.rstrip("/") or "/"
        self._fs, self._path = locate(self.url)
        self.is_local = isinstance(self._fs, LocalFileSystem)
        # Once: the job declares the root, and may do so by a link.
        self._real = os.path.realpath(self._path) if self.is_local else ""
        self._folders: dict[str, str] = {}

    def refuse_missing(self) -> None:
        """Refuse a root that is not there: every row would be rejected for it.

        Raises:
            InputError: it is no folder of this machine's disk; a store has no folders.
        """
        if self.is_local and not os.path.isdir(self._real):
            raise InputError(
                f"root {self.url}: there is no such folder; name the one that all files are below"
            )

    def find_name(self, text: str) -> str:
        """Return the name below the root that a row's text means.

        Raises:
            RowError: it means no file below the root; the message does not hold the text.
        """
        if not text:
            raise RowError("the path is empty")
        if len(text) > _MOST_CHARACTERS:
            raise RowError(f"the path has more than {_MOST_CHARACTERS:,} characters")
        if _CONTROL.search(text):
            raise RowError("the path holds a control character")
        above = self.url.rstrip("/") + "/"
        name = text.removeprefix(above)
        if name.startswith("data:"):
            raise RowError("the path is the content itself (data:)")
        if "://" in name or "::" in name:
            raise RowError("the path names another place than the root")
        if name.startswith("/"):
            raise RowError("the path is absolute, and not below the root")
        parts = [part for part in name.split("/") if part != "."]
        if ".." in parts:
            raise RowError("the path holds .., which leads out of a folder")
        if not parts or not parts[-1]:
            raise RowError("the path names a folder")
        # What `.//etc` means without its dot.
        if not parts[0]:
            raise RowError("the path is absolute, and not below the root")
        self._refuse_address(name, parts)
        return "/".join(parts)

    def describe(self, name: str) -> RootedFile:
        """Return a file as it is now.

        Args:
            name: as `find_name` gave it.

        Raises:
            RowError: it is no file, or leads out of the root.
            OSError: it cannot be looked at.
        """
        if self.is_local:
            # To be ready to try again costs more than to look at a file.
            try:
                return self._describe_local(name)
            except OSError as error:
                if not is_transient(error):
                    raise
        return self._describe_again(name)

    @retried
    @plain_errors()
    def _describe_again(self, name: str) -> RootedFile:
        if self.is_local:
            return self._describe_local(name)
        info = self._fs.info(self._locate(name))
        if info["type"] != "file":
            raise RowError("is a folder")
        file = describe_file(self._fs, info)
        return RootedFile(name, file.bytes, file.version)

    @retried
    @plain_errors()
    def read(self, file: RootedFile) -> bytes:
        """Return the content of a file that is as it was.

        Raises:
            RowError: it is no file, or leads out of the root.
            InputError: it changed.
            OSError: it cannot be read.
        """
        if self.is_local:
            return self._read_local(file)
        try:
            content = self._read_remote(file)
            # Behind the content: a store gives one version of an object, whole.
            now = self.describe(file.name)
        except FileNotFoundError as error:
            raise self._refuse_change(file) from error
        if now.version != file.version or len(content) != file.bytes:
            raise self._refuse_change(file)
        return content

    def explain(self, error: Exception, name: str) -> str:
        """Return why a file costs its row: the kind of the error, and the name.

        Args:
            error: what `describe` or `read` raised.
            name: of the file.

        Raises:
            InputError: it is not the file that failed, but its disk or store.
        """
        shown = _show(name)
        if isinstance(error, RowError):
            return f"{shown}: {error}"
        if self._is_of_the_file(error):
            number = error.errno if isinstance(error, OSError) else None
            # A client of a store raises Python's class, with no number.
            number = number or _find_number(error)
            return f"{shown}: [Errno {number}] {os.strerror(number)}"
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise InputError(
            f"{self.url}/{shown}: cannot be read: {reason}; start the run again to resume"
        ) from error

    def _is_of_the_file(self, error: Exception) -> bool:
        if isinstance(error, FileNotFoundError | IsADirectoryError | PermissionError):
            return True
        number = getattr(error, "errno", None)
        # A store's own input and output is a network's.
        return self.is_local and number in _OF_A_FILE

    def _refuse_address(self, name: str, parts: list[str]) -> None:
        """Refuse signs by which clients of stores mean more than a name."""
        if self.is_local:
            return
        if _VERSION.search(name):
            raise RowError("the path ends as the number of a version does")
        if is_object_store(self._fs):
            return
        # A web server decodes %2e%2e and then goes up.
        if not _OF_ADDRESSES.isdisjoint(name) or "" in parts:
            raise RowError("the path holds %, ?, # or an empty part, which are no part of a name")

    def _locate(self, name: str) -> str:
        return f"{self._path.rstrip('/')}/{name}"

    def _describe_local(self, name: str) -> RootedFile:
        found = self._look_at(name)
        _refuse_no_file(found.st_mode)
        return RootedFile(name, found.st_size, describe_stat(found))

    def _look_at(self, name: str) -> Any:
        """Return what the system says of a local file, for a hundred thousand of them in some seconds."""
        folder, _, last = name.rpartition("/")
        if folder not in self._folders:
            if len(self._folders) >= _MOST_FOLDERS:
                self._folders.clear()
            # As it was a moment ago: whoever reads the file looks again.
            self._folders[folder] = self._resolve(folder)
        real_folder = self._folders[folder]
        found = os.stat(f"{real_folder}/{last}", follow_symlinks=False)
        if stat.S_ISLNK(found.st_mode):
            return os.stat(self._resolve(name))
        return found

    def _resolve(self, name: str) -> str:
        """Return where a local file really is.

        Raises:
            RowError: outside the root.
            OSError: there is none, or it cannot be looked at.
        """
        real = os.path.realpath(self._locate(name), strict=True)
        if not PurePosixPath(real).is_relative_to(self._real):
            raise RowError("is, or is below, a link that leads out of the root")
        return real

    def _read_local(self, file: RootedFile) -> bytes:
        try:
            real = self._resolve(file.name)
            # Before it is opened: to open a pipe is to wait for whoever writes into it.
            self._refuse_changed(file, os.stat(real))
        except FileNotFoundError as error:
            raise self._refuse_change(file) from error
        with open(real, "rb", buffering=0) as opened:
            # What is open may be another file, in the place of the one that was looked at.
            self._refuse_changed(file, os.fstat(opened.fileno()))
            content = _read_at_most(opened, file.bytes)
            self._refuse_changed(file, os.fstat(opened.fileno()))
        if len(content) != file.bytes:
            raise self._refuse_change(file)
        return content

    def _read_remote(self, file: RootedFile) -> bytes:
        # A store refuses a range of nothing.
        if not file.bytes:
            return b""
        # No more, however large it has become.
        path = self._locate(file.name)
        content: bytes = self._fs.cat_file(path, start=0, end=file.bytes)
        return content

    def _refuse_changed(self, file: RootedFile, found: Any) -> None:
        if describe_stat(found) != file.version:
            raise self._refuse_change(file)

    def _refuse_change(self, file: RootedFile) -> ChangedError:
        return ChangedError(
            f"{self.url}/{file.name}: changed after the run was planned; "
            "start the run again to score the new content"
        )


def _show(name: str) -> str:
    """Return a name as a message may hold it: not too long, and without what signs an address."""
    unsigned = _SIGNATURE.sub("?***", name)
    if len(unsigned) > _SHOWN_CHARACTERS:
        unsigned = f"{unsigned[:_SHOWN_CHARACTERS]}..."
    # Nobody would see the spaces.
    return unsigned if unsigned == unsigned.strip() else repr(unsigned)


def _read_at_most(opened: Any, size_bytes: int) -> bytes:
    pieces = []
    missing = size_bytes
    while missing:
        piece = opened.read(missing)
        if not piece:
            break
        pieces.append(piece)
        missing -= len(piece)
    return b"".join(pieces)


def _refuse_no_file(mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise RowError("is a folder")
    if not stat.S_ISREG(mode):
        raise RowError("is a pipe, a socket or a device, and no file")


def _find_number(error: Exception) -> int:
    if isinstance(error, IsADirectoryError):
        return errno.EISDIR
    return errno.EACCES if isinstance(error, PermissionError) else errno.ENOENT
