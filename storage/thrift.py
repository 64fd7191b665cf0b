"""Thrift's compact protocol, in which Parquet tells what is where: read, field by field.

    field    | distance from the number before, type | value |     and behind the last one a byte 0

A struct is its fields' values as they are stored, by number: what nobody asks for is neither understood
nor changed. Whoever wrote it is a stranger: nothing is read behind the end, and no length is believed.
How it is written, `transforms/formats/thrift_writing.py` knows.
"""

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

# The types of values, as the protocol numbers them.
_TRUE = 1
_FALSE = 2
_BYTE = 3
_I16 = 4
I32 = 5
I64 = 6
_DOUBLE = 7
BINARY = 8
LIST = 9
_SET = 10
STRUCT = 12
INTEGERS = (_I16, I32, I64)
_DOUBLE_BYTES = 8
# A list of as many items or more says how many behind its first byte.
MANY = 15
END_OF_STRUCT = 0
# The most that any number has: 64 bits, seven in a byte. Longer ones would take ever longer to read.
_MOST_NUMBER_BYTES = 10
# Deeper than Parquet's own, and not so deep that Python gives up.
_MOST_LEVELS = 32
# A byte of a number has seven bits of it, and one that says whether another byte follows.
FOLLOWS = 0x80
SEVEN_BITS = 0x7F
# Of 16 bits, with a sign.
_MOST_FIELDS = (1 << 15) - 1
# What is raised where the bytes are not those of a struct, or a place that they tell is none of a file.
BROKEN = (IndexError, KeyError, OverflowError, ValueError)


class Value(NamedTuple):
    """A value as it is stored, and its type; of a truth value the type is all."""

    kind: int
    stored: bytes


Struct: TypeAlias = Mapping[int, Value]


class StructAt(NamedTuple):
    """A struct, and the place behind it."""

    fields: Struct
    end: int


class Numbers(NamedTuple):
    """The whole numbers of a struct, those of the structs in it, and the place behind it."""

    own: Mapping[int, int]
    inner: "Mapping[int, Numbers]"
    end: int


def read_struct(content: bytes, place: int = 0) -> StructAt:
    r"""Return the struct that stands at a place.

    >>> fields, end = read_struct(bytes.fromhex("15 06 19 15 02 00"))
    >>> read_int(fields[1]), list_values(fields[2])[0], end
    (3, Value(kind=5, stored=b'\x02'), 6)

    Args:
        content: bytes, of which some are a struct.
        place: of its first one.

    Raises:
        IndexError, ValueError: there is none.
    """
    fields = {}
    number = 0
    while content[place] != END_OF_STRUCT:
        distance, kind = divmod(content[place], 16)
        place += 1
        number += distance
        # Too far for half a byte, or backwards.
        if not distance:
            folded, place = read_number(content, place)
            number = unfold(folded)
        check_field(number)
        # What others read of it would be a mixture of both.
        if number in fields:
            raise ValueError("has a field twice")
        end = find_end(content, place, kind)
        fields[number] = Value(kind, content[place:end])
        place = end
    return StructAt(fields, place + 1)


def check_field(number: int) -> None:
    """Refuse a number that others would take for another one, as they keep 16 bits of it.

    Raises:
        ValueError: it is none of a field.
    """
    if not 0 <= number <= _MOST_FIELDS:
        raise ValueError(f"{number} is no field")


def read_numbers(content: bytes, place: int = 0, levels: int = _MOST_LEVELS) -> Numbers:
    """Return the whole numbers of the struct that stands at a place, in a third of the time of `read_struct`.

    >>> read_numbers(bytes.fromhex("15 06 1c 15 01 00 00"))
    Numbers(own={1: 3}, inner={2: Numbers(own={1: -1}, inner={}, end=6)}, end=7)

    Args:
        content: bytes, of which some are a struct.
        place: of its first one.
        levels: how deep it may be.

    Raises:
        IndexError, ValueError: there is none.
    """
    if not levels:
        raise ValueError("is too deep")
    own = {}
    inner = {}
    number = 0
    while content[place] != END_OF_STRUCT:
        distance, kind = divmod(content[place], 16)
        place += 1
        number += distance
        if not distance:
            folded, place = read_number(content, place)
            number = unfold(folded)
        if kind in INTEGERS:
            folded, place = read_number(content, place)
            # As `unfold` does it, which would take as long again to call.
            own[number] = (folded >> 1) ^ -(folded & 1)
        elif kind == STRUCT:
            inner[number] = read_numbers(content, place, levels - 1)
            place = inner[number].end
        elif kind == BINARY:
            length, place = read_number(content, place)
            place += length
        else:
            place = find_end(content, place, kind, levels)
    return Numbers(own, inner, place + 1)


def list_numbers(value: Value) -> list[Mapping[int, int]]:
    """Return the whole numbers of each item of a list of structs.

    Raises:
        IndexError, ValueError: it is none.
    """
    count, place = _read_head_of_structs(value)
    structs = []
    for _ in range(count):
        own, _, place = read_numbers(value.stored, place)
        structs.append(own)
    return structs


def list_values(value: Value) -> list[Value]:
    """Return the items of a list.

    Raises:
        IndexError, ValueError: it is none.
    """
    if value.kind != LIST:
        raise ValueError(f"type {value.kind} is no list")
    content = value.stored
    count, kind, place = read_head_of_list(content)
    items = []
    for _ in range(count):
        end = find_end(content, place, kind)
        items.append(Value(kind, content[place:end]))
        place = end
    return items


def list_structs(value: Value) -> list[Struct]:
    """Return the items of a list of structs.

    Raises:
        IndexError, ValueError: it is none.
    """
    count, place = _read_head_of_structs(value)
    structs = []
    for _ in range(count):
        fields, place = read_struct(value.stored, place)
        structs.append(fields)
    return structs


def read_int(value: Value) -> int:
    """Return a whole number.

    Raises:
        IndexError, ValueError: it is none.
    """
    if value.kind not in INTEGERS:
        raise ValueError(f"type {value.kind} is no whole number")
    folded, _ = read_number(value.stored, 0)
    return unfold(folded)


def read_bytes(value: Value) -> bytes:
    """Return what is in a value of bytes.

    Raises:
        IndexError, ValueError: it is none.
    """
    if value.kind != BINARY:
        raise ValueError(f"type {value.kind} has no bytes")
    _, begin = read_number(value.stored, 0)
    return value.stored[begin:]


def read_truth(item: Value) -> bool:
    """Return a truth value that is an item of a list, which has a byte of its own.

    Raises:
        ValueError: it is none.
    """
    if item.kind != _BYTE or item.stored not in (b"\0", b"\1", b"\2"):
        raise ValueError("is no truth value")
    return item.stored == b"\1"


def find_end(content: bytes, place: int, kind: int, levels: int = _MOST_LEVELS) -> int:
    """Return the place behind a value.

    Args:
        content: bytes, of which some are the value.
        place: of its first one.
        kind: its type.
        levels: how deep it may be.

    Raises:
        IndexError, ValueError: there is no such value.
    """
    # The most frequent ones first.
    if kind in INTEGERS:
        return read_number(content, place)[1]
    if kind == BINARY:
        length, begin = read_number(content, place)
        return _refuse_cut(content, begin + length)
    if kind in (_TRUE, _FALSE):
        # A field of it is in the type alone.
        return place
    if kind == _BYTE:
        return _refuse_cut(content, place + 1)
    if kind == _DOUBLE:
        return _refuse_cut(content, place + _DOUBLE_BYTES)
    if not levels:
        raise ValueError("is too deep")
    if kind in (LIST, _SET):
        return _find_end_of_list(content, place, levels - 1)
    if kind == STRUCT:
        return _find_end_of_struct(content, place, levels - 1)
    raise ValueError(f"type {kind}")


def read_number(content: bytes, place: int) -> tuple[int, int]:
    """Return a number of seven bits a byte, the lowest first, and the place behind it.

    Args:
        content: bytes, of which some are the number.
        place: of its first one.

    Raises:
        IndexError, ValueError: there is none.
    """
    byte = content[place]
    # Nearly always.
    if byte < FOLLOWS:
        return byte, place + 1
    value = byte & SEVEN_BITS
    for more in range(1, _MOST_NUMBER_BYTES):
        byte = content[place + more]
        value |= (byte & SEVEN_BITS) << (7 * more)
        if byte < FOLLOWS:
            return value, place + more + 1
    raise ValueError("is no number")


def read_head_of_list(content: bytes, place: int = 0) -> tuple[int, int, int]:
    """Return how many items a list has, their type, and the place of the first one.

    Args:
        content: bytes, of which some are the list.
        place: of its first one.

    Raises:
        IndexError, ValueError: there is none.
    """
    count, kind = divmod(content[place], 16)
    place += 1
    if count == MANY:
        count, place = read_number(content, place)
    # An item of it has a byte of its own.
    if kind in (_TRUE, _FALSE):
        kind = _BYTE
    return count, kind, place


def _read_head_of_structs(value: Value) -> tuple[int, int]:
    """Return how many structs a list has, and the place of the first one."""
    if value.kind != LIST:
        raise ValueError(f"type {value.kind} is no list")
    count, kind, place = read_head_of_list(value.stored)
    if kind != STRUCT:
        raise ValueError(f"items of type {kind} are no structs")
    return count, place


def _find_end_of_list(content: bytes, place: int, levels: int) -> int:
    count, kind, place = read_head_of_list(content, place)
    # Each has a byte at least, so that this ends with the content however many are said to be.
    for _ in range(count):
        place = find_end(content, place, kind, levels)
    return place


def _find_end_of_struct(content: bytes, place: int, levels: int) -> int:
    while content[place] != END_OF_STRUCT:
        distance, kind = divmod(content[place], 16)
        place += 1
        if not distance:
            _, place = read_number(content, place)
        place = find_end(content, place, kind, levels)
    return place + 1


def _refuse_cut(content: bytes, end: int) -> int:
    if end > len(content):
        raise IndexError("is cut short")
    return end


def unfold(folded: int) -> int:
    """Return a number with its sign, which is stored as its lowest bit."""
    return (folded >> 1) ^ -(folded & 1)
