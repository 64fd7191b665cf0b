"""An input file as it is at a moment: its name, its size, and a version that changes when it does.

Which files a path stands for is told in `input_listing.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
import hashlib
import os
from typing import Any

from fsspec.implementations.local import LocalFileSystem

from storage.client_errors import plain_errors
from storage.listed import Info
from storage.object_stores import is_object_store, locate
from storage.retries import retried

# What the version of a folder of files begins with.
_FILES_VERSION = "files="
_VERSION_DIGITS = 32
# What the version of a file ends with that a table's log says how to read.
_READING = ",read_as="
# What stores know a content by, the best first: Google's number, S3's digest, then times.
_VERSION_KEYS = ("generation", "ETag", "etag", "md5Hash", "mtime", "LastModified", "created")


@dataclass(frozen=True, order=True)
class InputFile:
    """An input file as it is at the moment of listing.

    Attributes:
        version: changes when the file does.
        identity: the same for every name of one file.
        members: of a folder that is read as one table, its files.
    """

    url: str
    bytes: int
    version: str
    identity: str = field(default="", compare=False)
    members: "tuple[InputFile, ...]" = field(default=(), compare=False)


def make_folder(url: str, members: Sequence[InputFile]) -> InputFile:
    """Return a folder that is read as one table, whose version is that of all its files.

    Args:
        url: the folder.
        members: its files, in order.
    """
    digest = hashlib.sha256()
    for file in members:
        digest.update(f"{file.url}\n{file.version}\n".encode(errors="surrogatepass"))
    size_bytes = sum(file.bytes for file in members)
    version = f"{_FILES_VERSION}{digest.hexdigest()[:_VERSION_DIGITS]}"
    return InputFile(url, size_bytes, version, identity=url, members=tuple(members))


def is_folder_version(version: str) -> bool:
    """Tell whether a version is that of a folder's files, each of which has one of its own.

    >>> is_folder_version("files=0123456789abcdef"), is_folder_version("size=1,mtime_ns=2")
    (True, False)
    """
    return version.startswith(_FILES_VERSION)


def with_reading(version: str, digest: str) -> str:
    """Return the version of a file and of what else decides its rows.

    Args:
        version: the file's own.
        digest: of what a table's log says of it.
    """
    return f"{version}{_READING}{digest}"


def without_reading(version: str) -> str:
    """Return a file's own version.

    >>> without_reading("size=1,mtime_ns=2,read_as=0123456789abcdef")
    'size=1,mtime_ns=2'
    """
    own, _, _ = version.partition(_READING)
    return own


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
        return _describe_version(fs, info)
    except FileNotFoundError:
        return None


def is_version_of(current: str, recorded: str) -> bool:
    """Tell whether a file is what it was, as far as it was recorded.

    Older versions of this program recorded less of a local file.

    Args:
        current: its version now.
        recorded: its version then.

    >>> is_version_of("size=1,mtime_ns=2,ctime_ns=3,ino=4", "size=1,mtime_ns=2,ino=4")
    True
    >>> is_version_of("size=1,mtime_ns=2,ctime_ns=3,ino=4", "size=1,mtime_ns=2,ctime_ns=2,ino=4")
    False
    """
    own = without_reading(recorded)
    then = set(own.split(","))
    now = set(current.split(","))
    return then <= now


def describe_file(fs: Any, info: Info) -> InputFile:
    """Return a file as it is now.

    Args:
        fs: its file system.
        info: what a listing of that says of it.
    """
    url = get_url(fs, info["name"])
    # A web server's listing tells no sizes.
    if info["size"] is None:
        info = fs.info(info["name"])
    version = _describe_version(fs, info)
    size_bytes = int(info["size"])
    identity = _identify(fs, url)
    return InputFile(url, size_bytes, version, identity)


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


def _identify(fs: Any, url: str) -> str:
    # A store has no links: a key is the object.
    if not isinstance(fs, LocalFileSystem):
        return url
    stat = os.stat(url)
    # Some file systems number no files.
    if stat.st_ino:
        disk = stat.st_dev
        number = stat.st_ino
        return f"{disk}:{number}"
    return url


def _describe_version(fs: Any, info: Info) -> str:
    """Return what tells one content from another, as far as its place knows."""
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
