"""What is known of a file below a declared root."""

from typing import NamedTuple


class RootedFile(NamedTuple):
    """A file as it was when it was looked at.

    Attributes:
        name: below the root.
        bytes: its size.
        version: changes when the file does.
    """

    name: str
    bytes: int
    version: str
