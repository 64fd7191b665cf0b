"""What is known of one measure of a column before a run, by which its rows are counted."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from transforms.summaries.numbers import CutPoints

# `length`: bytes of texts and of binary values, items of lists; `brightness`: means of pictures as the
# network takes them; `width`, `height`: of pictures as they are stored.
Measure: TypeAlias = Literal["value", "length", "brightness", "width", "height"]


@dataclass(frozen=True)
class Known:
    """What a reference says of one measure of a column.

    Attributes:
        cuts: what to count numbers by.
        values: all values that it has; None where they are not known.
    """

    cuts: CutPoints | None = None
    values: frozenset[str] | None = None
