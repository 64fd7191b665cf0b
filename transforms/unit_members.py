"""Units of several small shards: how pieces of shards become one unit, and units pieces again.

A piece is a unit of one shard, as a format cut it. Its number is its place in the plan, by which the
files that its rows name are listed; a unit of several pieces has a number of its own.
"""

from collections.abc import Iterable, Iterator, Sequence
import hashlib
from heapq import heappop, heappush, heapreplace
from itertools import pairwise

from storage.packed import pack_many
from transforms.batches import WorkUnit

_DIGEST_DIGITS = 32


def join_members(index: int, members: Sequence[WorkUnit]) -> WorkUnit:
    """Return the unit that has some pieces, in their order.

    Args:
        index: number of the unit.
        members: the pieces, at least one.
    """
    first = members[0]
    counts = [member.rows for member in members]
    rows = None
    # Of CSV only reading tells.
    if None not in counts:
        rows = sum(count or 0 for count in counts)
    return WorkUnit(
        index=index,
        shard=first.shard,
        version=first.version,
        span=(),
        first_row=0,
        rows=rows,
        bytes=sum(member.bytes for member in members),
        files=_join_digests(members),
        members=pack_many(members),
    )


def list_pieces(units: Iterable[WorkUnit]) -> list[WorkUnit]:
    """Return the pieces of all units, by their numbers; units that have none are pieces themselves."""
    pieces: list[WorkUnit] = []
    for unit in units:
        pieces += unit.members or (unit,)
    return sorted(pieces, key=_get_index)


def iterate_pieces(units: Sequence[WorkUnit]) -> Iterator[WorkUnit]:
    """Yield what `list_pieces` returns, of which few are in memory where units are in a plan's order.

    Args:
        units: a plan has them in the order of their first pieces.
    """
    firsts = (_get_first(unit).index for unit in units)
    if any(behind < before for before, behind in pairwise(firsts)):
        yield from list_pieces(units)
        return
    # What was begun: the number of its next piece, that piece, and those behind it.
    begun: list[tuple[int, WorkUnit, Iterator[WorkUnit]]] = []
    for unit in units:
        pieces = iter(unit.members or (unit,))
        first = next(pieces)
        # No unit that comes later has a lower one.
        while begun and begun[0][0] < first.index:
            yield _take_first(begun)
        heappush(begun, (first.index, first, pieces))
    while begun:
        yield _take_first(begun)


def _get_first(unit: WorkUnit) -> WorkUnit:
    if unit.members:
        return unit.members[0]
    return unit


def _get_index(piece: WorkUnit) -> int:
    return piece.index


def _take_first(begun: list[tuple[int, WorkUnit, Iterator[WorkUnit]]]) -> WorkUnit:
    """Return the piece of the lowest number, and go on to the one behind it in its unit."""
    _, piece, behind = begun[0]
    following = next(behind, None)
    if following is None:
        heappop(begun)
    else:
        heapreplace(begun, (following.index, following, behind))
    return piece


def _join_digests(members: Sequence[WorkUnit]) -> str:
    """Return one digest of the files that the rows of all members name; nothing where they name none."""
    digests = [member.files for member in members]
    if not any(digests):
        return ""
    text = "\n".join(digests)
    digest = hashlib.sha256(text.encode())
    return digest.hexdigest()[:_DIGEST_DIGITS]
