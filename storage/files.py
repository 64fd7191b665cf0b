"""The few file operations that the promises of a run rest on, for local disks and every fsspec file system.

A name is given to a file only after its content is on the disk: files are synced before they are named and folders after. On an
object store a put is atomic, and `mode="create"` is its conditional put.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
import hashlib
import os
from pathlib import Path
from typing import Any, BinaryIO
import uuid

import fsspec
from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

_GLOB = frozenset("*?[")
_VERSION_KEYS = ("ETag", "etag", "generation", "md5Hash", "mtime", "LastModified", "created")


@dataclass(frozen=True, order=True)
class InputFile:
    """An input file as it is at the moment of listing; `version` changes when the file does."""

    url: str
    bytes: int
    version: str


def absolute(url: str) -> str:
    """The one spelling of a path or URL: an absolute path for a local file, `scheme://...` for others."""
    fs, path = url_to_fs(url)
    return str(path) if isinstance(fs, LocalFileSystem) else str(fs.unstrip_protocol(path))


def is_local(url: str) -> bool:
    """Whether the URL names a file of this machine's own disk."""
    return isinstance(url_to_fs(url)[0], LocalFileSystem)


def join(folder: str, name: str) -> str:
    """The URL of a file below a folder."""
    return f"{folder.rstrip('/')}/{name}"


def list_inputs(pattern: str) -> tuple[list[InputFile], list[str]]:
    """Files that a path, a folder or a glob stands for, and the URLs that were left out: hidden ones, markers, checksums."""
    fs, path = url_to_fs(pattern)
    infos = _matches(fs, path)
    taken, ignored = [], []
    for info in infos:
        name = info["name"].rsplit("/", 1)[-1]
        url = info["name"] if isinstance(fs, LocalFileSystem) else fs.unstrip_protocol(info["name"])
        if name.startswith((".", "_")) or name.endswith(".crc"):
            ignored.append(url)
        else:
            taken.append(InputFile(url, int(info["size"]), _version(fs, info)))
    return taken, ignored


def version_of(url: str) -> str | None:
    """The file's version as `list_inputs` would give it now; None when it is gone."""
    fs, path = url_to_fs(url)
    fs.invalidate_cache()
    try:
        return _version(fs, {"name": path} if isinstance(fs, LocalFileSystem) else fs.info(path))
    except FileNotFoundError:
        return None


def read(url: str) -> bytes | None:
    """Whole content, or None when there is no such file."""
    fs, path = url_to_fs(url)
    try:
        content: bytes = fs.cat_file(path)
        return content
    except (FileNotFoundError, NotADirectoryError):
        return None


def open_read(url: str) -> Any:
    """A file open for reading at any position."""
    fs, path = url_to_fs(url)
    return fs.open(path, "rb")


def exists(url: str) -> bool:
    """Whether there is a file or folder now (nothing cached)."""
    fs, path = url_to_fs(url)
    fs.invalidate_cache()
    return bool(fs.exists(path))


def names_in(folder: str) -> list[str]:
    """Sorted base names in a folder; none when there is no folder."""
    fs, path = url_to_fs(folder)
    fs.invalidate_cache()
    try:
        return sorted(p.rstrip("/").rsplit("/", 1)[-1] for p in fs.ls(path, detail=False) if p.rstrip("/") != path.rstrip("/"))
    except (FileNotFoundError, NotADirectoryError):
        return []


def create(url: str, content: bytes, synced: bool = True) -> bool:
    """Write a whole file only if there is none: True when written, False when it was there. Atomic, and durable if `synced`.

    Without it a crash of the machine may leave the file missing or empty, for files that can be made again.
    """
    fs, path = url_to_fs(url)
    if not isinstance(fs, LocalFileSystem):
        try:
            fs.pipe_file(path, content, mode="create")
        except FileExistsError:
            return False
        return True
    temporary = _write_beside(Path(path), content, synced)
    try:
        os.link(temporary, path)
    except FileExistsError:
        return False
    finally:
        temporary.unlink()
    if synced:
        _sync_folder(Path(path).parent)
    return True


def replace(url: str, content: bytes) -> None:
    """Write a whole file in place of any older one. Atomic and durable."""
    fs, path = url_to_fs(url)
    if not isinstance(fs, LocalFileSystem):
        fs.pipe_file(path, content)
        return
    temporary = _write_beside(Path(path), content)
    temporary.replace(path)
    _sync_folder(Path(path).parent)


def put(url: str, content: bytes) -> None:
    """Write a small file that nobody depends on: neither synced nor atomic."""
    fs, path = url_to_fs(url)
    fs.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
    fs.pipe_file(path, content)


def move(source: str, target: str) -> None:
    """Give a synced file its final name, which holds its content's digest.

    Safe to repeat and to race: when the source is gone and the target is there, somebody has done it already.
    """
    fs, source_path = url_to_fs(source)
    target_path = url_to_fs(target)[1]
    if isinstance(fs, LocalFileSystem):
        try:
            Path(source_path).replace(target_path)
        except FileNotFoundError:
            if not Path(target_path).exists():
                raise
    elif not fs.exists(target_path):
        fs.cp_file(source_path, target_path)


def sync_folder(url: str) -> None:
    """Make the names in a local folder durable; nothing to do elsewhere."""
    fs, path = url_to_fs(url)
    if isinstance(fs, LocalFileSystem):
        _sync_folder(Path(path))


def make_folder(url: str) -> None:
    """Make a folder and those above it."""
    fs, path = url_to_fs(url)
    fs.makedirs(path, exist_ok=True)


def remove(url: str) -> None:
    """Remove a file or a whole folder; nothing when there is none."""
    fs, path = url_to_fs(url)
    fs.invalidate_cache()
    try:
        fs.rm(path, recursive=True)
    except FileNotFoundError:
        return


def link_folder(link: str, target: str) -> None:
    """On a local disk, point the symbolic link at a folder beside it, atomically; elsewhere nothing."""
    if not is_local(link) or (os.path.islink(link) and os.readlink(link) == target):
        return
    temporary = Path(f"{link}.{uuid.uuid4().hex}")
    temporary.symlink_to(target)
    temporary.replace(link)
    _sync_folder(Path(link).parent)


@contextmanager
def open_synced(url: str) -> Iterator["HashingFile"]:
    """A new file for writing whose content is on the disk, and digested, when the block ends without an error."""
    fs, path = url_to_fs(url)
    with fs.open(path, "wb") as file:
        hashing = HashingFile(file)
        yield hashing
        file.flush()
        if isinstance(fs, LocalFileSystem):
            os.fsync(file.fileno())


class HashingFile:
    """A binary file for writing that digests what passes; enough of a file for pyarrow's writers."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self.bytes = 0
        self.closed = False

    def write(self, content: Any) -> int:
        """Write and digest `content`."""
        self._digest.update(content)
        self._file.write(content)
        size = len(memoryview(content).cast("B"))
        self.bytes += size
        return size

    def tell(self) -> int:
        """Bytes written so far."""
        return self.bytes

    def flush(self) -> None:
        """Hand everything to the operating system."""
        self._file.flush()

    def close(self) -> None:
        """Nothing: `open_synced` owns the file."""

    def writable(self) -> bool:
        """Always."""
        return True

    def readable(self) -> bool:
        """Never."""
        return False

    def seekable(self) -> bool:
        """Never."""
        return False

    @property
    def sha256(self) -> str:
        """Digest of everything written, as 64 hexadecimal digits."""
        return self._digest.hexdigest()


def sha256_of(url: str) -> str:
    """Digest of a file's content, read in pieces."""
    digest = hashlib.sha256()
    with fsspec.open(url, "rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def _matches(fs: Any, path: str) -> list[dict[str, Any]]:
    fs.invalidate_cache()
    if fs.isfile(path):
        return [fs.info(path)]
    found: dict[str, dict[str, Any]] = {}
    if fs.isdir(path):  # listed and not globbed: its own name may hold a bracket
        found = {info["name"]: info for info in fs.ls(path, detail=True) if info["name"].rstrip("/") != path.rstrip("/")}
    elif _GLOB.intersection(path):
        found = fs.glob(path, detail=True)
    is_file = os.path.isfile if isinstance(fs, LocalFileSystem) else lambda name: found[name]["type"] == "file"
    return [info for name, info in sorted(found.items()) if is_file(name)]


def _version(fs: Any, info: dict[str, Any]) -> str:
    """What tells one content from another: on a local disk size, time and inode; elsewhere what the store knows."""
    if isinstance(fs, LocalFileSystem):
        stat = os.stat(info["name"])
        return f"size={stat.st_size},mtime_ns={stat.st_mtime_ns},ino={stat.st_ino}"
    known = [f"{key}={_plain(info[key])}" for key in _VERSION_KEYS if info.get(key) is not None]
    return ",".join([f"size={info['size']}", *known])


def _plain(value: Any) -> str:
    return str(value.timestamp() if hasattr(value, "timestamp") else value)


def _write_beside(path: Path, content: bytes, synced: bool = True) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        if synced:
            os.fsync(file.fileno())
    return temporary


def _sync_folder(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
