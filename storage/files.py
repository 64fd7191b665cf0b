"""The few file operations that the promises of a run rest on, for local disks and every fsspec file system.

A name is given to a file only after its content is on the disk: files are synced before they are named and folders after. On an
object store a put is atomic, and may ask that there is nothing of that name yet. Whatever goes wrong is an OSError.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
import hashlib
import os
from pathlib import Path
from typing import Any

from fsspec.implementations.local import LocalFileSystem

from storage import disk
from storage.hashing_file import HashingFile
from storage.retries import retried
from storage.stores import Reader, discard, is_object_store, literal, locate, plain_errors, put_if_absent
from storage.stores import can_publish_to as can_publish_to

_GLOB = frozenset("*?[")
_VERSION_KEYS = ("generation", "ETag", "etag", "md5Hash", "mtime", "LastModified", "created")


@dataclass(frozen=True, order=True)
class InputFile:
    """An input file as it is at the moment of listing; `version` changes when the file does."""

    url: str
    bytes: int
    version: str


def absolute(url: str) -> str:
    """The one spelling of a path or URL: an absolute path for a local file, `scheme://...` for others."""
    fs, path = locate(url)
    return str(path) if isinstance(fs, LocalFileSystem) else str(fs.unstrip_protocol(path))


def is_local(url: str) -> bool:
    """Whether the URL names a file of this machine's own disk."""
    return isinstance(locate(url)[0], LocalFileSystem)


def join(folder: str, name: str) -> str:
    """The URL of a file below a folder."""
    return f"{folder.rstrip('/')}/{name}"


@retried
@plain_errors()
def list_inputs(pattern: str) -> tuple[list[InputFile], list[str]]:
    """Files that a path, a folder or a glob stands for, and the URLs that were left out.

    Those are hidden files, markers, checksums, links that lead nowhere, and subfolders of which no file is taken.
    """
    fs, path = locate(pattern)
    taken, ignored = [], []
    for info in _matches(fs, path):
        url = info["name"] if isinstance(fs, LocalFileSystem) else fs.unstrip_protocol(info["name"])
        if _is_left_out(url.rstrip("/").rsplit("/", 1)[-1]) or not _is_file(fs, info):
            ignored.append(url)
        else:
            taken.append(InputFile(url, int(info["size"]), _version(fs, info)))
    return taken, sorted(set(ignored) - _folders_of(taken))


@retried
@plain_errors()
def version_of(url: str) -> str | None:
    """The file's version as `list_inputs` would give it now; None when it is gone."""
    fs, path = locate(url)
    try:
        return _version(fs, {"name": path} if isinstance(fs, LocalFileSystem) else fs.info(path))
    except FileNotFoundError:
        return None


@retried
@plain_errors()
def read(url: str) -> bytes | None:
    """Whole content, or None when there is no such file."""
    fs, path = locate(url)
    try:
        content: bytes = fs.cat_file(path)
        return content
    except (FileNotFoundError, NotADirectoryError):
        return None


@retried
@plain_errors()
def open_read(url: str, ahead: bool = True) -> Any:
    """A file open for reading at any position; without `ahead`, a store is asked for what is read and no byte more."""
    return _open(url, **({} if ahead else {"cache_type": "none"}))


@retried
@plain_errors()
def exists(url: str) -> bool:
    """Whether there is a file or folder now (nothing cached)."""
    fs, path = locate(url)
    return bool(fs.exists(path))


@retried
@plain_errors()
def names_in(folder: str) -> list[str]:
    """Sorted base names in a folder; none when there is no folder."""
    fs, path = locate(folder)
    try:
        return sorted(p.rstrip("/").rsplit("/", 1)[-1] for p in fs.ls(path, detail=False) if p.rstrip("/") != path.rstrip("/"))
    except (FileNotFoundError, NotADirectoryError):
        return []


@plain_errors()
def create(url: str, content: bytes, synced: bool = True, scratch: str | None = None) -> bool:
    """Write a whole file only if there is none: True when written, False when it was there. Atomic, and durable if `synced`.

    Else a crash of the machine may leave it missing or empty, for files that can be made again. On a disk the content first gets a name of
    its own, which a killed process leaves: in the folder `scratch`, or beside the file, whose folder is then made where it is missing.
    """
    fs, path = locate(url)
    if not isinstance(fs, LocalFileSystem):
        return put_if_absent(fs, path, content)
    return disk.create(Path(path), content, _scratch(path, scratch), synced)


@plain_errors()
def replace(url: str, content: bytes, scratch: str | None = None) -> None:
    """Write a whole file in place of any older one. Atomic and durable; `scratch` as for `create`."""
    fs, path = locate(url)
    if isinstance(fs, LocalFileSystem):
        disk.replace(Path(path), content, _scratch(path, scratch))
    else:
        fs.pipe_file(path, content)


@plain_errors()
def put(url: str, content: bytes, above: bool = True) -> None:
    """Write a file that nobody depends on: neither synced nor atomic; without `above`, only where its folder is there."""
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
    """Give a synced file its final name, which holds its content's digest; an object store copies, and keeps the source.

    Safe to repeat and to race: when the source is gone and the target is there, somebody has done it already.
    """
    fs, source_path = locate(source)
    target_path = locate(target)[1]
    try:
        if isinstance(fs, LocalFileSystem):
            disk.move(Path(source_path), Path(target_path))
        elif not fs.exists(target_path):
            fs.cp_file(source_path, target_path)
    except FileNotFoundError:
        if not fs.exists(target_path):
            raise


@plain_errors()
def link_or_copy(source: str, target: str) -> None:
    """Give a stored file, which never changes, a second name in the same file system; nothing when it has it."""
    fs, source_path = locate(source)
    target_path = locate(target)[1]
    if not isinstance(fs, LocalFileSystem):
        fs.cp_file(source_path, target_path)
        return
    with suppress(FileExistsError):
        os.link(source_path, target_path)


@plain_errors()
def sync_folder(url: str) -> None:
    """Make the names in a local folder durable; nothing to do elsewhere."""
    fs, path = locate(url)
    if isinstance(fs, LocalFileSystem):
        disk.sync_folder(Path(path))


@plain_errors()
def make_folder(url: str, above: bool = True) -> None:
    """Make a folder, and without `above` only where the one above it is there; an object store has none, and would be asked for a bucket."""
    fs, path = locate(url)
    if not isinstance(fs, LocalFileSystem):
        if not is_object_store(fs):
            fs.makedirs(path, exist_ok=True)
    elif not os.path.isdir(path):
        (disk.make_folders if above else disk.make_folder)(Path(path))


@plain_errors()
def remove(url: str) -> None:
    """Remove a file or a whole folder; nothing when there is none."""
    fs, path = locate(url)
    if isinstance(fs, LocalFileSystem):
        disk.remove(Path(path))
        return
    with suppress(FileNotFoundError):
        fs.rm(literal(path), recursive=True)


@plain_errors()
def link_folder(link: str, target: str, scratch: str) -> None:
    """On a local disk, point a symbolic link at a folder beside it, atomically; `scratch` as for `create`."""
    disk.link(Path(link), target, Path(scratch))


def link_target(link: str) -> str | None:
    """Where a symbolic link of a local disk points; None when it is none."""
    return os.readlink(link) if os.path.islink(link) else None


@contextmanager
def open_synced(url: str) -> Iterator[HashingFile]:
    """A new file for writing whose content is on the disk, and digested, when the block ends without an error.

    When it ends with one, an object store keeps nothing.
    """
    fs, path = locate(url)
    with plain_errors():
        file = disk.open_new(Path(path)) if (local := isinstance(fs, LocalFileSystem)) else fs.open(path, "wb")
        try:
            yield HashingFile(file)
            file.flush()
            if local:
                os.fsync(file.fileno())
            file.close()
        except BaseException:
            discard(file)
            raise


@retried
@plain_errors()
def sha256_of(url: str) -> str:
    """Digest of a file's content, read in pieces."""
    digest = hashlib.sha256()
    with _open(url) as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def _open(url: str, **options: str) -> Any:
    fs, path = locate(url)
    file = fs.open(path, "rb", **options)
    return file if isinstance(fs, LocalFileSystem) else Reader(file)


def _matches(fs: Any, path: str) -> list[dict[str, Any]]:
    kind = _kind(fs, path)
    if kind == "file":
        return [fs.info(path)]
    found: dict[str, dict[str, Any]] = {}
    if kind == "directory":  # listed and not globbed: its own name may hold a bracket
        found = {info["name"]: info for info in fs.ls(path, detail=True) if info["name"].rstrip("/") != path.rstrip("/")}
    elif _GLOB.intersection(path):
        with suppress(FileNotFoundError):  # no such bucket
            found = fs.glob(path, detail=True)
    return [info for _, info in sorted(found.items())]


def _is_left_out(name: str) -> bool:
    return name.startswith((".", "_")) or name.endswith(".crc")


def _folders_of(taken: list[InputFile]) -> set[str]:
    """The folders that hold these files, and those above them."""
    folders = {file.url.rpartition("/")[0] for file in taken}
    return folders | {folder[:end] for folder in folders for end, letter in enumerate(folder) if letter == "/"}


def _is_file(fs: Any, info: dict[str, Any]) -> bool:
    return os.path.isfile(info["name"]) if isinstance(fs, LocalFileSystem) else bool(info["type"] == "file")


def _kind(fs: Any, path: str) -> str | None:
    """`file`, `directory`, or None. Asked for its reason: `isfile` and `isdir` take a refusal for an absence."""
    if isinstance(fs, LocalFileSystem):
        return "file" if os.path.isfile(path) else "directory" if os.path.isdir(path) else None
    try:
        kind: str = fs.info(path)["type"]
    except FileNotFoundError:
        return None
    return kind


def _version(fs: Any, info: dict[str, Any]) -> str:
    """What tells one content from another: on a local disk size, time and inode; elsewhere the best that the store knows."""
    if isinstance(fs, LocalFileSystem):
        stat = os.stat(info["name"])
        return f"size={stat.st_size},mtime_ns={stat.st_mtime_ns},ino={stat.st_ino}"
    if not is_object_store(fs):
        info = fs.info(info["name"])  # its listing may know less, or of a coarser time
    best = next((f"{key}={_plain(info[key])}" for key in _VERSION_KEYS if info.get(key) is not None), "")
    return f"size={info['size']},{best}"


def _plain(value: Any) -> str:
    return str(value.timestamp() if hasattr(value, "timestamp") else value).strip('"')


def _scratch(path: str, scratch: str | None) -> Path:
    if scratch is not None:
        return Path(locate(scratch)[1])
    disk.make_folders(Path(path).parent)
    return Path(path).parent
