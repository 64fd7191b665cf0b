"""Step `pad`: lists as the array of one shape that a network takes, with a mask for what is padding.

    [[1, 2], [3], [4, 5, 6]]  --  shape [4]  ->  1 2 0 0     mask  1 1 0 0
                                                 3 0 0 0           1 0 0 0
                                                 4 5 6 0           1 1 1 0

Every row is padded to the same length, whichever rows are beside it: a score must not depend on them.
"""

from math import prod
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from model_zoo.steps.arrays import Padding, pad_lists
from model_zoo.steps.columns import Columns, NewColumns
from model_zoo.steps.step import Length, StepModel, Widths

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
        padding = Padding(self.column, self.shape, self.longer, self.shorter)
        padded = pad_lists(columns, padding)
        made: NewColumns = {self.into: padded.items}
        if self.mask_into is not None:
            made[self.mask_into] = padded.make_mask()
        return made

    def count_numbers(self, widths: Widths) -> dict[str, int]:
        made = {self.into: prod(self.shape)}
        if self.mask_into is not None:
            made[self.mask_into] = self.shape[0]
        return made
