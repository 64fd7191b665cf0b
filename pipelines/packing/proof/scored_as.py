"""How scores are made of what a model gives."""

from dataclasses import dataclass

from transforms.scores.options import ScoreColumns
from transforms.scores.tokens import Places


@dataclass(frozen=True)
class ScoredAs:
    """How scores are made of outputs.

    Attributes:
        how: activation, labels and the like.
        places: of the rows' tokens, where they have any.
    """

    how: ScoreColumns
    places: Places | None = None
