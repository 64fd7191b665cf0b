"""The steps on a local disk that the promises of a run rest on, each as few calls of the operating system as it takes.

Content is synced before it gets a name that anybody follows, and the folder after, up to the first folder that was there before. What is
made here is for the owner to write and the group to read: files 0640, folders 0750, less what the umask takes away.
"""

from contextlib import suppress
import errno
import os
from pathlib import Path
from typing import BinaryIO
import uuid

_FILE_MODE = 0o640
_FOLDER_MODE = 0o750
_NEW = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW
_REMOVALS = 100


def make_folder(path: Path) -> None:
    """Make a folder below one that is there, or find it made, and make its name durable."""
    try:
        os.mkdir(path, _FOLDER_MODE)
    except FileExistsError:
        if not path.is_dir():
            raise
    sync_folder(path.parent)


def make_folders(path: Path) -> None:
    """Make a folder and those above it that are missing."""
    if not path.is_dir():
        make_folders(path.parent)
        make_folder(path)


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    number = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def open_new(path: Path) -> BinaryIO:
    """A file open for writing, empty."""
    return os.fdopen(os.open(path, _NEW | os.O_TRUNC, _FILE_MODE), "wb")


def create(path: Path, content: bytes, scratch: Path, synced: bool) -> bool:
    """Give whole content a name that is not taken: True when it got it. `scratch` is a folder of the same file system."""
    temporary = _written(scratch, path.name, content, synced)
    try:
        os.link(temporary, path)
    except FileExistsError:
        return False
    finally:
        _drop(temporary)
    if synced:
        sync_folder(path.parent)
    return True


def replace(path: Path, content: bytes, scratch: Path) -> None:
    """Give whole content a name, whether or not it is taken."""
    temporary = _written(scratch, path.name, content, synced=True)
    try:
        os.replace(temporary, path)
    except BaseException:
        _drop(temporary)
        raise
    sync_folder(path.parent)


def link(path: Path, target: str, scratch: Path) -> None:
    """Point a symbolic link at a target, in one move."""
    temporary = _beside(scratch, path.name)
    os.symlink(target, temporary)
    try:
        os.replace(temporary, path)
    except BaseException:
        _drop(temporary)
        raise
    sync_folder(path.parent)


def move(source: Path, target: Path) -> None:
    """Give a file another name in the same file system."""
    try:
        os.replace(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        parents = f"{source.parent} and {target.parent}"
        raise OSError(errno.EXDEV, f"{parents} are on different file systems, so no file gets its name in one move") from error


def remove(path: Path) -> None:
    """Remove a file, a link, or a folder with all in it, though others remove it too, or still write there; nothing when it is gone."""
    for _ in range(_REMOVALS):
        try:
            _remove_once(path)
            return
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
    _remove_once(path)


def leads_out(path: Path, root: Path) -> bool:
    """Whether a name below a folder is, through symbolic links, a place that is not below it.

    >>> leads_out(Path("/proc/self/cwd"), Path("/proc"))
    True
    """
    return not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root))


def _remove_once(path: Path) -> None:
    if path.is_symlink() or not path.is_dir():
        _drop(path)
        return
    for folder, folders, names in os.walk(path, topdown=False):
        for name in names:
            _drop(Path(folder, name))
        for name in folders:
            _drop_folder(Path(folder, name))
    _drop_folder(path)


def _drop(path: Path) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)


def _drop_folder(path: Path) -> None:
    if path.is_symlink():
        _drop(path)
        return
    with suppress(FileNotFoundError):
        os.rmdir(path)


def _beside(scratch: Path, name: str) -> Path:
    return scratch / f".{name}.{uuid.uuid4().hex}"


def _written(scratch: Path, name: str, content: bytes, synced: bool) -> Path:
    temporary = _beside(scratch, name)
    try:
        with open_new(temporary) as file:
            file.write(content)
            file.flush()
            if synced:
                os.fsync(file.fileno())
    except BaseException:
        _drop(temporary)
        raise
    return temporary
