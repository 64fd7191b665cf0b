"""What a file system tells of its files, and of what is in a folder."""

from collections.abc import Iterator
from typing import Any, NamedTuple, TypeAlias

# What a file system of fsspec tells of a file.
Info: TypeAlias = dict[str, Any]


class Entries(NamedTuple):
    """What is in a folder, sorted by name.

    Attributes:
        names: of all entries.
        infos: what the file system says of each, in this order; to be gone through once, as of a
            million entries nobody can keep it.
    """

    names: list[str]
    infos: Iterator[Info]
