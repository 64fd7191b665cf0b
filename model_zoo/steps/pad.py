"""Step `pad`: lists as the array of one shape that a network takes, with a mask for what is padding.

    [[1, 2], [3], [4, 5, 6]]  --  shape [4]  ->  1 2 0 0     mask  1 1 0 0
                                                 3 0 0 0           1 0 0 0
                                                 4 5 6 0           1 1 1 0

Every row is padded to the same length, whichever rows are beside it: a score must not depend on them.
"""

from math import prod
from typing import Annotated, Literal, TypeAlias

import numpy as np
import pyarrow as pa
from pydantic import Field

from configs.errors import JobError
from model_zoo.steps.arrays import get_column, holds_numbers, reject_where
from model_zoo.steps.columns import Columns, NewColumns
from model_zoo.steps.lists import (
    count_levels,
    find_lists_with_missing,
    list_lengths,
    place_items,
)
from model_zoo.steps.step import StepModel, Widths

# 512 MiB of float32 for one row, as a card may have: no real model takes as much.
_MOST_ITEMS = 1 << 27
Length: TypeAlias = Annotated[int, Field(ge=1, le=_MOST_ITEMS)]
Lengths: TypeAlias = Annotated[tuple[Length, ...], Field(min_length=1, max_length=3)]


class Pad(StepModel):
    """Make a column of lists an array `into` (rows, *shape), and their mask, bool (rows, shape[0]).

    The first number of `shape` is the length that lists are padded to with zeros. Others are the
    lengths of lists inside them, which all must have. A list that is longer than `shape` says is cut
    or rejects its row, as `longer` says; a shorter one is padded or rejects its row, as `shorter`
    says. The mask, where it has a name, is true for items and false for padding. A list that is
    missing, or lacks an item, rejects its row.
    """

    step: Literal["pad"]
    column: str
    shape: Lengths
    longer: Literal["reject", "cut"] = "reject"
    shorter: Literal["pad", "reject"] = "pad"
    into: str
    mask_into: str | None = None

    def apply(self, columns: Columns, rows: int) -> NewColumns:
        """Return the array, and the mask where it has a name.

        Raises:
            RejectedRows: rows whose list has another length than may be, or lacks something.
            JobError: the column holds no lists of numbers as deep as `shape`.
        """
        lists = self._take_lists(columns)
        self._reject_missing(lists)
        lengths = list_lengths(lists)
        self._reject_lengths(lengths)
        items = self._take_items(lists)
        length = self.shape[0]
        is_full = lengths == length
        # All are full, as lists of a fixed size are: nothing is copied, and a mask is not needed.
        if self.mask_into is None and bool(is_full.all()):
            spread = items.reshape(len(lists), *self.shape)
            return {self.into: spread}
        # A longer list that was not rejected is cut.
        taken = np.minimum(lengths, length)
        places = np.arange(length)
        mask = places < taken[:, None]
        spread = self._spread(items, lengths, mask)
        made: NewColumns = {self.into: spread}
        if self.mask_into is not None:
            made[self.mask_into] = mask
        return made

    def count_numbers(self, widths: Widths) -> dict[str, int]:
        made = {self.into: prod(self.shape)}
        if self.mask_into is not None:
            made[self.mask_into] = self.shape[0]
        return made

    def _take_lists(self, columns: Columns) -> pa.Array:
        name = self.column
        column = get_column(columns, name, self.step)
        if isinstance(column, np.ndarray):
            raise JobError(
                f"preprocess step pad: column {name!r} is an array already, and no lists of numbers"
            )
        if not holds_numbers(column.type):
            raise JobError(
                f"preprocess step pad: column {name!r} is a {column.type}, and no lists of numbers"
            )
        levels = count_levels(column.type)
        wanted = len(self.shape)
        if levels != wanted:
            shape = list(self.shape)
            raise JobError(
                f"preprocess step pad: column {name!r} holds lists {levels} deep, and shape "
                f"{shape} is of lists {wanted} deep"
            )
        return column

    def _reject_missing(self, lists: pa.Array) -> None:
        missing = find_lists_with_missing(lists)
        if missing is not None:
            # Booleans are bits in Arrow, which numpy cannot look at without a copy.
            is_missing = missing.to_numpy(zero_copy_only=False)
            reject_where(is_missing, f"column {self.column!r}: a list is missing or lacks an item")

    def _reject_lengths(self, lengths: np.ndarray) -> None:
        # Before anything of that length is made.
        length = self.shape[0]
        if self.longer == "reject":
            is_longer = lengths > length
            why = f"column {self.column!r}: a list of more than {length:,} items"
            reject_where(is_longer, why)
        if self.shorter == "reject":
            is_shorter = lengths < length
            why = f"column {self.column!r}: a list of fewer than {length:,} items"
            reject_where(is_shorter, why)

    def _take_items(self, lists: pa.Array) -> np.ndarray:
        """Return the items of all lists one after the other, (items, *shape[1:]).

        Raises:
            RejectedRows: rows with an inner list of another length.
        """
        values = lists.flatten()
        inner_shape = self.shape[1:]
        # Which row each inner list is of; a list of numbers has none, and needs no such array.
        rows = np.empty(0, dtype=np.int64)
        if inner_shape:
            rows = _number_items(lists)
        for length in inner_shape:
            lengths = list_lengths(values)
            is_bad = np.zeros(len(lists), dtype=bool)
            bad_rows = rows[lengths != length]
            is_bad[bad_rows] = True
            why = f"column {self.column!r}: a list inside has not {length:,} items"
            reject_where(is_bad, why)
            rows = np.repeat(rows, length)
            values = values.flatten()
        numbers: np.ndarray = values.to_numpy(zero_copy_only=False)
        return numbers.reshape(-1, *inner_shape)

    def _spread(self, items: np.ndarray, lengths: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Return items in their rows, (rows, *shape), with zeros behind them.

        Args:
            items: those of all lists, (items, *shape[1:]).
            lengths: of each list, before any is cut.
            mask: bool (rows, shape[0]), true where an item belongs.
        """
        length = self.shape[0]
        shape = (len(lengths), *self.shape)
        spread = np.zeros(shape, dtype=items.dtype)
        longest = int(lengths.max(initial=0))
        # Where nothing is cut, no item is copied.
        if longest > length:
            is_taken = place_items(lengths) < length
            items = items[is_taken]
        # numpy takes the true places row by row, which is the order of the items.
        spread[mask] = items
        return spread


def _number_items(lists: pa.Array) -> np.ndarray:
    """Return which list each item is of, int64 (items,)."""
    numbers = np.arange(len(lists))
    lengths = list_lengths(lists)
    return np.repeat(numbers, lengths)
