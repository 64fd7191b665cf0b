"""What is different about object stores.

One conditional put, and no folders. S3 and Google Cloud Storage answer a read, a put and a copy by
name with what was written last, at once; only listings may lag. So nothing that a promise rests on
is ever found by listing.
"""

from contextlib import suppress
from functools import cache
import glob
import re
from typing import Any, NamedTuple

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem
from fsspec.spec import AbstractBufferedFile

from configs.errors import JobError
from storage.client_errors import plain_errors
from storage.fsspec_private import to_local_path

S3 = frozenset({"s3", "s3a"})
GCS = frozenset({"gs", "gcs"})
_OBJECT_STORES = S3 | GCS
_PUBLISHABLE = _OBJECT_STORES | {"file", "local", "memory"}
# `user@`, or `key:secret@` with a secret that may hold slashes but is no port.
_USER = re.compile(r"://(?:[^/]*@|[^/:@]*:(?!\d{1,5}/)[^@]*@)")
# A conflict lasts as long as another request for the same name; five in a row are somebody's
# mistake.
_CONFLICTS = 5
# The largest object that S3 takes in one request.
_ONE_REQUEST_BYTES = 5 << 30
# What HTTP calls them; S3 gives the first for a conditional put beside another one of the same
# name.
_CONFLICT = 409
_PRECONDITION_FAILED = 412


class Location(NamedTuple):
    """Where a URL leads: a file system of fsspec, and a path there."""

    fs: Any
    path: str


def locate(url: str) -> Location:
    """Return file system and path of a URL.

    Listings are not kept: an answer is about now, and threads cannot hand each other an old one.

    Raises:
        JobError: the URL holds a user; a client takes it for a bucket's name, and quotes it.
    """
    # A path, whatever fsspec would read into a name with `::`.
    if "://" not in url:
        local = _get_local()
        return Location(local, to_local_path(local, url))
    if _USER.search(url):
        scheme, _, _ = url.partition("://")
        raise JobError(
            f"{scheme}://***: must hold no credentials; put them where the store's own library "
            "looks for them"
        )
    fs, path = url_to_fs(url, use_listings_cache=False)
    return Location(fs, path)


# Once: to find the one that it has made takes fsspec longer than a disk takes to look at a file.
@cache
def _get_local() -> LocalFileSystem:
    return LocalFileSystem(use_listings_cache=False)


def is_object_store(fs: Any) -> bool:
    """Tell whether names there are flat keys, and a put is atomic and may be conditional."""
    return not _OBJECT_STORES.isdisjoint(list_protocols(fs))


def is_s3(fs: Any) -> bool:
    """Tell whether a file system is that of S3's client."""
    return not S3.isdisjoint(list_protocols(fs))


def list_protocols(fs: Any) -> list[str]:
    """Return the names that a file system has in URLs."""
    protocols = fs.protocol
    # It has one name, or several.
    if isinstance(protocols, str):
        return [protocols]
    return list(protocols)


def whole_in_one_request(fs: Any) -> dict[str, int]:
    """Return the options with which an object is read without being asked for its size before.

    s3fs asks for it to fetch large objects in parts; what is read whole here is small.
    """
    if not is_s3(fs):
        return {}
    return {"max_concurrency": 1}


def can_publish_to(url: str) -> bool:
    """Tell whether a file can be created there only if it is absent: every promise rests on that.

    >>> urls = ("scores", "s3://bucket/scores", "sftp://host/scores", "zip://x::s3://bucket/a.zip")
    >>> [can_publish_to(url) for url in urls]
    [True, True, False, False]
    """
    protocol, separator, _ = url.partition("://")
    if not separator:
        return True
    is_chain = "::" in url
    return not is_chain and protocol in _PUBLISHABLE


def put_if_absent(fs: Any, path: str, content: bytes) -> bool:
    """Put an object where there is none, in one request whatever the size.

    A client asks again when an answer is lost, and is then told that the object exists: the object
    itself says whose it is.

    Args:
        fs, path: as `locate` gives them.
        content: all of the object.

    Returns:
        Whether `content` stands there afterwards.
    """
    options = _in_one_request(fs, content)
    for attempt in range(_CONFLICTS):
        try:
            fs.pipe_file(path, content, mode="create", **options)
            return True
        except FileNotFoundError as error:
            bucket = path.partition("/")[0]
            raise FileNotFoundError(
                f"there is no bucket {bucket}, or none that may be seen"
            ) from error
        except OSError as error:
            status = _find_http_status(error)
            is_last = attempt + 1 == _CONFLICTS
            if status == _CONFLICT and not is_last:
                continue
            is_taken = status == _PRECONDITION_FAILED or isinstance(error, FileExistsError)
            if not is_taken:
                raise
            return _holds(fs, path, content)
    raise AssertionError("the last attempt returns or raises")


def is_unmet_condition(error: OSError) -> bool:
    """Tell whether a store refused a put because its condition was not met, or not by then.

    The second where another put of the same name was under way.
    """
    is_refusal = _find_http_status(error) in (_CONFLICT, _PRECONDITION_FAILED)
    return is_refusal or isinstance(error, FileExistsError)


def discard(file: Any) -> None:
    """Let go of a file that is being written, without finishing it.

    A store keeps nothing of it, where closing it would finish the upload.
    """
    if not isinstance(file, AbstractBufferedFile):
        file.close()
        return
    # Its finaliser would close it, too.
    file.closed = True
    with suppress(OSError), plain_errors():
        file.discard()


def escape_pattern(path: str) -> str:
    """Return a store's path for operations of fsspec that would take it for a pattern."""
    return glob.escape(path)


class Reader:
    """A store's file open for reading, with plain errors; enough of a file for pyarrow."""

    def __init__(self, file: Any) -> None:
        self._file = file

    @plain_errors()
    def read(self, size: int = -1) -> bytes:
        """Return at most `size` bytes from the current position."""
        content: bytes = self._file.read(size)
        return content

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()


def _in_one_request(fs: Any, content: bytes) -> dict[str, int]:
    # A put of several parts is conditional only in its last request, and some servers ignore that.
    if not is_object_store(fs):
        return {}
    # A chunk that is longer than the content.
    chunk_bytes = len(content) + 1
    return {"chunksize": min(chunk_bytes, _ONE_REQUEST_BYTES)}


def _find_http_status(error: BaseException) -> int | None:
    """Return what an S3 server answered: not every server words its 412 as s3fs expects it."""
    response = getattr(error.__cause__, "response", None)
    if not isinstance(response, dict):
        return None
    metadata = response.get("ResponseMetadata", {})
    status: int | None = metadata.get("HTTPStatusCode")
    return status


def _holds(fs: Any, path: str, content: bytes) -> bool:
    try:
        standing = fs.cat_file(path)
        return bool(standing == content)
    except FileNotFoundError:
        return False
