"""What a plan knows of the files that rows name."""

from collections.abc import Sequence
from dataclasses import dataclass

from transforms.batches import WorkUnit
from transforms.formats.format import Format


@dataclass(frozen=True)
class ListedFiles:
    """The files that rows name.

    Attributes:
        format: the reader, with the list of them.
        units: with a digest of their files each.
        content: the list as it is stored; nothing where rows name no files.
        count, size_bytes: how many there are, and their size.
    """

    format: Format
    units: Sequence[WorkUnit]
    content: bytes = b""
    count: int = 0
    size_bytes: int = 0
