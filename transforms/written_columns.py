"""What a job wants written of its rows. Who makes it is `postprocess.py`."""

from collections.abc import Sequence
from dataclasses import dataclass

from transforms.scores.options import ScoreColumns


@dataclass(frozen=True)
class WrittenColumns:
    """Which columns are written, and of which rows.

    Attributes:
        carried: names of key and pass-through columns.
        scores: how score columns are made.
        keep: old names of score columns, in the order to write them.
        where: filter expression over carried and (renamed) score columns, or None.
    """

    carried: Sequence[str]
    scores: ScoreColumns
    keep: Sequence[str]
    where: str | None = None
