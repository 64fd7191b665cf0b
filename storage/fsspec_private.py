"""What fsspec keeps to itself and this program needs: its changes break nothing but this."""

from collections.abc import Mapping
import json
from typing import Any, NamedTuple
from urllib.parse import quote
import uuid

from fsspec.asyn import sync
from fsspec.implementations.local import LocalFileSystem


class StoredObject(NamedTuple):
    """An object of a store, and what its answer says of the version, by the listing's word for it."""

    content: bytes
    version: dict[str, str | None]


def to_local_path(fs: LocalFileSystem, url: str) -> str:
    """Return the absolute path that a local file system takes a path for, `~` and `..` resolved.

    Args:
        fs: the file system.
        url: the path.
    """
    # An absolute path is taken as it is, but for a slash at its end; a run asks for a hundred of them.
    if url.startswith("/") and not url.endswith("/"):
        return url
    # fsspec's public ways to it read a name with `::` as a chain of file systems. If the method
    # goes, every local path fails with an AttributeError, at once.
    path: str = fs._strip_protocol(url)
    return path


def put_if_generation(
    fs: Any,
    path: str,
    content: bytes,
    metadata: Mapping[str, str],
    generation: str,
) -> None:
    """Put an object of Google Cloud Storage if what stands there is of that generation.

    gcsfs's public ways ask for no generation but 0, which is none. If `_location` goes, publishing
    there fails with an AttributeError, and changes nothing.

    Args:
        fs, path: a `gcsfs` file system, and the object's path.
        content: all of the object.
        metadata: fields beside the content.
        generation: what a look at the object gave; "0" where there was none.

    Raises:
        FileExistsError: it is of another generation.
    """
    bucket, key, _ = fs.split_path(path)
    described = json.dumps({"name": key, "metadata": dict(metadata)})
    boundary = uuid.uuid4().hex
    head = (
        f"--{boundary}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n{described}\r\n"
        f"--{boundary}\r\nContent-Type: application/octet-stream\r\n\r\n"
    )
    fs.call(
        "POST",
        f"{fs._location}/upload/storage/v1/b/{quote(bucket)}/o",
        uploadType="multipart",
        ifGenerationMatch=generation,
        headers={"Content-Type": f"multipart/related; boundary={boundary}"},
        data=head.encode() + content + f"\r\n--{boundary}--".encode(),
        json_out=True,
    )


def get_s3_object(fs: Any, path: str, size_bytes: int) -> StoredObject:
    """Return the first bytes of an object of S3 in one request, and the entity tag that came with it.

    s3fs's public ways to a whole object ask for its size before, and drop the tag. If `_call_s3` goes,
    small shards fail with an AttributeError, at once.

    Args:
        fs, path: a file system of `s3fs`, and the object's path.
        size_bytes: how many, at least 1.
    """
    from s3fs.core import _error_wrapper  # type: ignore[import-untyped]

    bucket, key, _ = fs.split_path(path)

    wanted = _format_range(size_bytes)

    async def get() -> StoredObject:
        answer = await fs._call_s3("get_object", Bucket=bucket, Key=key, Range=wanted)
        async with answer["Body"] as body:
            content = await body.read()
        return StoredObject(content, {"ETag": answer.get("ETag")})

    async def get_patiently() -> Any:
        # As s3fs does it: an answer that breaks off is asked for again.
        return await _error_wrapper(get, retries=fs.retries)

    got: StoredObject = sync(fs.loop, get_patiently)
    return got


def get_gcs_object(fs: Any, path: str, size_bytes: int) -> StoredObject:
    """Return the first bytes of an object of Google Cloud Storage in one request, and its generation.

    Args:
        fs, path: a file system of `gcsfs`, and the object's path.
        size_bytes: how many, at least 1.
    """
    wanted = {"Range": _format_range(size_bytes)}
    headers, content = fs.call("GET", fs.url(path), headers=wanted)
    return StoredObject(content, {"generation": headers.get("X-Goog-Generation")})


def _format_range(size_bytes: int) -> str:
    last = size_bytes - 1
    return f"bytes=0-{last}"
