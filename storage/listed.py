"""What a file system tells of its files, and what there is under a pattern."""

from dataclasses import dataclass, field
from typing import Any, TypeAlias

# What a file system of fsspec tells of a file.
Info: TypeAlias = dict[str, Any]


@dataclass
class Listing:
    """What there is under a pattern; paths are those of the file system.

    Attributes:
        root: the folder in which the pattern begins.
        taken: what the file system says of each file that is read.
        left_out: paths that rules left out.
        names: what each folder that was looked into holds.
    """

    root: str
    taken: list[Info] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    names: dict[str, list[str]] = field(default_factory=dict)
