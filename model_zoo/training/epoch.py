"""What is told of a training while it goes on, and at its end."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class Epoch:
    """One pass over the training rows.

    Attributes:
        number: counted from 1.
        training_loss, validation_loss: means per row.
        best: whether no earlier validation loss was as low.
        learning_rate: of its last step.
        seconds: that it took.
    """

    number: int
    training_loss: float
    validation_loss: float
    best: bool
    learning_rate: float
    seconds: float


@dataclass(frozen=True)
class Step:
    """One change of the weights.

    Attributes:
        epoch: counted from 1.
        number: in its epoch, counted from 1.
        steps: that the epoch has.
    """

    epoch: int
    number: int
    steps: int


OnEpoch: TypeAlias = Callable[[Epoch], None]
OnStep: TypeAlias = Callable[[Step], None]


def find_best(epochs: Sequence[Epoch]) -> Epoch | None:
    """Return the epoch of lowest validation loss, the first of several; None of none."""
    # The first one is the best so far, so there always is one.
    best_so_far = [epoch for epoch in epochs if epoch.best]
    return best_so_far[-1] if best_so_far else None
