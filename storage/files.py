"""The few file operations that the promises of a run rest on, for disks and all of fsspec.

A name is given to a file only after its content is on the disk: files are synced before they are
named and folders after. On an object store a put is atomic, and may ask that there is nothing of
that name yet. Whatever goes wrong is an OSError.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
import hashlib
from io import BytesIO
import os
from pathlib import Path
from typing import Any

from fsspec.implementations.local import LocalFileSystem

from storage import disk
from storage.client_errors import plain_errors
from storage.hashing_writer import HashingFile
from storage.kept_in_memory import find_kept
from storage.object_stores import (
    Reader,
    discard,
    escape_pattern,
    is_object_store,
    locate,
    put_if_absent,
    whole_in_one_request,
)
from storage.object_stores import can_publish_to as can_publish_to
from storage.retries import retried
from storage.urls import join as join

# Large enough that the calls do not count, small enough to stay in a core's cache.
_DIGESTED_BYTES = 1 << 20


def to_absolute(url: str) -> str:
    """Return the one spelling of a path or URL: an absolute path, or `scheme://...`."""
    fs, path = locate(url)
    if isinstance(fs, LocalFileSystem):
        return str(path)
    return str(fs.unstrip_protocol(path))


def is_local(url: str) -> bool:
    """Tell whether the URL names a file of this machine's own disk."""
    if "://" not in url:
        return True
    fs, _ = locate(url)
    return isinstance(fs, LocalFileSystem)


@retried
@plain_errors()
def read(url: str) -> bytes | None:
    """Return the whole content, or None when there is no such file."""
    fs, path = locate(url)
    try:
        content: bytes = fs.cat_file(path, **whole_in_one_request(fs))
        return content
    # A disk says the second where a file stands in the place of a folder.
    except (FileNotFoundError, NotADirectoryError):
        return None


@retried
@plain_errors()
def read_end(url: str, size_bytes: int) -> bytes:
    """Return the last bytes of a file, in one request to a store; all of a file that has fewer.

    Args:
        url: the file.
        size_bytes: how many.

    Raises:
        OSError: there is no such file, or it cannot be read.
    """
    kept = find_kept(url)
    if kept is not None:
        return kept[-size_bytes:]
    fs, path = locate(url)
    if isinstance(fs, LocalFileSystem):
        return disk.read_end(path, size_bytes)
    content: bytes = fs.cat_file(path, start=-size_bytes)
    return content


@retried
@plain_errors()
def read_ranges(
    url: str,
    ranges: Sequence[tuple[int, int]],
) -> list[bytes]:
    """Return some parts of a file, which a store is asked for at once; less where the file ends before.

    Args:
        url: the file.
        ranges: the first byte of each part, and the one behind its last.

    Raises:
        OSError: there is no such file, or it cannot be read.
    """
    kept = find_kept(url)
    if kept is not None:
        return [kept[begin:stop] for begin, stop in ranges]
    fs, path = locate(url)
    if isinstance(fs, LocalFileSystem):
        with open(path, "rb") as file:
            return [disk.read_range(file, begin, stop) for begin, stop in ranges]
    paths = [path] * len(ranges)
    starts = [begin for begin, _ in ranges]
    stops = [stop for _, stop in ranges]
    # Not the client's own way, to put an error in the place of a part.
    parts: list[bytes] = fs.cat_ranges(paths, starts, stops, on_error="raise")
    return parts


@retried
@plain_errors()
def open_read(url: str, ahead: bool = True) -> Any:
    """Open a file for reading at any position.

    Args:
        url: the file.
        ahead: whether a store may be asked for more than is read.
    """
    kept = find_kept(url)
    if kept is not None:
        return BytesIO(kept)
    # By default fsspec reads some MiB more, which of a Parquet file are seldom the ones wanted
    # next.
    options = {} if ahead else {"cache_type": "none"}
    return _open(url, **options)


@retried
@plain_errors()
def exists(url: str) -> bool:
    """Tell whether there is a file or folder now (nothing cached)."""
    fs, path = locate(url)
    # fsspec would ask a disk for all that it knows of the file.
    if isinstance(fs, LocalFileSystem):
        return os.path.exists(path)
    return bool(fs.exists(path))


@retried
@plain_errors()
def list_names(folder: str) -> list[str]:
    """Return the sorted base names in a folder; none when there is no folder."""
    fs, path = locate(folder)
    try:
        if isinstance(fs, LocalFileSystem):
            return sorted(os.listdir(path))
        found = fs.ls(path, detail=False)
    except (FileNotFoundError, NotADirectoryError):
        return []
    own_name = path.rstrip("/")
    names = []
    for entry in found:
        # A store names its folders with a slash behind.
        name = entry.rstrip("/")
        # And it may keep an object of the folder's own name.
        if name != own_name:
            names.append(name.rsplit("/", 1)[-1])
    return sorted(names)


@plain_errors()
def create(
    url: str,
    content: bytes,
    synced: bool = True,
    scratch: str | None = None,
) -> bool:
    """Write a whole file only if there is none, and tell whether it was written. Atomic.

    Args:
        url: the file.
        content: all of it.
        synced: whether it is durable; else a crash of the machine may leave it missing or empty,
            for files that can be made again.
        scratch: folder where a disk's content first gets a name of its own, which a killed process
            leaves; by default beside the file, whose folder is then made where it is missing.
    """
    fs, path = locate(url)
    if not isinstance(fs, LocalFileSystem):
        return put_if_absent(fs, path, content)
    scratch_folder = _find_scratch(path, scratch)
    return disk.create(Path(path), content, scratch_folder, synced)


@plain_errors()
def replace(url: str, content: bytes, scratch: str | None = None) -> None:
    """Write a whole file in place of any older one. Atomic and durable.

    Args:
        url: the file.
        content: all of it.
        scratch: as for `create`.
    """
    fs, path = locate(url)
    if isinstance(fs, LocalFileSystem):
        scratch_folder = _find_scratch(path, scratch)
        disk.replace(Path(path), content, scratch_folder)
    else:
        fs.pipe_file(path, content)


@plain_errors()
def put(url: str, content: bytes, above: bool = True) -> None:
    """Write a file that nobody depends on: neither synced nor atomic.

    Args:
        url: the file.
        content: all of it.
        above: whether to make its folder where that is missing; else it is an error.
    """
    if above:
        make_folder(url.rsplit("/", 1)[0])
    fs, path = locate(url)
    if isinstance(fs, LocalFileSystem):
        with disk.open_new(Path(path)) as file:
            file.write(content)
    else:
        fs.pipe_file(path, content)


@plain_errors()
def move(source: str, target: str) -> None:
    """Give a synced file its final name, which holds its content's digest.

    An object store copies, and keeps the source. Safe to repeat and to race: when the source is
    gone and the target is there, somebody has done it already.

    Args:
        source: the file.
        target: its final name, in the same file system.

    Raises:
        FileNotFoundError: neither is there.
    """
    fs, source_path = locate(source)
    target_path = locate(target).path
    try:
        if isinstance(fs, LocalFileSystem):
            disk.move(Path(source_path), Path(target_path))
        # The same content by its name: copied again it would have another version, and who reads what
        # is published would take it for changed.
        elif not fs.exists(target_path):
            fs.cp_file(source_path, target_path)
    except FileNotFoundError:
        # Somebody was faster.
        if not fs.exists(target_path):
            raise


@plain_errors()
def link_or_copy(source: str, target: str) -> None:
    """Give a stored file, which never changes, a second name in the same file system.

    Nothing happens when it has it.

    Args:
        source: the file.
        target: its second name.
    """
    fs, source_path = locate(source)
    target_path = locate(target).path
    if not isinstance(fs, LocalFileSystem):
        fs.cp_file(source_path, target_path)
        return
    # A launch that was killed has made it.
    with suppress(FileExistsError):
        os.link(source_path, target_path)


@plain_errors()
def sync_folder(url: str) -> None:
    """Make the names in a local folder durable; elsewhere they are."""
    fs, path = locate(url)
    if isinstance(fs, LocalFileSystem):
        disk.sync_folder(Path(path))


@plain_errors()
def make_folder(url: str, above: bool = True) -> None:
    """Make a folder where there are folders.

    Args:
        url: the folder.
        above: whether to make those above it too; else one must be there.
    """
    fs, path = locate(url)
    if not isinstance(fs, LocalFileSystem):
        # An object store has no folders, and would be asked for a bucket.
        if not is_object_store(fs):
            fs.makedirs(path, exist_ok=True)
        return
    if os.path.isdir(path):
        return
    if above:
        disk.make_folders(Path(path))
    else:
        disk.make_folder(Path(path))


@plain_errors()
def remove(url: str) -> None:
    """Remove a file or a whole folder; nothing when there is none."""
    fs, path = locate(url)
    if isinstance(fs, LocalFileSystem):
        disk.remove(Path(path))
        return
    with suppress(FileNotFoundError):
        fs.rm(escape_pattern(path), recursive=True)


@plain_errors()
def link_folder(link: str, target: str, scratch: str) -> None:
    """Point a symbolic link of a local disk at a folder beside it, atomically.

    Args:
        link: the link.
        target: the folder, seen from the link's.
        scratch: as for `create`.
    """
    disk.link(Path(link), target, Path(scratch))


def read_link(link: str) -> str | None:
    """Return where a symbolic link of a local disk points; None when it is none."""
    if not os.path.islink(link):
        return None
    return os.readlink(link)


@contextmanager
def open_synced(url: str) -> Iterator[HashingFile]:
    """Open a new file that is on the disk, and digested, when the block ends without an error.

    When it ends with one, an object store keeps nothing.
    """
    fs, path = locate(url)
    is_on_disk = isinstance(fs, LocalFileSystem)
    with plain_errors():
        file = disk.open_new(Path(path)) if is_on_disk else fs.open(path, "wb")
        try:
            yield HashingFile(file)
            file.flush()
            if is_on_disk:
                os.fsync(file.fileno())
            # Inside the block: a store's file is sent when it is closed.
            file.close()
        # An interruption, too: half a file must not get its name on a store.
        except BaseException:
            discard(file)
            raise


@retried
@plain_errors()
def compute_sha256(url: str) -> str:
    """Return the digest of a file's content, read bit by bit."""
    digest = hashlib.sha256()
    with _open(url) as file:
        while True:
            part = file.read(_DIGESTED_BYTES)
            if not part:
                return digest.hexdigest()
            digest.update(part)


def _open(url: str, **options: str) -> Any:
    fs, path = locate(url)
    file = fs.open(path, "rb", **options)
    # A disk's own file is faster, and raises what it should.
    if isinstance(fs, LocalFileSystem):
        return file
    return Reader(file)


def _find_scratch(path: str, scratch: str | None) -> Path:
    if scratch is not None:
        scratch_path = locate(scratch).path
        return Path(scratch_path)
    folder = Path(path).parent
    disk.make_folders(folder)
    return folder
