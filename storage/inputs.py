"""Look at an input file: what it is now, as an `InputFile`.

Which files a path stands for is told in `input_listing.py`.
"""

import os
from typing import Any, NamedTuple

from fsspec.implementations.local import LocalFileSystem

from storage import disk
from storage.client_errors import plain_errors
from storage.fsspec_private import get_gcs_object, get_s3_object
from storage.input_file import InputFile
from storage.listed import Info
from storage.object_stores import GCS, S3, is_object_store, list_protocols, locate
from storage.retries import retried

# What stores know a content by, the best first: Google's number, S3's digest, then times.
_VERSION_KEYS = ("generation", "ETag", "etag", "md5Hash", "mtime", "LastModified", "created")


class WholeFile(NamedTuple):
    """The content of a file, and the version of which it is all; see `InputFile`."""

    content: bytes
    version: str


@retried
@plain_errors()
def describe_url(url: str) -> InputFile:
    """Return a file as it is now.

    Raises:
        OSError: there is none, or it cannot be looked at.
    """
    fs, path = locate(url)
    return describe_file(fs, fs.info(path))


@retried
@plain_errors()
def read_version(url: str) -> str | None:
    """Return the file's version as `describe_file` would give it now; None when it is gone."""
    fs, path = locate(url)
    # Of a disk the name is enough.
    info = {"name": path}
    try:
        if not isinstance(fs, LocalFileSystem):
            info = fs.info(path)
        return describe_version(fs, info)
    except FileNotFoundError:
        return None


@retried
@plain_errors()
def read_whole(url: str, size_bytes: int) -> WholeFile | None:
    """Read a file at once; None where its place does not say which version it gives.

    Args:
        url: the file.
        size_bytes: what it had, at least 1; of a larger one no more is read, and its version is
            another one.

    Raises:
        OSError: there is no such file, or it cannot be read.
    """
    fs, path = locate(url)
    if isinstance(fs, LocalFileSystem):
        return _read_local(path, size_bytes)
    protocols = list_protocols(fs)
    if not S3.isdisjoint(protocols):
        got = get_s3_object(fs, path, size_bytes)
    elif not GCS.isdisjoint(protocols):
        got = get_gcs_object(fs, path, size_bytes)
    else:
        return None
    # A server that leaves it out does not tell one content from another.
    if not all(got.version.values()):
        return None
    info = {"name": path, "size": len(got.content), **got.version}
    return WholeFile(got.content, describe_version(fs, info))


def describe_file(fs: Any, info: Info) -> InputFile:
    """Return a file as it is now.

    Args:
        fs: its file system.
        info: what a listing of that says of it.
    """
    url = get_url(fs, info["name"])
    if isinstance(fs, LocalFileSystem):
        return _describe_local(url)
    # A web server's listing tells no sizes.
    if info["size"] is None:
        info = fs.info(info["name"])
    version = describe_version(fs, info)
    size_bytes = int(info["size"])
    # A store has no links: a key is the object.
    return InputFile(url, size_bytes, version, identity=url)


def get_url(fs: Any, path: str) -> str:
    """Return the name by which a job knows a file.

    Args:
        fs: its file system.
        path: its path there.
    """
    # A local path stays one, without `file://`.
    if isinstance(fs, LocalFileSystem):
        return path
    url: str = fs.unstrip_protocol(path)
    return url


def describe_stat(stat: Any) -> str:
    """Return the version of a local file, of what `os.stat` says of it."""
    # The time of the last change of any kind, which no program sets back, as many set back the
    # other one.
    times = f"mtime_ns={stat.st_mtime_ns},ctime_ns={stat.st_ctime_ns}"
    return f"size={stat.st_size},{times},ino={stat.st_ino}"


def _read_local(path: str, size_bytes: int) -> WholeFile:
    # All of it in one call of the system, as a rule, which a buffer would only copy.
    with open(path, "rb", buffering=0) as file:
        content = disk.read_up_to(file, size_bytes)
        # Behind the reading: what was written into on the way has another time than was planned.
        status = os.fstat(file.fileno())
    return WholeFile(content, describe_stat(status))


def _describe_local(path: str) -> InputFile:
    # Once for all of it: of a hundred thousand small files each look counts.
    stat = os.stat(path)
    identity = path
    # Some file systems number no files.
    if stat.st_ino:
        identity = f"{stat.st_dev}:{stat.st_ino}"
    return InputFile(path, stat.st_size, describe_stat(stat), identity)


def describe_version(fs: Any, info: Info) -> str:
    """Return what tells one content from another, as far as its place knows.

    Args:
        fs: the file system.
        info: what it says of the file; of a disk the name is enough.
    """
    if isinstance(fs, LocalFileSystem):
        return describe_stat(os.stat(info["name"]))
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
