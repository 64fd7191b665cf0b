"""What is different about object stores: one conditional put, no folders, and clients with error classes of their own.

S3 and Google Cloud Storage answer a read, a put and a copy by name with what was written last, at once; only listings may lag. So
nothing that a promise rests on is ever found by listing.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
import glob
import traceback
from typing import Any

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem
from fsspec.spec import AbstractBufferedFile

_OBJECT_STORES = frozenset({"s3", "s3a", "gs", "gcs"})
_PUBLISHABLE = _OBJECT_STORES | {"file", "local", "memory"}
# What these packages raise is often no OSError, though it tells of one: no connection, no credentials, a request that was refused.
CLIENTS = frozenset({"aiobotocore", "aiohttp", "botocore", "gcsfs", "google", "requests", "s3fs"})
_CONFLICTS = 5
_ONE_REQUEST_BYTES = 5 << 30


def locate(url: str) -> tuple[Any, str]:
    """File system and path of a URL. Listings are not kept: an answer is about now, and threads cannot hand each other an old one."""
    if "://" not in url:  # a path, whatever fsspec would read into a name with `::`
        local = LocalFileSystem(use_listings_cache=False)
        return local, local._strip_protocol(url)
    return url_to_fs(url, use_listings_cache=False)


def is_object_store(fs: Any) -> bool:
    """Whether names there are flat keys, and a put is atomic and may be conditional."""
    return not _OBJECT_STORES.isdisjoint([fs.protocol] if isinstance(fs.protocol, str) else fs.protocol)


def can_publish_to(url: str) -> bool:
    """Whether a file can be created there only if it is absent, which every promise of a run rests on.

    >>> [can_publish_to(url) for url in ("scores", "s3://bucket/scores", "sftp://host/scores", "zip://scores::s3://bucket/a.zip")]
    [True, True, False, False]
    """
    protocol, separator, _ = url.partition("://")
    return not separator or ("::" not in url and protocol in _PUBLISHABLE)


@contextmanager
def plain_errors() -> Iterator[None]:
    """Raise what a store's client raises as an OSError whose `strerror` is one line."""
    try:
        yield
    except OSError as error:
        if error.strerror is None:
            error.strerror = _one_line(error)
        raise
    except Exception as error:
        if not _is_of_a_client(error):
            raise
        plain = OSError(_one_line(error))
        plain.strerror = str(plain)
        raise plain from error


def put_if_absent(fs: Any, path: str, content: bytes) -> bool:
    """The store's conditional put, in one request whatever the size; True when `content` stands there afterwards.

    A client asks again when an answer is lost, and is then told that the object exists: the object itself says whose it is.
    """
    for attempt in range(_CONFLICTS):
        try:
            fs.pipe_file(path, content, mode="create", **_in_one_request(fs, content))
            return True
        except FileNotFoundError as error:
            raise FileNotFoundError(f"there is no bucket {path.partition('/')[0]}, or none that may be seen") from error
        except OSError as error:
            status = _http_status(error)
            if status == 409 and attempt + 1 < _CONFLICTS:  # S3: another conditional put of this name is under way
                continue
            if status != 412 and not isinstance(error, FileExistsError):
                raise
            return _stands(fs, path, content)
    raise AssertionError("the last attempt returns or raises")


def discard(file: Any) -> None:
    """Let go of a file that is being written; a store keeps nothing of it, where closing it would finish the upload."""
    if not isinstance(file, AbstractBufferedFile):
        file.close()
        return
    file.closed = True  # its finaliser would close it, too
    with suppress(OSError), plain_errors():
        file.discard()


def literal(path: str) -> str:
    """A store's path for operations of fsspec that take a pattern where nobody asked for one."""
    return glob.escape(path)


class Reader:
    """A store's file open for reading, with plain errors; enough of a file for pyarrow."""

    def __init__(self, file: Any) -> None:
        self._file = file

    @plain_errors()
    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes from the current position."""
        content: bytes = self._file.read(size)
        return content

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()


def _in_one_request(fs: Any, content: bytes) -> dict[str, int]:
    return {"chunksize": min(len(content) + 1, _ONE_REQUEST_BYTES)} if is_object_store(fs) else {}


def _http_status(error: BaseException) -> int | None:
    """What an S3 server answered: not every server words its 412 as s3fs expects it."""
    response = getattr(error.__cause__, "response", None)
    return response.get("ResponseMetadata", {}).get("HTTPStatusCode") if isinstance(response, dict) else None


def _stands(fs: Any, path: str, content: bytes) -> bool:
    try:
        return bool(fs.cat_file(path) == content)
    except FileNotFoundError:
        return False


def _is_of_a_client(error: Exception) -> bool:
    frames = (frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(error.__traceback__))
    return any(name.partition(".")[0] in CLIENTS for name in (type(error).__module__, *frames))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
