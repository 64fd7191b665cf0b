"""Sequences of very many values, of which only some hundred are objects at a time.

A plan of a hundred thousand shards holds as many of several kinds of values, each some hundred bytes
as Python keeps it and some twenty when compressed with those beside it, which are like it.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
import pickle
from typing import Any, Generic, TypeVar, overload
import zlib

T = TypeVar("T")

# So few are no matter, and quicker as they are.
_FEW = 64
# Compressed together: as many as a unit of small shards has, which is read from one block then.
_BLOCK = 512
# Blocks that are not unpacked again for the next value.
_REMEMBERED = 8
# Fast, and nearly as small as any other: what repeats is the beginning of names.
_LEVEL = 1


class Packing(Generic[T]):
    """Values that are packed as they come, one after the other."""

    def __init__(self, values: Iterable[T] = ()) -> None:
        self._blocks: list[bytes] = []
        self._last: list[T] = []
        for value in values:
            self.append(value)

    def __len__(self) -> int:
        return len(self._blocks) * _BLOCK + len(self._last)

    def __iter__(self) -> Iterator[T]:
        for block in self._blocks:
            yield from _unpack(block)
        yield from self._last

    def append(self, value: T) -> None:
        """Keep a value behind all others; it can be pickled."""
        self._last.append(value)
        if len(self._last) == _BLOCK:
            self._pack_last()

    def finish(self) -> tuple[tuple[bytes, ...], int]:
        """Return the blocks, and how many values are in them; behind these comes no other."""
        count = len(self)
        if self._last:
            self._pack_last()
        return tuple(self._blocks), count

    def _pack_last(self) -> None:
        content = pickle.dumps(tuple(self._last), pickle.HIGHEST_PROTOCOL)
        self._blocks.append(zlib.compress(content, _LEVEL))
        self._last = []


class Packed(Sequence[T]):
    """A sequence whose values are made again each time that they are asked for.

    It equals a tuple or a list of the same values. They are shared as a tuple's are, and nobody changes them.
    """

    __slots__ = ("_blocks", "_count")

    def __init__(self, values: Iterable[T]) -> None:
        """Keep some values.

        Args:
            values: in order; each can be pickled.
        """
        packing = values if isinstance(values, Packing) else Packing(values)
        self._blocks, self._count = packing.finish()

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[T]:
        # Not remembered: whoever goes through all of them asks for each once.
        for block in self._blocks:
            yield from _unpack(block)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[T, ...]: ...
    def __getitem__(self, index: int | slice) -> T | tuple[T, ...]:
        if isinstance(index, slice):
            return tuple(self)[index]
        # As any sequence takes it: from the end, too, or not at all.
        number = range(self._count)[index]
        block, place = divmod(number, _BLOCK)
        values: tuple[T, ...] = _unpack_once(self._blocks[block])
        return values[place]

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Packed | tuple | list):
            return tuple(self) == tuple(other)
        return NotImplemented

    # As a tuple's, which it equals.
    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return repr(tuple(self))


def pack_many(values: Iterable[T]) -> Sequence[T]:
    """Return values as they are kept for long: packed where they are many, else as a tuple."""
    if isinstance(values, Packed):
        return values
    packing = values if isinstance(values, Packing) else Packing(values)
    if len(packing) <= _FEW:
        return tuple(packing)
    return Packed(packing)


def sort_many(
    values: Iterable[T],
    key: Callable[[T], str],
) -> Sequence[T]:
    """Return values in the order of their keys: packed where they are many, else as a list.

    Args:
        values: nearly always they come so, and none of them need be an object for longer.
        key: of a value.
    """
    packing: Packing[T] = Packing()
    last_key = ""
    in_order = True
    for value in values:
        key_here = key(value)
        in_order = in_order and last_key <= key_here
        last_key = key_here
        packing.append(value)
    if len(packing) <= _FEW:
        return sorted(packing, key=key)
    if in_order:
        return Packed(packing)
    return Packed(sorted(packing, key=key))


def _unpack(block: bytes) -> Any:
    content = zlib.decompress(block)
    # Made here, or by the launcher that made the plan: it comes by the way that Beam's own pickles come.
    return pickle.loads(content)  # noqa: S301


# Of those that neighbours are asked for by their numbers.
_unpack_once = lru_cache(maxsize=_REMEMBERED)(_unpack)
