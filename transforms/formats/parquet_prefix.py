"""Where in a Parquet file's footer the columns end, which come before all that differs from file to file.

A footer is a struct of Thrift's compact protocol: 1 version, 2 the columns, 3 rows, 4 row groups, and
more. Two footers that begin with the same version and columns, byte by byte, have the same columns;
to compare what Arrow made of them takes longer than to read a small one.
"""

from typing import NamedTuple

# A Parquet file ends with the length of its footer, and four letters.
_FOOTER_LENGTH_BYTES = 4
FILE_END_BYTES = 8
# A field's number, as the distance from the one before, and its type; together a byte.
_VERSION_FIELD = 0x15
_COLUMNS_FIELD = 0x19
_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _, _STRUCT = range(1, 13)
_DOUBLE_BYTES = 8
# A list of as many items or more says how many behind its first byte.
_MANY = 15
_END_OF_STRUCT = 0


class _Number(NamedTuple):
    """A number, and the place behind it."""

    value: int
    end: int


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

    def find_columns(self) -> bytes | None:
        """Return what the footer begins with, which is the same for the same columns; None where it has none.

        Of a file that Arrow has read.
        """
        first = self._find_footer()
        footer = self.content[first:-FILE_END_BYTES]
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
        _, place = _read_number(footer, 1)
        if footer[place] != _COLUMNS_FIELD:
            return None
        return _skip(footer, place + 1, _LIST)
    # Cut, or of a kind that no column has.
    except (IndexError, ValueError):
        return None


def _skip(footer: bytes, place: int, kind: int) -> int:
    """Return the place behind a value of a type."""
    if kind in (_TRUE, _FALSE):
        # A field of it is in the type alone.
        return place
    if kind == _BYTE:
        return place + 1
    if kind in (_I16, _I32, _I64):
        return _read_number(footer, place).end
    if kind == _DOUBLE:
        return place + _DOUBLE_BYTES
    if kind == _BINARY:
        length, begin = _read_number(footer, place)
        return begin + length
    if kind in (_LIST, _SET):
        return _skip_list(footer, place)
    if kind == _STRUCT:
        return _skip_struct(footer, place)
    raise ValueError(f"type {kind}")


def _skip_list(footer: bytes, place: int) -> int:
    count, kind = divmod(footer[place], 16)
    place += 1
    if count == _MANY:
        count, place = _read_number(footer, place)
    # An item of it has a byte of its own.
    if kind in (_TRUE, _FALSE):
        kind = _BYTE
    for _ in range(count):
        place = _skip(footer, place, kind)
    return place


def _skip_struct(footer: bytes, place: int) -> int:
    while footer[place] != _END_OF_STRUCT:
        distance, kind = divmod(footer[place], 16)
        place += 1
        # Too far for half a byte, or backwards.
        if not distance:
            _, place = _read_number(footer, place)
        place = _skip(footer, place, kind)
    return place + 1


def _read_number(footer: bytes, place: int) -> _Number:
    """Return a number of seven bits a byte, the lowest first."""
    value = 0
    shift = 0
    while True:
        byte = footer[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return _Number(value, place)
        shift += 7
