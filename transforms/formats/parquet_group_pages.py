"""The pages of a row group: where they are, which rows they hold, and what is known of their values.

    column chunk | dictionary | page of rows 0 ... 19 999 | page of rows 20 000 ... | ...

An index tells them (`parquet_page_index.py`), or their own heads do (`parquet_part_pages.py`).
"""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from storage.thrift import Struct, Value


class FileVersion(NamedTuple):
    """A file as it is at some time: changed, it has other pages.

    Attributes:
        url: path or URL.
        version: what it looks like, as a unit has it.
    """

    url: str
    version: str


class LeafPages(NamedTuple):
    """Where the pages of a leaf are in a row group.

    Attributes:
        begin: place in the file of its chunk, which a dictionary may begin with.
        places: of each page, and of the end of the last one.
        first_rows: of each page, and how many rows there are.
    """

    begin: int
    places: Sequence[int]
    first_rows: Sequence[int]


class PageValues(NamedTuple):
    """What is known of the values on a page.

    Attributes:
        least, most: as they are stored; None where nobody knows.
        may_be_null, may_be_value: whether a row may have no value there, or have one.
    """

    least: Any
    most: Any
    may_be_null: bool
    may_be_value: bool


@dataclass(frozen=True)
class GroupPages:
    """The pages of a row group.

    Attributes:
        footer: of the file, without its row groups.
        chunks: of all leaves, as the footer has them.
        columns: leaves by the column that they are of, of the columns that are read.
        repeated: leaves of which a row may have several values.
        pages: by leaf, of those columns.
        values: by leaf, of those that a filter asks for.
    """

    footer: Struct
    chunks: Sequence[Value]
    columns: Mapping[str, Sequence[int]]
    repeated: Collection[int]
    pages: Mapping[int, LeafPages]
    values: Mapping[int, Sequence[PageValues]]

    def list_leaves(self, names: Sequence[str]) -> list[int]:
        """Return the leaves of some columns."""
        return [leaf for name in names for leaf in self.columns[name]]


def find_pages(pages: LeafPages, first_row: int, stop: int) -> range:
    """Return the numbers of the pages that hold some rows.

    >>> find_pages(LeafPages(4, [4, 9, 12, 20], [0, 10, 20, 30]), 12, 20)
    range(1, 2)

    Args:
        pages: of a leaf.
        first_row: the first one of the rows, counted in the row group.
        stop: the one behind the last.
    """
    first_rows = pages.first_rows
    # Up to the last page, of a file that has fewer rows by now than were planned.
    behind = min(bisect_left(first_rows, stop), len(first_rows) - 1)
    return range(bisect_right(first_rows, first_row) - 1, behind)
