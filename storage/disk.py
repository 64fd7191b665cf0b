"""The steps on a local disk that a run's promises rest on, each in few calls of the system.

Content is synced before it gets a name that anybody follows, and the folder after, up to the first
folder that was there before. What is made here is for the owner to write and the group to read:
files 0640, folders 0750, less what the umask takes away.
"""

from contextlib import suppress
import errno
from io import RawIOBase
import os
from pathlib import Path
from typing import BinaryIO
import uuid

_FILE_MODE = 0o640
_FOLDER_MODE = 0o750
# A name that somebody made a link of must not make us write where it leads.
_NEW = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW
# How often a folder that somebody goes on writing into is tried.
_REMOVALS = 100


def read_end(path: str, size_bytes: int) -> bytes:
    """Return the last bytes of a file; all of one that has fewer.

    Args:
        path: the file.
        size_bytes: how many.
    """
    # All of it in one call of the system, as a rule, which a buffer would only copy.
    with open(path, "rb", buffering=0) as file:
        all_bytes = file.seek(0, os.SEEK_END)
        wanted_bytes = min(all_bytes, size_bytes)
        file.seek(all_bytes - wanted_bytes)
        return read_up_to(file, wanted_bytes)


def read_range(file: BinaryIO, begin: int, stop: int) -> bytes:
    """Return some bytes of a file, fewer where it ends before.

    Args:
        file: the file.
        begin: place of the first one.
        stop: the place behind the last one.
    """
    file.seek(begin)
    return file.read(stop - begin)


def read_up_to(file: RawIOBase, size_bytes: int) -> bytes:
    """Return the next bytes of a file, fewer at its end alone.

    Args:
        file: the file; a mounted store may answer with some of the bytes.
        size_bytes: how many.
    """
    content = file.read(size_bytes) or b""
    while len(content) < size_bytes:
        more = file.read(size_bytes - len(content))
        if not more:
            break
        content += more
    return content


def make_folder(path: Path) -> None:
    """Make a folder below one that is there, or find it made, and make its name durable."""
    try:
        os.mkdir(path, _FOLDER_MODE)
    except FileExistsError:
        if not path.is_dir():
            raise
    # Also when it was there: whoever made it may not have come to this.
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
    """Open a file for writing, empty."""
    number = os.open(path, _NEW | os.O_TRUNC, _FILE_MODE)
    return os.fdopen(number, "wb")


def create(
    path: Path,
    content: bytes,
    scratch: Path,
    synced: bool,
) -> bool:
    """Give whole content a name that is not taken, and tell whether it got it.

    Args:
        path: the name.
        content: all of the file.
        scratch: a folder of the same file system, where the content is written first.
        synced: whether it outlives a crash of the machine.
    """
    temporary = _write_temporary(scratch, path.name, content, synced)
    # A link, because it is refused where the name is taken, and a rename would take it.
    try:
        os.link(temporary, path)
    except FileExistsError:
        return False
    finally:
        _drop(temporary)
    if synced:
        sync_folder(path.parent)
    return True


def replace(
    path: Path,
    content: bytes,
    scratch: Path,
    modified_nanoseconds: int | None = None,
) -> None:
    """Give whole content a name, whether or not it is taken.

    Args:
        path: the name.
        content: all of the file.
        scratch: as for `create`.
        modified_nanoseconds: what the file shall say of when it was modified, since 1970; None for
            now.

    Raises:
        OSError: a device or a pipe has the name, or as the system says.
    """
    _refuse_device(path)
    temporary = _write_temporary(scratch, path.name, content, True, modified_nanoseconds)
    try:
        os.replace(temporary, path)
    except BaseException:
        _drop(temporary)
        raise
    sync_folder(path.parent)


def link(path: Path, target: str, scratch: Path) -> None:
    """Point a symbolic link at a target, in one move.

    Args:
        path: the link, which may be there.
        target: where it leads, seen from the link's folder.
        scratch: as for `create`.
    """
    # The system makes no link over another, but moves one over another.
    temporary = _name_temporary(scratch, path.name)
    os.symlink(target, temporary)
    try:
        os.replace(temporary, path)
    except BaseException:
        _drop(temporary)
        raise
    sync_folder(path.parent)


def move(source: Path, target: Path) -> None:
    """Give a file another name in the same file system.

    Args:
        source: the file.
        target: its new name, which may be taken.

    Raises:
        OSError: the names are on different file systems, or as the system says.
    """
    try:
        os.replace(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        # The system names the files, and it is the folders' mounts that have to be mended.
        parents = f"{source.parent} and {target.parent}"
        raise OSError(
            errno.EXDEV,
            f"{parents} are on different file systems, so no file gets its name in one move",
        ) from error


def remove(path: Path) -> None:
    """Remove a file, a link, or a folder with all in it; nothing when it is gone.

    Others may remove it too, or still write there.
    """
    for _ in range(_REMOVALS):
        try:
            _remove_once(path)
            return
        except OSError as error:
            # Something was written into a folder after it was emptied.
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
        _hide_folders(path)
    _remove_once(path)


def leads_out(path: str, root: str, no_links: set[str] | None = None) -> bool:
    """Tell whether a name below a folder is, through symbolic links, a place that is not below it.

    Args:
        path: the name; it may not be there yet.
        root: the folder.
        no_links: folders below it that were found to be no links, which are not looked at again;
            the folders above the name are added.

    >>> leads_out("/proc/self/cwd", "/proc")
    True
    """
    # Nearly always: to resolve a name looks at all that is above the root, too, again and again.
    # Of texts, as each run asks for dozens of names, and to make a Path takes as long as to look.
    found = set() if no_links is None else no_links
    if path.startswith(f"{root}/") and not _passes_link(path, root, found):
        return False
    place = Path(os.path.realpath(path))
    real_root = os.path.realpath(root)
    return not place.is_relative_to(real_root)


def _passes_link(path: str, root: str, no_links: set[str]) -> bool:
    """Tell whether a name, or a folder above it that is below the root, may be a link."""
    folder, _, name = path.rpartition("/")
    if folder != root and folder not in no_links:
        if _passes_link(folder, root, no_links):
            return True
        no_links.add(folder)
    # Behind a link, the folder above is another than the name says.
    return name == ".." or os.path.islink(path)


def _remove_once(path: Path) -> None:
    # A link to a folder is a name, and what it leads to is somebody else's.
    if path.is_symlink() or not path.is_dir():
        _drop(path)
        return
    for folder, folders, names in os.walk(path, topdown=False):
        for name in names:
            _drop(Path(folder, name))
        for name in folders:
            _drop_folder(Path(folder, name))
    _drop_folder(path)


def _hide_folders(path: Path) -> None:
    # Who writes file after file can keep pace with whoever removes them, for ever. Under a name that
    # nobody knows, a folder gets no more; and below the same path a removal that is killed is done
    # with next time.
    # Not found: somebody else removes it too.
    with suppress(FileNotFoundError):
        for entry in list(os.scandir(path)):
            if entry.is_dir(follow_symlinks=False):
                os.rename(entry.path, path / uuid.uuid4().hex)


def _refuse_device(path: Path) -> None:
    """Refuse a name that a file would take from the whole machine: a device, a pipe, a socket."""
    # `/dev/stdout` is a link into /proc, to whatever it may be.
    if path.is_symlink() and os.readlink(path).startswith("/proc/"):
        raise FileExistsError(errno.EEXIST, "is a name of the system's own, and no file", str(path))
    # Root may put a file in place of /dev/null, which nothing else would get over.
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise FileExistsError(
            errno.EEXIST, "is a device, a pipe or a socket, and no file", str(path)
        )


def _drop(path: Path) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)


def _drop_folder(path: Path) -> None:
    if path.is_symlink():
        _drop(path)
        return
    with suppress(FileNotFoundError):
        os.rmdir(path)


def _name_temporary(scratch: Path, name: str) -> Path:
    # Hidden, so that no listing of inputs or parts takes it for one.
    return scratch / f".{name}.{uuid.uuid4().hex}"


def _write_temporary(
    scratch: Path,
    name: str,
    content: bytes,
    synced: bool,
    modified_nanoseconds: int | None = None,
) -> Path:
    temporary = _name_temporary(scratch, name)
    try:
        with open_new(temporary) as file:
            file.write(content)
            file.flush()
            # Before it is synced, so that the time is as durable as the content.
            if modified_nanoseconds is not None:
                os.utime(file.fileno(), ns=(modified_nanoseconds, modified_nanoseconds))
            if synced:
                os.fsync(file.fileno())
    except BaseException:
        _drop(temporary)
        raise
    return temporary
