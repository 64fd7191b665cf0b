"""The files that a path, a folder or a glob stands for, each as it is at that moment."""

from contextlib import suppress
from dataclasses import dataclass
import os
from typing import Any

from fsspec.implementations.local import LocalFileSystem

from storage.client_errors import plain_errors
from storage.object_stores import is_object_store, locate
from storage.retries import retried

# What makes a pattern of a path.
_GLOB = frozenset("*?[")
# What stores know a content by, the best first: Google's number, S3's digest, then times.
_VERSION_KEYS = ("generation", "ETag", "etag", "md5Hash", "mtime", "LastModified", "created")
Info = dict[str, Any]


@dataclass(frozen=True, order=True)
class InputFile:
    """An input file as it is at the moment of listing.

    Attributes:
        version: changes when the file does.
    """

    url: str
    bytes: int
    version: str


@retried
@plain_errors()
def list_inputs(pattern: str) -> tuple[list[InputFile], list[str]]:
    """Return the files that a path, a folder or a glob stands for, and the URLs that were left out.

    Those are hidden files, markers, checksums, links that lead nowhere, and subfolders of which no
    file is taken.
    """
    fs, path = locate(pattern)
    taken = []
    ignored = set()
    for info in _list_matches(fs, path):
        url = _get_url(fs, info)
        if _is_left_out(url) or not _is_file(fs, info):
            ignored.add(url)
            continue
        version = _describe_version(fs, info)
        taken.append(InputFile(url, int(info["size"]), version))
    # A folder of which a file is taken is not left out.
    left_out = ignored - _list_folders(taken)
    return taken, sorted(left_out)


@retried
@plain_errors()
def read_version(url: str) -> str | None:
    """Return the file's version as `list_inputs` would give it now; None when it is gone."""
    fs, path = locate(url)
    # Of a disk the name is enough.
    info = {"name": path}
    try:
        if not isinstance(fs, LocalFileSystem):
            info = fs.info(path)
        return _describe_version(fs, info)
    except FileNotFoundError:
        return None


def _list_matches(fs: Any, path: str) -> list[Info]:
    kind = _find_kind(fs, path)
    if kind == "file":
        return [fs.info(path)]
    found: dict[str, Info] = {}
    if kind == "directory":
        # Listed and not globbed: its own name may hold a bracket.
        own_name = path.rstrip("/")
        for info in fs.ls(path, detail=True):
            name = info["name"]
            # A store may keep an object of the folder's own name.
            if name.rstrip("/") != own_name:
                found[name] = info
    elif _GLOB.intersection(path):
        # No such bucket.
        with suppress(FileNotFoundError):
            found = fs.glob(path, detail=True)
    return [found[name] for name in sorted(found)]


def _get_url(fs: Any, info: Info) -> str:
    name: str = info["name"]
    # A local path stays one, without `file://`.
    if isinstance(fs, LocalFileSystem):
        return name
    url: str = fs.unstrip_protocol(name)
    return url


def _is_left_out(url: str) -> bool:
    _, _, name = url.rstrip("/").rpartition("/")
    # Spark and Hadoop leave `_SUCCESS` and `.part-0.parquet.crc` beside their files.
    return name.startswith((".", "_")) or name.endswith(".crc")


def _list_folders(taken: list[InputFile]) -> set[str]:
    """Return the folders that hold these files, and those above them."""
    folders: set[str] = set()
    for file in taken:
        folder = file.url
        # Once a folder is known, those above it are.
        while "/" in folder:
            folder, _, _ = folder.rpartition("/")
            if folder in folders:
                break
            folders.add(folder)
    return folders


def _is_file(fs: Any, info: Info) -> bool:
    # What fsspec says of a link is where it leads, even when there is nothing.
    if isinstance(fs, LocalFileSystem):
        return os.path.isfile(info["name"])
    return bool(info["type"] == "file")


def _find_kind(fs: Any, path: str) -> str | None:
    """Return `file`, `directory`, or None."""
    if isinstance(fs, LocalFileSystem):
        if os.path.isfile(path):
            return "file"
        if os.path.isdir(path):
            return "directory"
        return None
    # Not by `isfile` and `isdir` of a store's client: they take a refusal for an absence.
    try:
        kind: str = fs.info(path)["type"]
    except FileNotFoundError:
        return None
    return kind


def _describe_version(fs: Any, info: Info) -> str:
    """Return what tells one content from another, as far as its place knows."""
    if isinstance(fs, LocalFileSystem):
        stat = os.stat(info["name"])
        return f"size={stat.st_size},mtime_ns={stat.st_mtime_ns},ino={stat.st_ino}"
    if not is_object_store(fs):
        # Its listing may know less, or of a coarser time.
        info = fs.info(info["name"])
    best = ""
    for key in _VERSION_KEYS:
        if info.get(key) is not None:
            best = f"{key}={_to_text(info[key])}"
            break
    return f"size={info['size']},{best}"


def _to_text(value: Any) -> str:
    # Clients give times as objects that print with or without a zone, from version to version.
    if hasattr(value, "timestamp"):
        value = value.timestamp()
    return str(value).strip('"')
