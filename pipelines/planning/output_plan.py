"""The columns and files that a run writes."""

from dataclasses import dataclass

from model_zoo.steps.tokenize import TokenText
from transforms.formats.output import FileFormat
from transforms.scores.options import ScoreColumns


@dataclass(frozen=True)
class OutputPlan:
    """The columns and files that come out.

    Attributes:
        scores: how score columns are made.
        keep: old names of the score columns that are written, in their order.
        file_format: all columns with their types, and how files look.
        text: that tokens are cut from, where their places are written or filtered by.
        nested: score columns that are lists of lists, which older versions wrote as flat ones.
    """

    scores: ScoreColumns
    keep: tuple[str, ...]
    file_format: FileFormat
    text: TokenText | None = None
    nested: tuple[str, ...] = ()
