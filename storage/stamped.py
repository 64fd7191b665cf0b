"""A small file that tells when its content was decided, and that is replaced by compare-and-set.

Readers want nothing but the content, so the time stands beside it: on a disk it is the file's time
of modification, on an object store a field of the object's metadata. Where another program wrote
the file, by hand or by a copy, the time is that of the writing.
"""

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
import os
from pathlib import Path
import threading
from typing import Any

from fsspec.implementations.local import LocalFileSystem

from storage import disk
from storage.client_errors import plain_errors
from storage.fsspec_private import put_if_generation
from storage.object_stores import is_object_store, is_unmet_condition, locate
from storage.retries import retried

_STAMP = "decided-at"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_NANOSECONDS = 1000
_S3 = frozenset({"s3", "s3a"})
# Storage without conditions ends with its process (`memory://`), whose threads wait for each other.
_one_at_a_time = threading.Lock()


@dataclass(frozen=True)
class Stamped:
    """A file as it was read.

    Attributes:
        content: all of it.
        decided_at: when its content was decided.
        version: what tells it from any later one; "" on a disk, where a lock does that.
    """

    content: bytes
    decided_at: datetime
    version: str


@retried
@plain_errors()
def read(url: str) -> Stamped | None:
    """Return the file with its time and version, or None when there is none."""
    fs, path = locate(url)
    try:
        if isinstance(fs, LocalFileSystem):
            return _read_from_disk(Path(path))
        # The version first: content that is newer than it is not replaced, but read again.
        decided_at, version = _look_at(fs, path)
        content = fs.cat_file(path)
        return Stamped(content, decided_at, version)
    # A disk says the second where a file stands in the place of a folder.
    except (FileNotFoundError, NotADirectoryError):
        return None


@plain_errors()
def replace(
    url: str,
    content: bytes,
    decided_at: datetime,
    before: Stamped | None,
    scratch: str,
) -> bool:
    """Replace a file if it still is what was read, and tell whether it was replaced. Atomic.

    Args:
        url: the file.
        content: all of it.
        decided_at: when that was decided.
        before: what `read` gave. A disk compares nothing: its callers hold a lock from before they
            read until this returns.
        scratch: folder of a disk where the content is written first.
    """
    fs, path = locate(url)
    if isinstance(fs, LocalFileSystem):
        microseconds = (decided_at - _EPOCH) // _MICROSECOND
        nanoseconds = microseconds * _NANOSECONDS
        _, scratch_path = locate(scratch)
        disk.replace(Path(path), content, Path(scratch_path), nanoseconds)
        return True
    waiting = nullcontext() if is_object_store(fs) else _one_at_a_time
    with waiting:
        return _put_if_unchanged(fs, path, content, decided_at, before)


def _read_from_disk(path: Path) -> Stamped:
    # Both of one file, whatever is put in its place meanwhile.
    with path.open("rb") as file:
        stat = os.fstat(file.fileno())
        microseconds = stat.st_mtime_ns // _NANOSECONDS
        decided_at = _EPOCH + microseconds * _MICROSECOND
        return Stamped(file.read(), decided_at, "")


def _look_at(fs: Any, path: str) -> tuple[datetime, str]:
    """Return time and version of an object."""
    metadata: Mapping[str, str] = {}
    if _is_s3(fs):
        bucket, key, _ = fs.split_path(path)
        found = fs.call_s3("head_object", Bucket=bucket, Key=key)
        written_at = found["LastModified"]
        version = found["ETag"]
        metadata = found["Metadata"]
    elif is_object_store(fs):
        found = fs.info(path)
        written_at = found["mtime"]
        version = found["generation"]
        metadata = found.get("metadata") or {}
    else:
        written_at = fs.modified(path)
        version = fs.created(path)
    stamp = metadata.get(_STAMP)
    decided_at = written_at
    if stamp:
        decided_at = datetime.fromisoformat(stamp)
    return decided_at, str(version)


def _put_if_unchanged(
    fs: Any,
    path: str,
    content: bytes,
    decided_at: datetime,
    before: Stamped | None,
) -> bool:
    metadata = {_STAMP: decided_at.isoformat()}
    try:
        if _is_s3(fs):
            condition = {"IfNoneMatch": "*"}
            if before is not None:
                condition = {"IfMatch": before.version}
            fs.pipe_file(path, content, Metadata=metadata, **condition)
        elif is_object_store(fs):
            generation = "0"
            if before is not None:
                generation = before.version
            put_if_generation(fs, path, content, metadata, generation)
        elif _find_version(fs, path) != (before and before.version):
            return False
        else:
            fs.pipe_file(path, content)
            fs.store[path].modified = decided_at
    except OSError as error:
        if is_unmet_condition(error):
            return False
        raise
    return True


def _find_version(fs: Any, path: str) -> str | None:
    try:
        return _look_at(fs, path)[1]
    except FileNotFoundError:
        return None


def _is_s3(fs: Any) -> bool:
    protocols = fs.protocol
    if isinstance(fs.protocol, str):
        protocols = [fs.protocol]
    return not _S3.isdisjoint(protocols)
