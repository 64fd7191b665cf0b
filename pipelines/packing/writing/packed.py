"""What packaging gives, whatever was packed."""

from dataclasses import dataclass
from typing import NamedTuple

from configs.fields import Names
from model_zoo.package.card import ModelCard
from model_zoo.steps.table import AnyStep


class Written(NamedTuple):
    """A package and its job, as they lie in the store.

    Attributes:
        digest: of the package.
        command: that scores with the job.
        starter: path of the job.
    """

    digest: str
    command: str
    starter: str


@dataclass(frozen=True)
class Packed:
    """What was packed, and how it was proven.

    Attributes:
        card: as it was written.
        written: the package and its job.
        steps: fitted preprocessing.
        notes: what was found or taken off on the way, in words.
        rows: rows of the sample that were scored both ways.
        left_out: rows of the sample that the contract rejects.
        difference: the largest one between scores of this program and those of the author's model.
        compared_with: how the author's model was called, in words.
        expected: how far the author's own scores are from these, in words.
        forms: what became of other forms of the model than the one that was proven, in words.
        warnings: what the author may not have meant, in words.
    """

    card: ModelCard
    written: Written
    steps: tuple[AnyStep, ...]
    notes: Names
    rows: int
    left_out: int
    difference: float
    compared_with: str = "the network called directly"
    expected: Names = ()
    forms: Names = ()
    warnings: Names = ()
