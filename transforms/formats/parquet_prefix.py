"""Where in a Parquet file's footer the columns end, which come before all that differs from file to file.

A footer is a struct of Thrift's compact protocol: 1 version, 2 the columns, 3 rows, 4 row groups, and
more. Two footers that begin with the same version and columns, byte by byte, have the same columns;
to compare what Arrow made of them takes longer than to read a small one.
"""

from collections.abc import Iterable
from typing import NamedTuple

from transforms.formats.thrift import BROKEN, LIST, find_end, list_numbers, read_number, read_struct

# A Parquet file ends with the length of its footer, and four letters.
_FOOTER_LENGTH_BYTES = 4
FILE_END_BYTES = 8
# A field's number, as the distance from the one before, and its type; together a byte.
_VERSION_FIELD = 0x15
_COLUMNS_FIELD = 0x19
# Fields of the footer, and of an element of its columns: how many stand inside of it.
_COLUMNS, _CHILDREN = 2, 5
# Deeper than columns of any table: a list in a list counts as four.
_MOST_LEVELS = 200
# The fewest that an element takes.
_ELEMENT_BYTES = 5
_END_OF_STRUCT = 0


class FileEnd(NamedTuple):
    """A file from its footer on, or from before; all of one that ends with none.

    Attributes:
        url: the file.
    """

    url: str
    content: bytes

    @property
    def footer_bytes(self) -> int:
        """Return how long the file says that its footer is."""
        stored = self.content[-FILE_END_BYTES:][:_FOOTER_LENGTH_BYTES]
        return int.from_bytes(stored, "little")

    @property
    def footer(self) -> bytes:
        """Return the footer, of a file that Arrow has read."""
        first = self._find_footer()
        return self.content[first:-FILE_END_BYTES]

    def find_columns(self) -> bytes | None:
        """Return what the footer begins with, which is the same for the same columns; None where it has none.

        Of a file that Arrow has read.
        """
        footer = self.footer
        end = find_end_of_columns(footer)
        if end is None:
            return None
        return footer[:end]

    def has_columns(self, columns: bytes) -> bool:
        """Tell whether the footer begins with these, as `find_columns` gave them of another file."""
        first = self._find_footer()
        # Before the content, of a file that is cut.
        return first >= 0 and self.content.startswith(columns, first)

    def _find_footer(self) -> int:
        return len(self.content) - FILE_END_BYTES - self.footer_bytes


def find_end_of_columns(footer: bytes) -> int | None:
    """Return the place behind version and columns; None where a footer does not begin with them.

    Args:
        footer: without the length and the letters behind it; one that Arrow has read.
    """
    try:
        if footer[0] != _VERSION_FIELD:
            return None
        _, place = read_number(footer, 1)
        if footer[place] != _COLUMNS_FIELD:
            return None
        return find_end(footer, place + 1, LIST)
    # Cut, or of a kind that no column has.
    except BROKEN:
        return None


def is_too_deep(footer: bytes) -> bool:
    """Tell whether columns stand inside each other so deep that whoever goes through them runs out of stack.

    Arrow ends the process then, and Python gives up a thousand levels down.

    Args:
        footer: without the length and the letters behind it, and perhaps no footer at all.
    """
    end = find_end_of_columns(footer)
    # As it is of nearly all files: not even if each element stood in the one before.
    if end is not None and end < _MOST_LEVELS * _ELEMENT_BYTES:
        return False
    # Not what follows, which is most of a footer.
    columns = footer if end is None else footer[:end] + bytes([_END_OF_STRUCT])
    try:
        fields = read_struct(columns).fields
        elements = list_numbers(fields[_COLUMNS])
    # Of what is no footer Arrow tells.
    except BROKEN:
        return False
    counts = [element.get(_CHILDREN, 0) for element in elements]
    return _count_levels(counts) > _MOST_LEVELS


def _count_levels(counts: Iterable[int]) -> int:
    """Return how deep elements stand inside each other, by how many each has: those inside of it follow it.

    >>> _count_levels([2, 1, 0, 0])
    2
    """
    most = 0
    # Of each element that others are still to come of: how many.
    left: list[int] = []
    for count in counts:
        while left and not left[-1]:
            left.pop()
        if left:
            left[-1] -= 1
        if count > 0:
            left.append(count)
            most = max(most, len(left))
    return most
