"""Which rows of a call stand in which slots of a mini-batch."""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Piece:
    """Rows `start` to `stop` of a call, computed in a mini-batch of `slots` rows whose first slot is that of row `first`."""

    start: int
    stop: int
    first: int
    slots: int


def windows(start: int, stop: int, first: int, slots: int) -> list[Piece]:
    """Rows `start` to `stop` in mini-batches of `slots` rows that are laid end to end from row `first`; the first one last."""
    pieces = (Piece(max(start, at), min(stop, at + slots), at, slots) for at in range(first, stop, slots))
    return [p for p in pieces if p.start < p.stop][::-1]


def halves(piece: Piece) -> Iterator[Piece]:
    """Both halves, the second first, each row in the slot where it was."""
    middle = (piece.start + piece.stop) // 2
    yield Piece(middle, piece.stop, piece.first, piece.slots)
    yield Piece(piece.start, middle, piece.first, piece.slots)
