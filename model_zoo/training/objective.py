"""What a network is to learn, and the loss that says how far it is from it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import torch
from torch.nn import functional

from configs.errors import ModelError

Task: TypeAlias = Literal["classification", "multi_label", "regression"]
Activation: TypeAlias = Literal["sigmoid", "softmax", "none"]
Loss: TypeAlias = Literal["squared", "huber", "absolute"]

# Each takes outputs and targets.
_LOSSES: dict[Loss, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "squared": functional.mse_loss,
    "huber": functional.huber_loss,
    "absolute": functional.l1_loss,
}
_compare_bits = functional.binary_cross_entropy_with_logits
# Rows, and a number for each class or label.
_DIMENSIONS = 2
# Of what there is for a row.
Shape: TypeAlias = tuple[int, ...]


@dataclass(frozen=True)
class Objective:
    """What the outputs are compared with, and how.

    Attributes:
        task: what is learned.
        activation: what makes probabilities of the outputs, which are logits: `sigmoid` of one number
            a row (two classes) or one for each label, `softmax` of one for each class; `none` of a
            regression's.
        class_weights: how much a row of each class counts, by class number; of label sets how much it
            counts that a row has the label, beside that it has not. None for all alike.
        loss: of a regression: squared error, absolute error, or Huber's, which is the first up to an
            error of 1 and the second beyond.
        output: name of the network's output that is compared; by default the only one, or `logits`.
        classes: how many there are; None for as many as the outputs have.
    """

    task: Task
    activation: Activation
    class_weights: tuple[float, ...] = ()
    loss: Loss = "squared"
    output: str | None = None
    classes: int | None = None

    def check(
        self,
        output: torch.Tensor,
        targets: np.ndarray,
    ) -> None:
        """Refuse outputs that cannot be compared.

        Args:
            output: of some rows, (rows, ...).
            targets: of all rows.

        Raises:
            ModelError: it has another shape, or another number of classes.
        """
        if not output.is_floating_point():
            raise ModelError(
                f"the network's output is {output.dtype}, and a loss needs fractions: "
                "let it give logits or numbers, and not classes"
            )
        fitted = _squeeze(output, targets.ndim)
        found = tuple(fitted.shape[1:])
        if self.activation == "softmax":
            wanted = self._refuse_classes(found, targets)
        else:
            wanted = self._refuse_numbers(found, targets)
        if wanted is not None:
            given = _describe(found)
            raise ModelError(
                f"the network gives {given} a row, which does not suit the loss: {wanted}"
            )

    def _refuse_classes(
        self,
        found: Shape,
        targets: np.ndarray,
    ) -> str | None:
        """Return what logits of classes there are to be; None where there are."""
        highest = targets.max(initial=0)
        # No training row may be of the last class.
        classes = self.classes or int(highest) + 1
        if len(found) == _DIMENSIONS - 1:
            (logits,) = found
            is_free = self.classes is None
            if logits == classes or (is_free and logits > classes):
                return None
        return f"there are {classes} classes, and softmax takes a logit for each"

    def _refuse_numbers(
        self,
        found: Shape,
        targets: np.ndarray,
    ) -> str | None:
        """Return what numbers there are to be; None where there are."""
        wanted = tuple(targets.shape[1:])
        if found == wanted:
            return None
        described = _describe(wanted)
        return f"{self.task} with {self.activation} has {described}"

    def compute(
        self,
        output: torch.Tensor,
        targets: torch.Tensor,
    ) -> torch.Tensor:
        """Return the mean loss of a mini-batch, a weighted one where classes have weights.

        Args:
            output: (rows, ...), logits or numbers.
            targets: (rows,) or (rows, numbers).
        """
        fitted = _squeeze(output, targets.ndim)
        # Sums of losses in 16 bits would lose most of them.
        if fitted.dtype in (torch.bfloat16, torch.float16):
            fitted = fitted.float()
        weights = None
        if self.class_weights:
            weights = fitted.new_tensor(self.class_weights)
        # All take logits: the loss of a probability that was rounded to 0 or 1 would be infinite.
        if self.activation == "softmax":
            return functional.cross_entropy(fitted, targets, weight=weights)
        numbers = targets.to(fitted.dtype)
        if self.task == "regression":
            compare = _LOSSES[self.loss]
            return compare(fitted, numbers)
        if self.task == "multi_label":
            return _compare_bits(fitted, numbers, pos_weight=weights)
        if weights is None:
            return _compare_bits(fitted, numbers)
        return _compare_weighted(fitted, targets, weights)

    def weigh(self, targets: np.ndarray) -> float:
        """Return what the mean loss of these rows counts beside others': rows, or their weights."""
        if self.task != "classification" or not self.class_weights:
            return float(len(targets))
        weights = np.asarray(self.class_weights)
        classes = targets.astype(np.int64)
        of_rows = weights[classes]
        return float(of_rows.sum())


def _compare_weighted(
    logits: torch.Tensor,
    targets: torch.Tensor,
    weights: torch.Tensor,
) -> torch.Tensor:
    """Return the mean loss of two classes, weighted as torch weighs one of several.

    Args:
        logits: (rows,), of the second class.
        targets: (rows,), 0 or 1.
        weights: (2,), of each class.
    """
    classes = targets.long()
    of_rows = weights[classes]
    numbers = targets.to(logits.dtype)
    total = _compare_bits(logits, numbers, weight=of_rows, reduction="sum")
    return total / of_rows.sum()


def balance(
    targets: np.ndarray,
    classes: int,
) -> tuple[float, ...]:
    """Return weights with which each class counts as much as any other, as scikit-learn has them.

    Args:
        targets: class numbers (rows,), each class at least once.
        classes: how many.

    >>> balance(np.array([0, 0, 0, 1]), 2)
    (0.6666666666666666, 2.0)
    """
    numbers = targets.astype(np.int64)
    counts = np.bincount(numbers, minlength=classes)
    weights = len(targets) / (classes * counts)
    return tuple(weights.tolist())


def balance_labels(targets: np.ndarray) -> tuple[float, ...]:
    """Return weights with which having a label counts as much as not having it.

    Args:
        targets: 0 or 1, (rows, labels), each label at least once.

    >>> balance_labels(np.array([[1, 0], [1, 0], [1, 0], [0, 1]]))
    (0.3333333333333333, 3.0)
    """
    has_label = targets > 0
    positive = has_label.sum(axis=0)
    negative = len(targets) - positive
    weights = negative / positive
    return tuple(weights.tolist())


def _squeeze(
    output: torch.Tensor,
    dimensions: int,
) -> torch.Tensor:
    """Return (rows, 1) as (rows,) where targets have one number a row."""
    is_list_of_one = output.ndim == _DIMENSIONS and output.shape[1] == 1
    if dimensions == 1 and is_list_of_one:
        return output[:, 0]
    return output


def _describe(shape: Shape) -> str:
    if not shape:
        return "one number"
    if len(shape) == 1:
        (count,) = shape
        return f"{count} numbers"
    return f"numbers of shape {shape}"
