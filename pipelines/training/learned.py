"""What a training comes to."""

from collections.abc import Mapping
from dataclasses import dataclass

from model_zoo.training.epoch import Epoch
from pipelines.training.figures import Figures, Scored


@dataclass(frozen=True)
class Learned:
    """A network with the weights of its best epoch, and how good it is.

    Attributes:
        epochs: of the training.
        scored: validation and test, by name.
        figures: of the same.
        notes: what a person should know, in words.
    """

    epochs: tuple[Epoch, ...]
    scored: Mapping[str, Scored]
    figures: Mapping[str, Figures]
    notes: tuple[str, ...] = ()
