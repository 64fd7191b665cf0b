"""What is in a folder of a disk: names and kinds alone, which the folder itself tells.

fsspec looks at each file for a listing, and keeps a kilobyte of each; whoever reads a file looks at it
anyway, once, see `inputs.describe_file`.
"""

import os
from os import DirEntry

from storage.listed import Info


def list_disk_folder(path: str) -> list[Info]:
    """Return what is in a folder, in no order, with the keys of fsspec's that a listing needs.

    Raises:
        OSError: there is no such folder, or it cannot be listed.
    """
    with os.scandir(path) as entries:
        return [_describe(entry) for entry in entries]


def _describe(entry: DirEntry[str]) -> Info:
    kind = "other"
    # Links are told as such, and followed by whoever wants to know where they lead.
    if entry.is_dir(follow_symlinks=False):
        kind = "directory"
    elif entry.is_file(follow_symlinks=False):
        kind = "file"
    return {"name": entry.path, "type": kind, "islink": entry.is_symlink()}
