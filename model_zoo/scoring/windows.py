"""Choose which rows of a call are computed together, and where in their mini-batch they stand.

    mini-batch of 8 rows      0  1  2  3 | 4  5  6  7      fails
    its halves, of 8 each     0  1  2  3 | .  .  .  .
                              .  .  .  . | 4  5  6  7      dots are padding

A row keeps its place and the mini-batch keeps its size, because a matrix product may round
differently for another shape or another place in it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Window:
    """Rows `start` to `stop` of a call, and the mini-batch that they are computed in.

    Attributes:
        first: the row of the call that stands, or would stand, first in the mini-batch.
        batch_rows: rows of the mini-batch, padding included.
    """

    start: int
    stop: int
    first: int
    batch_rows: int

    @property
    def rows(self) -> int:
        """Return how many rows of the call there are."""
        return self.stop - self.start

    @property
    def padding_before(self) -> int:
        """Return how many rows of padding stand before them."""
        return self.start - self.first

    @property
    def padding_after(self) -> int:
        """Return how many rows of padding stand behind them."""
        end = self.first + self.batch_rows
        return end - self.stop


def cut_windows(
    start: int,
    stop: int,
    first: int,
    batch_rows: int,
) -> list[Window]:
    """Cut rows `start` to `stop` into mini-batches that are laid end to end from row `first`.

    Args:
        start, stop, first: row numbers of the call; `first` <= `start`.
        batch_rows: rows of each mini-batch.

    Returns:
        The windows that hold any row, the first one last: they are taken from the end.

    >>> [(window.start, window.stop) for window in cut_windows(2, 9, 0, 4)]
    [(8, 9), (4, 8), (2, 4)]
    """
    windows = []
    for at in range(first, stop, batch_rows):
        window = Window(
            start=max(start, at),
            stop=min(stop, at + batch_rows),
            first=at,
            batch_rows=batch_rows,
        )
        # A mini-batch before `start` holds none of the rows.
        if window.rows > 0:
            windows.append(window)
    return windows[::-1]


def halve_window(window: Window) -> Iterator[Window]:
    """Yield both halves, the second one first; each row stays where it was."""
    middle = (window.start + window.stop) // 2
    # The second first: what is yielded last is taken first, and rows go in their order.
    yield replace(window, start=middle)
    yield replace(window, stop=middle)
