"""An input file as it is at a moment: its name, its size, and a version that changes when it does.

Values alone: who looks at a file is `inputs.py`, and what a version says `input_version.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
import hashlib
from typing import Any

from storage.input_version import make_folder_version


# Slots, because a plan holds as many of them as there are shards.
@dataclass(frozen=True, order=True, slots=True)
class InputFile:
    """An input file as it is at the moment of listing.

    Attributes:
        version: changes when the file does.
        identity: the same for every name of one file.
        members: of a folder that is read as one table, its files.
    """

    url: str
    bytes: int
    version: str
    identity: str = field(default="", compare=False)
    members: "tuple[InputFile, ...]" = field(default=(), compare=False)

    # Many are packed, for which the way of dataclasses takes three times as long.
    def __reduce__(self) -> Any:
        values = (self.url, self.bytes, self.version, self.identity, self.members)
        return InputFile, values


def make_folder(url: str, members: Sequence[InputFile]) -> InputFile:
    """Return a folder that is read as one table, whose version is that of all its files.

    Args:
        url: the folder.
        members: its files, in order.
    """
    digest = hashlib.sha256()
    for file in members:
        line = f"{file.url}\n{file.version}\n"
        # A name may hold bytes that are no UTF-8.
        stored = line.encode(errors="surrogatepass")
        digest.update(stored)
    size_bytes = sum(file.bytes for file in members)
    return InputFile(
        url,
        size_bytes,
        make_folder_version(digest.hexdigest()),
        identity=url,
        members=tuple(members),
    )


def find_name(folder: InputFile, member: InputFile) -> str:
    """Return the path of a file below its folder.

    Args:
        folder: as `make_folder` gives it.
        member: one of its files.
    """
    above = folder.url.rstrip("/") + "/"
    return member.url.removeprefix(above)
