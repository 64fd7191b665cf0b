"""Footers of Parquet files that are alike but for what is counted and named in them: what one was checked for, all have.

    field  type  length  min    field  count        a footer
     ff     ff     ff    00 00    ff   80 80        bits by which another one is like it

Of numbers of 64 bits, which tell sizes, places and counts, it is the highest bit of each byte, which tells
whether another byte follows. So another footer has the same fields, in the same places.
"""

from collections.abc import Hashable
import threading
from typing import NamedTuple

from transforms.formats.thrift import (
    BINARY,
    I64,
    LIST,
    STRUCT,
    find_end,
    read_head_of_list,
    read_number,
)

# So many forms of footers are kept, none of which is longer: to look for the bits takes longer than to check it.
_MOST_FORMS, _MOST_BYTES = 1_000, 1 << 14
_ALL, _FOLLOWS, _NOTHING = 0xFF, 0x80, 0x00
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
    mask = bytearray([_ALL]) * len(footer)
    _mark(mask, footer, 0, STRUCT)
    bits = int.from_bytes(mask)
    form = _Form(bits, int.from_bytes(footer) & bits)
    _known.forms.setdefault((len(footer), what), []).append(form)
    _known.count += 1


def _mark(mask: bytearray, footer: bytes, place: int, kind: int, levels: int = _MOST_LEVELS) -> int:
    """Mark what may differ of a value, and return the place behind it.

    Args:
        mask: of the footer.
        footer: bytes, of which some are the value.
        place: of its first one.
        kind: its type.
        levels: how deep it may be.
    """
    if kind == STRUCT and levels:
        while footer[place]:
            kind = footer[place] & 15
            place += 1
            # A number of its own follows.
            if footer[place - 1] < 16:
                _, place = read_number(footer, place)
            place = _mark(mask, footer, place, kind, levels - 1)
        return place + 1
    if kind == LIST and levels:
        count, kind, place = read_head_of_list(footer, place)
        for _ in range(count):
            place = _mark(mask, footer, place, kind, levels - 1)
        return place
    end = find_end(footer, place, kind)
    if kind == I64:
        mask[place:end] = bytes([_FOLLOWS]) * (end - place)
    if kind == BINARY:
        _, begin = read_number(footer, place)
        mask[begin:end] = bytes([_NOTHING]) * (end - begin)
    return end
