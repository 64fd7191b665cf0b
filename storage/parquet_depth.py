"""Open a stranger's Parquet file, unless its columns stand inside each other so deep that Arrow ends the process.

A footer tells its columns as a list, each with how many of those behind it are inside of it; Arrow makes a tree
of them, level by level, on its stack.

    footer    version | table | a | a.list | a.list.element | b | rows | row groups ...
"""

from collections.abc import Iterable
import io
from typing import Any

import pyarrow as pa
from pyarrow.parquet import ParquetFile

from storage.thrift import BROKEN, LIST, find_end, list_numbers, read_number, read_struct

# A Parquet file ends with the length of its footer, and four letters.
_FOOTER_LENGTH_BYTES = 4
_FILE_END_BYTES = 8
_MAGIC = b"PAR1"
# What is read at first: more than the footers of most files, and less than a store takes longer for.
_LIKELY_FOOTER_BYTES = 1 << 16
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


def open_parquet(file: Any, **options: Any) -> ParquetFile:
    """Open a Parquet file that nobody has looked at.

    Args:
        file: open for reading at any position.
        options: passed on to `pyarrow.parquet.ParquetFile`.

    Raises:
        ArrowInvalid: its columns stand too deep inside each other, or it is no Parquet file.
        OSError: it cannot be read.
    """
    refuse_deep(file)
    return ParquetFile(file, **options)


def refuse_deep(file: Any) -> None:
    """Refuse a Parquet file whose columns stand so deep inside each other that Arrow would end the process.

    Args:
        file: open for reading at any position; it is left at its begin.

    Raises:
        ArrowInvalid: they do.
        OSError: it cannot be read.
    """
    footer = _read_footer(file)
    file.seek(0)
    if is_too_deep(footer):
        raise pa.ArrowInvalid("its columns stand too deep inside each other")


def _read_footer(file: Any) -> bytes:
    """Return a footer without the length and the letters behind it; nothing of what Arrow reads no columns of."""
    file_bytes = file.seek(0, io.SEEK_END)
    start = max(0, file_bytes - _LIKELY_FOOTER_BYTES)
    file.seek(start)
    end: bytes = file.read(file_bytes - start)
    # Of another file, or an encrypted one, that length may be anything, and as much would be read.
    if not end.endswith(_MAGIC):
        return b""
    stored = end[-_FILE_END_BYTES:][:_FOOTER_LENGTH_BYTES]
    footer_bytes = int.from_bytes(stored, "little")
    wanted_bytes = min(file_bytes, footer_bytes + _FILE_END_BYTES)
    if wanted_bytes > len(end):
        file.seek(file_bytes - wanted_bytes)
        end = file.read(wanted_bytes)
    first = max(0, len(end) - wanted_bytes)
    return end[first:-_FILE_END_BYTES]


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
