"""The files that a path, a folder or a glob stands for, each as it is at that moment."""

from contextlib import suppress
from dataclasses import dataclass
import os
from typing import Any

from fsspec.implementations.local import LocalFileSystem

from storage.client_errors import plain_errors
from storage.object_stores import is_object_store, locate
from storage.retries import retried

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
    taken, ignored = [], []
    for info in _list_matches(fs, path):
        name = info["name"]
        url = name if isinstance(fs, LocalFileSystem) else fs.unstrip_protocol(name)
        if _is_left_out(url) or not _is_file(fs, info):
            ignored.append(url)
        else:
            taken.append(InputFile(url, int(info["size"]), _describe_version(fs, info)))
    return taken, sorted(set(ignored) - _list_folders(taken))


@retried
@plain_errors()
def read_version(url: str) -> str | None:
    """Return the file's version as `list_inputs` would give it now; None when it is gone."""
    fs, path = locate(url)
    try:
        info = {"name": path} if isinstance(fs, LocalFileSystem) else fs.info(path)
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
        found = {info["name"]: info for info in fs.ls(path, detail=True)}
        # A store may keep an object of the folder's own name.
        for name in list(found):
            if name.rstrip("/") == path.rstrip("/"):
                del found[name]
    elif _GLOB.intersection(path):
        # No such bucket.
        with suppress(FileNotFoundError):
            found = fs.glob(path, detail=True)
    return [info for _, info in sorted(found.items())]


def _is_left_out(url: str) -> bool:
    name = url.rstrip("/").rsplit("/", 1)[-1]
    # Spark and Hadoop leave `_SUCCESS` and `.part-0.parquet.crc` beside their files.
    return name.startswith((".", "_")) or name.endswith(".crc")


def _list_folders(taken: list[InputFile]) -> set[str]:
    """Return the folders that hold these files, and those above them."""
    folders = {file.url.rpartition("/")[0] for file in taken}
    above: set[str] = set()
    for folder in folders:
        above.update(folder[:end] for end, letter in enumerate(folder) if letter == "/")
    return folders | above


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
        return "directory" if os.path.isdir(path) else None
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
    known = [key for key in _VERSION_KEYS if info.get(key) is not None]
    best = f"{known[0]}={_to_text(info[known[0]])}" if known else ""
    return f"size={info['size']},{best}"


def _to_text(value: Any) -> str:
    # Clients give times as objects that print with or without a zone, from version to version.
    if hasattr(value, "timestamp"):
        value = value.timestamp()
    return str(value).strip('"')
