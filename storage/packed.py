"""Sequences of very many values, of which only some hundred are objects at a time.

A plan of a hundred thousand shards holds as many of several kinds of values, each some hundred bytes
as Python keeps it and some twenty when compressed with those beside it, which are like it.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain, islice
import pickle
from typing import Any, TypeVar, overload
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
        blocks = []
        count = 0
        remaining = iter(values)
        while block := tuple(islice(remaining, _BLOCK)):
            count += len(block)
            content = pickle.dumps(block, pickle.HIGHEST_PROTOCOL)
            compressed = zlib.compress(content, _LEVEL)
            blocks.append(compressed)
        self._blocks = tuple(blocks)
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[T]:
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
        values: tuple[T, ...] = _unpack(self._blocks[block])
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
    remaining = iter(values)
    first = tuple(islice(remaining, _FEW + 1))
    if len(first) <= _FEW:
        return first
    return Packed(chain(first, remaining))


# Of those that neighbours are asked for by their numbers.
@lru_cache(maxsize=_REMEMBERED)
def _unpack(block: bytes) -> Any:
    content = zlib.decompress(block)
    # Made here, or by the launcher that made the plan: it comes by the way that Beam's own pickles come.
    return pickle.loads(content)  # noqa: S301
