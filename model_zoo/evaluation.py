"""Predicted labels against true ones: the usual numbers, by scikit-learn, as plain Python values and as text."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from sklearn import metrics

from configs.errors import InputError


@dataclass(frozen=True)
class Evaluation:
    """How good predictions are.

    Attributes:
        rows: how many rows were compared.
        labels: class names by class number, the order of the confusion matrix.
        precision, recall, f1: of the second label when there are two, else the mean over the labels (macro); 0 where undefined.
        roc_auc: with more than two labels the mean of one against the rest; None without scores or where undefined.
        confusion: rows are true labels, columns predicted ones.
    """

    rows: int
    labels: tuple[str, ...]
    accuracy: float
    precision: float
    recall: float
    f1: float
    roc_auc: float | None
    confusion: tuple[tuple[int, ...], ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain lists, numbers and strings, ready for JSON or YAML."""
        return asdict(self) | {"labels": list(self.labels), "confusion": [list(row) for row in self.confusion]}


def evaluate(truth: Sequence[str], predicted: Sequence[str], labels: Sequence[str], scores: np.ndarray | None = None) -> Evaluation:
    """Compare row by row.

    Args:
        truth, predicted: labels of the same rows in the same order.
        labels: class names by class number; of two, the second is the positive one.
        scores: probabilities, (rows,) of the second of two labels or (rows, labels); None when there are none.

    Raises:
        InputError: nothing to compare, a label that is not among `labels`, or scores of another shape.

    >>> evaluate(["a", "b", "b"], ["a", "b", "a"], ["a", "b"], np.array([0.1, 0.9, 0.4])).roc_auc
    1.0
    """
    _check(truth, predicted, labels, scores)
    names = list(labels)
    average = {"average": "binary", "pos_label": names[1]} if len(names) == 2 else {"average": "macro"}
    options = {"labels": names, "zero_division": 0, **average}
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(truth, predicted, **options)
    return Evaluation(
        rows=len(truth),
        labels=tuple(names),
        accuracy=float(metrics.accuracy_score(truth, predicted)),
        precision=float(precision),
        recall=float(recall),
        f1=float(f1),
        roc_auc=_roc_auc(truth, names, scores),
        confusion=tuple(tuple(map(int, row)) for row in metrics.confusion_matrix(truth, predicted, labels=names)),
    )


def render(evaluation: Evaluation) -> str:
    """The numbers and the confusion matrix as text."""
    kind = f"of {evaluation.labels[1]!r}" if len(evaluation.labels) == 2 else "mean over labels"
    auc = "undefined" if evaluation.roc_auc is None else f"{evaluation.roc_auc:.4f}"
    lines = [
        f"rows       {evaluation.rows}",
        f"accuracy   {evaluation.accuracy:.4f}",
        f"precision  {evaluation.precision:.4f}  ({kind})",
        f"recall     {evaluation.recall:.4f}  ({kind})",
        f"F1         {evaluation.f1:.4f}  ({kind})",
        f"ROC AUC    {auc}",
    ]
    return "\n".join([*lines, "", *_confusion_lines(evaluation)])


def _confusion_lines(evaluation: Evaluation) -> list[str]:
    table = [["true \\ predicted", *evaluation.labels]]
    table += [[name, *map(str, row)] for name, row in zip(evaluation.labels, evaluation.confusion, strict=True)]
    first = max(len(row[0]) for row in table)
    width = max(len(cell) for row in table for cell in row[1:])
    return [row[0].ljust(first) + "".join(cell.rjust(width + 2) for cell in row[1:]) for row in table]


def _roc_auc(truth: Sequence[str], labels: list[str], scores: np.ndarray | None) -> float | None:
    """Undefined when a label has no true row; for two labels a matrix of scores is as good as its second column."""
    if scores is None or set(truth) != set(labels):
        return None
    numbers = np.array([labels.index(t) for t in truth])
    if len(labels) == 2:
        return float(metrics.roc_auc_score(numbers, scores if scores.ndim == 1 else scores[:, 1]))
    # Probabilities computed in float32 may miss a sum of 1 by more than scikit-learn allows; scaled in float64 they do not.
    wide = scores.astype(np.float64)
    return float(metrics.roc_auc_score(numbers, wide / wide.sum(axis=1, keepdims=True), multi_class="ovr", average="macro"))


def _check(truth: Sequence[str], predicted: Sequence[str], labels: Sequence[str], scores: np.ndarray | None) -> None:
    if not len(truth) or len(truth) != len(predicted):
        raise InputError(f"there must be as many predictions as true labels, and at least one: {len(truth)} and {len(predicted)}")
    if len(labels) < 2 or len(set(labels)) != len(labels):
        raise InputError(f"there must be two labels or more, all different, got {list(labels)}")
    for what, values in (("true", truth), ("predicted", predicted)):
        if unknown := sorted(set(values) - set(labels)):
            raise InputError(f"the {what} label {unknown[0]!r} is not one of {list(labels)}")
    if scores is not None and scores.shape not in {(len(truth), len(labels)), *([(len(truth),)] if len(labels) == 2 else [])}:
        raise InputError(f"probabilities of shape {scores.shape} do not fit {len(truth)} rows and {len(labels)} labels")
