"""Which small shards are put together to units of work, so that each costs a read and not a unit.

A unit has its own output file, its syncs, its record, and a mini-batch that is not full; of a shard
of some kilobytes that is most of the work. Where one unit ends and the next begins is told by a
digest of the shard's name, and not by counting: a shard that is new, gone or larger moves the ends
of its own unit, and those of all others stay, so that an earlier run's scores of them can be reused.

    shards   a b c d e f g h i j k l m n      | behind a name that ends a unit
             a b c d | e f g h i | j k l m n
    new x    a b c d | e f x g h i | j k l m n
"""

from collections.abc import Iterable, Iterator, Sequence
import hashlib
from itertools import groupby
from typing import NamedTuple

from storage.packed import pack_many
from transforms.batches import WorkUnit
from transforms.unit_members import join_members

# So few keep their own units and output files, as nobody waits for them.
_FEW_SHARDS = 64
# What is larger is worth a unit of its own.
_SMALL_BYTES = 1 << 20
# About as many units are wanted at least: what keeps a machine of many cores busy to the end.
_WANTED_UNITS = 32
# Of a unit, half as many shards are the fewest and twice as many the most. What a killed run does
# again is bounded by that, and by the limits below.
_MOST_TYPICAL = 512
_MOST_BYTES = 64 << 20
# With what rows cost once they are read, see `InputOptions`: some seconds.
_MOST_WORK_BYTES = 1 << 30
_DIGEST_BYTES = 8


class _Sized(NamedTuple):
    """A piece, and whether it is put together with others."""

    piece: WorkUnit
    is_small: bool


def put_together(
    pieces: Sequence[WorkUnit],
    rows_per_file: int,
    row_work: int = 0,
) -> Sequence[WorkUnit]:
    """Return the units of work: small shards put together, all others as they are.

    They are in the order of the first shard of each, as units of one shard are.

    Args:
        pieces: of all shards, in order, by their numbers, by which files are listed before; gone
            through twice, as there may be too many to keep what is found of each.
        rows_per_file: rows of an output file, at most, and so of a unit.
        row_work: what a row costs once it is read, see `InputOptions`.
    """
    small_count = sum(sized.is_small for sized in _find_small(pieces, rows_per_file))
    if small_count <= _FEW_SHARDS:
        return pack_many(pieces)
    typical = _choose_typical_size(small_count)
    groups = _group(_find_small(pieces, rows_per_file), typical, rows_per_file, row_work)
    return pack_many(join_members(index, group) for index, group in enumerate(groups))


def _find_small(pieces: Sequence[WorkUnit], rows_per_file: int) -> Iterator[_Sized]:
    for _, of_shard in groupby(pieces, key=_get_shard):
        together = list(of_shard)
        for piece in together:
            yield _Sized(piece, _is_small(piece, len(together), rows_per_file))


def _is_small(piece: WorkUnit, pieces_of_shard: int, rows_per_file: int) -> bool:
    # What a format has cut is large, whatever is left in its last piece.
    if pieces_of_shard > 1 or piece.bytes >= _SMALL_BYTES:
        return False
    return (piece.rows or 0) < rows_per_file


def _group(
    pieces: Iterable[_Sized],
    typical: int,
    rows_per_file: int,
    row_work: int,
) -> Iterator[list[WorkUnit]]:
    """Yield pieces in groups, each of which becomes a unit, in the order of their first ones."""
    group: list[WorkUnit] = []
    # Large pieces behind the first one of the group, which is not complete yet.
    large: list[list[WorkUnit]] = []
    rows = 0
    size_bytes = 0
    for piece, is_small in pieces:
        if not is_small:
            large.append([piece])
            if not group:
                yield from large
                large = []
            continue
        piece_rows = piece.rows or 0
        rows += piece_rows
        size_bytes += piece.bytes
        work_bytes = size_bytes + rows * row_work
        is_too_large = size_bytes > _MOST_BYTES or work_bytes > _MOST_WORK_BYTES
        if group and (is_too_large or rows > rows_per_file):
            yield from (group, *large)
            group = []
            large = []
            rows = piece_rows
            size_bytes = piece.bytes
        group.append(piece)
        if _ends_group(piece, len(group), typical):
            yield from (group, *large)
            group = []
            large = []
            rows = 0
            size_bytes = 0
    if group:
        yield from (group, *large)


def _choose_typical_size(count: int) -> int:
    """Return about how many shards a unit shall have.

    A power of two, so that it seldom changes from night to night: with it, all ends move.
    """
    wanted = max(1, count // _WANTED_UNITS)
    power_of_two = 1 << (wanted.bit_length() - 1)
    return min(_MOST_TYPICAL, power_of_two)


def _ends_group(piece: WorkUnit, size: int, typical: int) -> bool:
    if size >= 2 * typical:
        return True
    if 2 * size < typical:
        return False
    name = piece.shard.encode()
    digest = hashlib.blake2b(name, digest_size=_DIGEST_BYTES).digest()
    return int.from_bytes(digest) % typical == 0


def _get_shard(piece: WorkUnit) -> str:
    return piece.shard
