"""What is in a folder of S3, page by page, of which s3fs gives only all at once."""

from typing import Any

from fsspec.asyn import sync

from storage.listed import Info
from storage.packed import Packing

# What a listing says of an object, as far as anybody asks.
_LISTED = ("name", "type", "size", "ETag", "LastModified")


def list_s3_folder(fs: Any, path: str) -> Packing[Info]:
    """Return what is in a folder of S3, in the order of its pages, packed page by page.

    s3fs's public way to it holds a kilobyte of each object until all are listed. If `_iterdir` goes,
    inputs there are refused with an AttributeError, at once.

    Args:
        fs, path: a file system of `s3fs`, and the folder's path, with its bucket.
    """
    bucket, key, _ = fs.split_path(path)
    prefix = f"{key}/" if key else ""

    async def gather() -> Packing[Info]:
        infos: Packing[Info] = Packing()
        async for info in fs._iterdir(bucket, prefix=prefix):
            infos.append({name: info[name] for name in _LISTED if name in info})
        return infos

    listed: Packing[Info] = sync(fs.loop, gather)
    return listed
