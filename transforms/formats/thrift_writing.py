"""Thrift's compact protocol, written: structs whose fields are their values as they are stored.

What it is like, `storage/thrift.py` tells.
"""

from collections.abc import Sequence

from storage.thrift import (
    END_OF_STRUCT,
    FOLLOWS,
    I64,
    LIST,
    MANY,
    SEVEN_BITS,
    Struct,
    Value,
)


def write_struct(fields: Struct) -> bytes:
    """Return a struct as it is stored.

    >>> write_struct({1: make_int(3), 20: make_int(-1)}).hex()
    '160606280100'
    """
    parts = []
    before = 0
    for number in sorted(fields):
        kind, stored = fields[number]
        head = _write_head_of_field(number - before, number, kind)
        parts += [head, stored]
        before = number
    parts.append(bytes([END_OF_STRUCT]))
    return b"".join(parts)


def make_int(number: int, kind: int = I64) -> Value:
    """Return a whole number as it is stored, of a type that holds it."""
    folded = 2 * number if number >= 0 else -2 * number - 1
    return Value(kind, _write_number(folded))


def make_list(kind: int, items: Sequence[bytes]) -> Value:
    """Return a list as it is stored.

    Args:
        kind: the type of all items.
        items: as they are stored.
    """
    count = len(items)
    first = min(count, MANY)
    head = bytes([first * 16 + kind])
    if count >= MANY:
        head += _write_number(count)
    stored = b"".join([head, *items])
    return Value(LIST, stored)


def _write_head_of_field(distance: int, number: int, kind: int) -> bytes:
    """Return what stands before a field's value.

    Args:
        distance: from the number of the field before.
        number: of the field.
        kind: the type of its value.
    """
    if distance < 16:
        return bytes([distance * 16 + kind])
    # Too far for half a byte.
    return bytes([kind]) + _write_number(2 * number)


def _write_number(value: int) -> bytes:
    """Return a number of seven bits a byte, the lowest first."""
    stored = bytearray()
    while value >= FOLLOWS:
        lowest = value & SEVEN_BITS
        stored.append(lowest | FOLLOWS)
        value >>= 7
    stored.append(value)
    return bytes(stored)
