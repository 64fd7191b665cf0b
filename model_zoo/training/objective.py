"""What a network is to learn, and the loss that says how far it is from it."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from torch import nn

Task: TypeAlias = Literal["classification", "multi_label", "regression"]
Activation: TypeAlias = Literal["sigmoid", "softmax", "none"]
Loss: TypeAlias = Literal["squared", "huber", "absolute"]


@dataclass(frozen=True)
class Objective:
    """What the outputs are compared with, and how.

    Attributes:
        task: what is learned.
        activation: what makes probabilities of the outputs, which are logits: `sigmoid` of one number
            a row (two classes) or one for each label, `softmax` of one for each class; `none` of a
            regression's.
        class_weights: how much a row of each class counts, by class number, for label sets a row
            that has the label; none for all alike.
        loss: of a regression.
        output: name of the network's output that is compared; by default the only one, or `logits`.
    """

    task: Task
    activation: Activation
    class_weights: tuple[float, ...] = ()
    loss: Loss = "squared"
    output: str | None = None

    def make_loss(self) -> nn.Module:
        """Return what gives the mean loss of outputs and targets."""
        if self.activation == "sigmoid":
            return nn.BCEWithLogitsLoss()
        if self.activation == "softmax":
            return nn.CrossEntropyLoss()
        return nn.MSELoss()
