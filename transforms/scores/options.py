"""How score columns are made: what a job and its model say of them. Who makes them is `score_columns.py`."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pyarrow import DataType


@dataclass(frozen=True)
class ScoreColumns:
    """How score columns are made.

    Attributes:
        activation: `sigmoid`, `softmax` or `none`.
        labels: class names by class number, or none.
        threshold: sigmoid: from this probability on, the class is 1, or a row has a label.
        thresholds: sigmoid over labels: by label, of those that have another.
        top_k: how many of the best classes `top_*` hold.
        numbers: none: names of the numbers of the only output, or none.
        tokens: how many tokens an output has room for that is given for each token; None where
            rows have no tokens.
        rename: new names of score columns, by old name.
        dtypes: Arrow types of score columns, by new name, where the natural one is not wanted.
        constants: text columns of one value for every row (model name, version, digest).
        with_source: whether the file and the number of each row follow, see `source_columns.py`.
    """

    activation: str
    labels: tuple[str, ...] = ()
    threshold: float = 0.5
    top_k: int = 1
    rename: Mapping[str, str] = field(default_factory=dict)
    dtypes: Mapping[str, DataType] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    thresholds: Mapping[str, float] = field(default_factory=dict)
    numbers: tuple[str, ...] = ()
    tokens: int | None = None
    with_source: bool = False
