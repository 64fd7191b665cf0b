"""Thrift's compact protocol, in which Parquet's footers and page headers are written: numbers, and where they are.

pyarrow reads footers, and neither tells where a page is nor takes a footer that somebody has altered.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

# Types of values.
_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY = 1, 2, 3, 7, 8
_INTS, _LISTS, _STRUCT = (4, 5, 6), (9, 10), 12
_DOUBLE_BYTES = 8
# Of structs and lists in each other: of a footer it is six.
_MOST_DEPTH = 16
# A list of so many or more has its length behind this.
_LONG = 15


class Field(NamedTuple):
    """A field of a struct: its number, the type of its value, and where the value begins."""

    number: int
    kind: int
    start: int


@dataclass
class Thrift:
    """A place in encoded bytes, and what is read from there on.

    Attributes:
        content: the bytes.
        position: of the next byte.

    Raises:
        IndexError: by any of its functions, where the bytes end too early.
        ValueError: likewise, where they are not what they should be.
    """

    content: bytes
    position: int = 0

    def iterate_fields(self) -> Iterator[Field]:
        """Yield the fields of a struct; whoever gets one reads or passes its value."""
        number = 0
        while byte := self.read_byte():
            step, kind = byte >> 4, byte & 15
            # A field is named by what its number is larger than the one before it.
            number = number + step if step else self.read_int()
            yield Field(number, kind, self.position)

    def read_numbers(self, depth: int = 0) -> dict[int, Any]:
        """Return the numbers of a struct by the numbers of their fields, and such dicts for structs."""
        return {field.number: self.read_value(field.kind, depth) for field in self.iterate_fields()}

    def read_value(self, kind: int, depth: int = 0) -> Any:
        """Return a number, or the numbers of a struct; pass over anything else.

        Args:
            kind: the type of the value.
            depth: how many structs and lists it is in.
        """
        if depth > _MOST_DEPTH:
            raise ValueError("too deep")
        if kind in _INTS:
            return self.read_int()
        if kind == _STRUCT:
            return self.read_numbers(depth + 1)
        if kind in (_TRUE, _FALSE):
            return kind == _TRUE
        if kind == _BINARY:
            return self._pass(self._read_unsigned())
        if kind in _LISTS:
            for element in self.iterate_list():
                self.read_value(element, depth + 1)
            return None
        if kind == _BYTE:
            return self.read_byte()
        if kind == _DOUBLE:
            return self._pass(_DOUBLE_BYTES)
        raise ValueError("no such type")

    def iterate_list(self) -> Iterator[int]:
        """Yield, for each element of a list, its type; whoever gets it reads or passes the element."""
        byte = self.read_byte()
        count, kind = byte >> 4, byte & 15
        if count == _LONG:
            count = self._read_unsigned()
        # Each true or false takes a byte there.
        if kind in (_TRUE, _FALSE):
            kind = _BYTE
        for _ in range(count):
            yield kind

    def read_byte(self) -> int:
        """Return the next byte."""
        byte = self.content[self.position]
        self.position += 1
        return byte

    def read_int(self) -> int:
        """Return an integer."""
        number = self._read_unsigned()
        # Zigzag: the last bit is the sign.
        return (number >> 1) ^ -(number & 1)

    def _read_unsigned(self) -> int:
        number = 0
        # Of 64 bits, seven in each byte.
        for shift in range(0, 70, 7):
            byte = self.read_byte()
            number |= (byte & 127) << shift
            if byte < 128:
                return number
        raise ValueError("a number of more than 64 bits")

    def _pass(self, size: int) -> None:
        self.position += size
        if self.position > len(self.content):
            raise IndexError


def encode_int(number: int) -> bytes:
    """Return an integer that is not negative, encoded.

    >>> Thrift(encode_int(1_000_000)).read_int()
    1000000
    """
    rest = number << 1
    encoded = bytearray()
    while rest > 127:
        encoded.append(rest & 127 | 128)
        rest >>= 7
    encoded.append(rest)
    return bytes(encoded)


def encode_list_of_one(kind: int) -> bytes:
    """Return what stands before the only element of a list, whose type this is."""
    return bytes([1 << 4 | kind])
