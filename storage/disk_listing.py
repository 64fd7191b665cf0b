"""What is in a folder of a disk: names and kinds alone, which the folder itself tells.

fsspec looks at each file for a listing, and keeps a kilobyte of each; whoever reads a file looks at it
anyway, once, see `inputs.describe_file`.
"""

from collections.abc import Iterator, Sequence
import os
from os import DirEntry

from storage.listed import Entries, Info

# By their numbers, as there may be a million entries.
_KINDS = ("file", "directory", "other")
_FILE, _FOLDER, _OTHER = range(3)
# Added to the number of a kind.
_LINK = 4


def list_disk_folder(path: str) -> Entries:
    """Return what is in a folder, with the keys of fsspec's that a listing needs.

    Raises:
        OSError: there is no such folder, or it cannot be listed.
    """
    with os.scandir(path) as entries:
        numbers = {entry.name: _number_kind(entry) for entry in entries}
    names = sorted(numbers)
    kinds = bytes(numbers[name] for name in names)
    return Entries(names, _describe(path, names, kinds))


def _number_kind(entry: DirEntry[str]) -> int:
    number = _OTHER
    # Links are told as such, and followed by whoever wants to know where they lead.
    if entry.is_dir(follow_symlinks=False):
        number = _FOLDER
    elif entry.is_file(follow_symlinks=False):
        number = _FILE
    if entry.is_symlink():
        number += _LINK
    return number


def _describe(folder: str, names: Sequence[str], kinds: bytes) -> Iterator[Info]:
    above = os.path.join(folder, "")
    for name, number in zip(names, kinds, strict=True):
        is_link = number >= _LINK
        kind = _KINDS[number % _LINK]
        yield {"name": above + name, "type": kind, "islink": is_link}
