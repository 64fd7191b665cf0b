"""What is read of the files that a column names; who reads them is `contents.py`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Load:
    """A column of contents.

    Attributes:
        into: its name.
        root: the folder below which the files are, an absolute path or URL.
        max_bytes: a larger file costs its row.
        column: the column that names the files.
    """

    into: str
    root: str
    max_bytes: int
    column: str
