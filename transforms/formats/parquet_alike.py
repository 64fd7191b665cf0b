"""Footers of Parquet files that are alike but for what is counted and named in them: what one was checked for, all have.

    field  type  length  min    field  count        a footer
     ff     ff     ff    00 00    ff   80 80        bits by which another one is like it

Of numbers of 64 bits, which tell sizes, places and counts, it is the highest bit of each byte, which tells
whether another byte follows. So another footer has the same fields, in the same places.
"""

from collections.abc import Hashable
import threading
from typing import NamedTuple

from storage.thrift import (
    BINARY,
    END_OF_STRUCT,
    I64,
    LIST,
    STRUCT,
    find_end,
    read_head_of_list,
    read_number,
)

# So many forms of footers are kept, none of which is longer: to look for the bits takes longer than to check it.
_MOST_FORMS = 1_000
_MOST_BYTES = 1 << 14
# Which bits of a byte are compared: of a number that whether another byte follows, of a text none.
_ALL_BITS = 0xFF
_FOLLOWS_BIT = 0x80
_NO_BIT = 0x00
# Deeper than any that was written for a table.
_MOST_LEVELS = 32


class _Form(NamedTuple):
    """What footers that are alike have in common.

    Attributes:
        bits: those that are compared, as a number of all bytes.
        common: what these bits are.
    """

    bits: int
    common: int


class _Known(threading.local):
    """Forms of the footers that this thread has checked, by their lengths and what they were checked for."""

    def __init__(self) -> None:
        self.forms: dict[tuple[int, Hashable], list[_Form]] = {}
        self.count = 0


_known = _Known()


def is_like_checked(footer: bytes, what: Hashable) -> bool:
    """Tell whether a footer is like one that was checked for something.

    Args:
        footer: without the length behind it.
        what: it was checked for.
    """
    forms = _known.forms.get((len(footer), what))
    if not forms:
        return False
    # One comparison of large numbers takes less than one of each byte.
    number = int.from_bytes(footer)
    return any(number & form.bits == form.common for form in forms)


def remember_checked(footer: bytes, what: Hashable) -> None:
    """Remember a footer that was checked for something.

    Args:
        footer: without the length behind it; one that can be read.
        what: it was checked for.

    Raises:
        IndexError, ValueError: it cannot be read.
    """
    if len(footer) > _MOST_BYTES or _known.count >= _MOST_FORMS:
        return
    mask = bytearray([_ALL_BITS]) * len(footer)
    _mark(mask, footer, 0, STRUCT, _MOST_LEVELS)
    bits = int.from_bytes(mask)
    common = int.from_bytes(footer) & bits
    key = (len(footer), what)
    forms = _known.forms.setdefault(key, [])
    forms.append(_Form(bits, common))
    _known.count += 1


def _mark(
    mask: bytearray,
    footer: bytes,
    place: int,
    kind: int,
    levels: int,
) -> int:
    """Mark the bits of a value that may differ, and return the place behind it.

    Args:
        mask: of the footer; changed.
        footer: bytes, of which some are the value.
        place: of its first one.
        kind: its type.
        levels: how deep it may be; what is deeper is compared as it is.
    """
    if kind == STRUCT and levels:
        return _mark_struct(mask, footer, place, levels - 1)
    if kind == LIST and levels:
        return _mark_list(mask, footer, place, levels - 1)
    end = find_end(footer, place, kind)
    if kind == I64:
        _fill(mask, place, end, _FOLLOWS_BIT)
    if kind == BINARY:
        # Its length stands before it, and is the same in all that are alike.
        _, begin = read_number(footer, place)
        _fill(mask, begin, end, _NO_BIT)
    return end


def _mark_struct(mask: bytearray, footer: bytes, place: int, levels: int) -> int:
    while footer[place] != END_OF_STRUCT:
        distance, kind = divmod(footer[place], 16)
        place += 1
        # The field's number follows, as it is too far from the one before for half a byte.
        if not distance:
            _, place = read_number(footer, place)
        place = _mark(mask, footer, place, kind, levels)
    return place + 1


def _mark_list(mask: bytearray, footer: bytes, place: int, levels: int) -> int:
    count, kind, place = read_head_of_list(footer, place)
    for _ in range(count):
        place = _mark(mask, footer, place, kind, levels)
    return place


def _fill(mask: bytearray, begin: int, end: int, bits: int) -> None:
    """Let these bits of some bytes be compared, and no other ones."""
    count = end - begin
    mask[begin:end] = bytes([bits]) * count
