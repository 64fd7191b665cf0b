"""Units of several small shards: how pieces of shards become one unit, and units pieces again.

A piece is a unit of one shard, as a format cut it. Its number is its place in the plan, by which the
files that its rows name are listed; a unit of several pieces has a number of its own.
"""

from collections.abc import Iterable, Sequence
import hashlib

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


def _get_index(piece: WorkUnit) -> int:
    return piece.index


def _join_digests(members: Sequence[WorkUnit]) -> str:
    """Return one digest of the files that the rows of all members name; nothing where they name none."""
    digests = [member.files for member in members]
    if not any(digests):
        return ""
    text = "\n".join(digests)
    digest = hashlib.sha256(text.encode())
    return digest.hexdigest()[:_DIGEST_DIGITS]
