"""Where the bytes of a text are that mean something, as bits: one for each byte, 64 to a word.

A word is looked at, moved and filled in one step, so that what is asked of each of 64 bytes costs as
much as what is asked of one. After Langdale and Lemire, "Parsing Gigabytes of JSON per Second" (2019),
with numpy. Behind the last byte's bit there is at least one more, which is 0.
"""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

# One for each byte of a text, uint64.
Bits: TypeAlias = np.ndarray
# Numbers of bytes, int64.
Places: TypeAlias = np.ndarray
_OCTET = np.uint8
_WORD = np.dtype("<u8")
_WORD_BITS = 64
_ONE = _WORD.type(1)
_LAST = _WORD.type(_WORD_BITS - 1)
_NONE = _WORD.type(0)
# How far bits move in each step of doubling, up to half a word.
_DISTANCES = (1, 2, 4, 8, 16, 32)
_DOUBLING = tuple(map(_WORD.type, _DISTANCES))
# Stay in a core's cache.
_COMPARED_BYTES = 1 << 17


def find_bytes(codes: np.ndarray, values: Sequence[bytes]) -> list[Bits]:
    """Return for each of some values the bits (uint64) of the bytes that have it.

    Args:
        codes: uint8, the text.
        values: one byte each.
    """
    count = len(codes)
    words = _count_words(count)
    octets = words * _WORD.itemsize
    found = [np.zeros(octets, dtype=_OCTET) for _ in values]
    # For every part: a new one each time would leave the cache.
    part_bytes = min(count, _COMPARED_BYTES)
    is_value = np.empty(part_bytes, dtype=bool)
    for start in range(0, count, _COMPARED_BYTES):
        end = start + _COMPARED_BYTES
        part = codes[start:end]
        length = len(part)
        equal = is_value[:length]
        for value, bits in zip(values, found, strict=True):
            number = ord(value)
            np.equal(part, number, out=equal)
            packed = np.packbits(equal, bitorder="little")
            # A part begins with an octet.
            first = start // 8
            octets = len(packed)
            stop = first + octets
            bits[first:stop] = packed
    return [bits.view(_WORD) for bits in found]


def find_places(bits: Bits) -> Places:
    """Return the places (int64) of the bits that are set.

    >>> (bits,) = find_bytes(np.frombuffer(b"a,b,c", dtype=np.uint8), [b","])
    >>> find_places(bits)
    array([1, 3])
    """
    octets = bits.view(_OCTET)
    # Most of them have none, and are gone before each bit becomes a byte of its own.
    has_some = octets != 0
    with_some = np.flatnonzero(has_some)
    taken = octets[with_some]
    each_bit = np.unpackbits(taken, bitorder="little")
    is_set = each_bit.view(bool)
    numbers = np.flatnonzero(is_set)
    octet_numbers = numbers >> 3
    octet_of_each = with_some[octet_numbers]
    bit_of_each = numbers & 7
    places: Places = octet_of_each * 8
    places += bit_of_each
    return places


def look_up(bits: Bits, places: Places) -> np.ndarray:
    """Tell of each place (int64) whether its bit is set (bool)."""
    octets = bits.view(_OCTET)
    octet_numbers = places >> 3
    octet_of_each = octets[octet_numbers]
    bit_of_each = places & 7
    # Of the same type: numpy would shift both as integers of 64 bits.
    bit_of_each = bit_of_each.astype(_OCTET)
    shifted = octet_of_each >> bit_of_each
    last = shifted & 1
    is_set: np.ndarray = last == 1
    return is_set


def set_bit(bits: Bits, place: int, value: bool) -> None:
    """Change one bit.

    Args:
        bits: uint64, changed in place.
        place: its number.
        value: what it becomes.
    """
    word, bit = divmod(place, _WORD_BITS)
    distance = _WORD.type(bit)
    mask = _ONE << distance
    others = ~mask
    if value:
        bits[word] |= mask
    else:
        bits[word] &= others


def move_to_next(bits: Bits) -> Bits:
    """Return bits that are set behind each that is set."""
    moved = bits << _ONE
    # The last bit of each word but the last one.
    all_but_last = bits[:-1]
    carried = all_but_last >> _LAST
    moved[1:] |= carried
    return moved


def move_to_previous(bits: Bits) -> Bits:
    """Return bits that are set before each that is set."""
    moved = bits >> _ONE
    # The first bit of each word but the first one.
    all_but_first = bits[1:]
    carried = all_but_first << _LAST
    moved[:-1] |= carried
    return moved


def fill_between(bits: Bits) -> Bits:
    """Return bits that are set from the first set one up to before the second, and so on in pairs.

    >>> (bits,) = find_bytes(np.frombuffer(b'a"bc"d', dtype=np.uint8), [b'"'])
    >>> find_places(fill_between(bits))
    array([1, 2, 3])
    """
    filled = bits.copy()
    # Each step doubles how many bits before it a bit has seen, to all of its word.
    for distance in _DOUBLING:
        filled ^= filled << distance
    # The last bit of a word tells whether it has an odd number; one open before it turns it round.
    is_odd = filled >> _LAST
    odd_so_far = np.cumsum(is_odd)
    odd_before = odd_so_far - is_odd
    is_open = odd_before & _ONE
    # All bits of a word where one is open, and none of any other.
    filled ^= _NONE - is_open
    return filled


def _count_words(count: int) -> int:
    # One bit more, for what is behind the last byte.
    return count // _WORD_BITS + 1
