"""What fsspec keeps to itself and this program needs: its changes break nothing but this."""

from collections.abc import Mapping
import json
from typing import Any
from urllib.parse import quote
import uuid

from fsspec.implementations.local import LocalFileSystem


def to_local_path(fs: LocalFileSystem, url: str) -> str:
    """Return the absolute path that a local file system takes a path for, `~` and `..` resolved.

    Args:
        fs: the file system.
        url: the path.
    """
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
