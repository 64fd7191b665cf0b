"""An input file as it is at a moment: its name, its size, and a version that changes when it does.

Values alone: who looks at a file is `inputs.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
import hashlib
from typing import Any

# What the version of a folder of files begins with.
_FILES_VERSION = "files="
_VERSION_DIGITS = 32
# What the version of a file ends with that a table's log says how to read.
_READING = ",read_as="


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
        digest.update(line.encode(errors="surrogatepass"))
    size_bytes = sum(file.bytes for file in members)
    digits = digest.hexdigest()[:_VERSION_DIGITS]
    version = f"{_FILES_VERSION}{digits}"
    return InputFile(url, size_bytes, version, identity=url, members=tuple(members))


def find_name(folder: InputFile, member: InputFile) -> str:
    """Return the path of a file below its folder.

    Args:
        folder: as `make_folder` gives it.
        member: one of its files.
    """
    above = folder.url.rstrip("/") + "/"
    return member.url.removeprefix(above)


def is_folder_version(version: str) -> bool:
    """Tell whether a version is that of a folder's files, each of which has one of its own.

    >>> is_folder_version("files=0123456789abcdef"), is_folder_version("size=1,mtime_ns=2")
    (True, False)
    """
    return version.startswith(_FILES_VERSION)


def find_size(version: str) -> int | None:
    """Return the size that a file's version tells; None where it tells none.

    >>> find_size("size=12,mtime_ns=2"), find_size("files=0123456789abcdef"), find_size("v")
    (12, None, None)
    """
    first, _, _ = version.partition(",")
    name, _, number = first.partition("=")
    if name != "size" or not number.isdecimal():
        return None
    return int(number)


def with_reading(version: str, digest: str) -> str:
    """Return the version of a file and of what else decides its rows.

    Args:
        version: the file's own.
        digest: of what a table's log says of it.
    """
    return f"{version}{_READING}{digest}"


def without_reading(version: str) -> str:
    """Return a file's own version.

    >>> without_reading("size=1,mtime_ns=2,read_as=0123456789abcdef")
    'size=1,mtime_ns=2'
    """
    own, _, _ = version.partition(_READING)
    return own


def is_version_of(current: str, recorded: str) -> bool:
    """Tell whether a file is what it was, as far as it was recorded.

    Older versions of this program recorded less of a local file.

    Args:
        current: its version now.
        recorded: its version then.

    >>> is_version_of("size=1,mtime_ns=2,ctime_ns=3,ino=4", "size=1,mtime_ns=2,ino=4")
    True
    >>> is_version_of("size=1,mtime_ns=2,ctime_ns=3,ino=4", "size=1,mtime_ns=2,ctime_ns=2,ino=4")
    False
    """
    own = without_reading(recorded)
    recorded_parts = set(own.split(","))
    parts_now = set(current.split(","))
    return recorded_parts <= parts_now
