"""Compare predicted label sets with true ones: the usual figures, by scikit-learn, and as text."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from sklearn import metrics

from configs.errors import InputError

# More fit no screen.
_MOST_SHOWN_LABELS = 20


@dataclass(frozen=True)
class LabelFigures:
    """The figures of one label.

    Attributes:
        true_rows: rows that have it.
        average_precision: of its probabilities; None without them, or where no row has it.
    """

    label: str
    true_rows: int
    precision: float
    recall: float
    f1: float
    average_precision: float | None


@dataclass(frozen=True)
class LabelSetFigures:
    """The figures that tell how good predicted label sets are.

    Attributes:
        rows: how many rows were compared.
        exact_match: share of rows with exactly their labels.
        hamming_loss: share of all pairs of row and label that are wrong.
        micro_precision, micro_recall, micro_f1: over all pairs of row and label.
        macro_precision, macro_recall, macro_f1: means over labels; 0 where undefined.
        mean_average_precision: over labels that a row has; None without probabilities.
        labels: figures of each label, in the order of the labels.
    """

    rows: int
    exact_match: float
    hamming_loss: float
    micro_precision: float
    micro_recall: float
    micro_f1: float
    macro_precision: float
    macro_recall: float
    macro_f1: float
    mean_average_precision: float | None
    labels: tuple[LabelFigures, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return plain lists, numbers and strings, ready for JSON or YAML."""
        values = asdict(self)
        values["labels"] = list(values["labels"])
        return values

    def render(self) -> str:
        """Return the figures as text; of many labels those that most rows have."""
        mean = "undefined"
        if self.mean_average_precision is not None:
            mean = f"{self.mean_average_precision:.4f}"
        micro = f"(precision {self.micro_precision:.4f}, recall {self.micro_recall:.4f})"
        macro = f"(precision {self.macro_precision:.4f}, recall {self.macro_recall:.4f})"
        lines = [
            f"rows                    {self.rows}",
            f"labels                  {len(self.labels)}",
            f"exact match             {self.exact_match:.4f}",
            f"Hamming loss            {self.hamming_loss:.4f}",
            f"micro F1                {self.micro_f1:.4f}  {micro}",
            f"macro F1                {self.macro_f1:.4f}  {macro}",
            f"mean average precision  {mean}",
            "",
        ]
        return "\n".join([*lines, *_render_labels(self.labels)])


def compare_label_sets(
    truth: np.ndarray,
    predicted: np.ndarray,
    names: Sequence[str],
    probabilities: np.ndarray | None = None,
) -> LabelSetFigures:
    """Compare row by row.

    Args:
        truth, predicted: int8 (rows, labels), 1 where a row has a label.
        names: of the labels.
        probabilities: float (rows, labels); None where there are none.

    Raises:
        InputError: there is nothing to compare, or probabilities of another shape.
    """
    if not truth.shape[0] or not names:
        raise InputError("there is no row, or no label, to compare")
    if probabilities is not None and probabilities.shape != truth.shape:
        raise InputError(
            f"probabilities of shape {probabilities.shape} do not fit {truth.shape[0]} rows and "
            f"{truth.shape[1]} labels"
        )
    micro = _measure(truth, predicted, "micro")
    macro = _measure(truth, predicted, "macro")
    precision, recall, f1, true_rows = metrics.precision_recall_fscore_support(
        truth, predicted, average=None, zero_division=0
    )
    averages = _list_average_precisions(truth, probabilities)
    labels = [
        LabelFigures(name, *figures)
        for name, *figures in zip(
            names,
            true_rows.tolist(),
            precision.tolist(),
            recall.tolist(),
            f1.tolist(),
            averages,
            strict=True,
        )
    ]
    known = [average for average in averages if average is not None]
    return LabelSetFigures(
        rows=truth.shape[0],
        exact_match=float(metrics.accuracy_score(truth, predicted)),
        hamming_loss=float(metrics.hamming_loss(truth, predicted)),
        micro_precision=micro[0],
        micro_recall=micro[1],
        micro_f1=micro[2],
        macro_precision=macro[0],
        macro_recall=macro[1],
        macro_f1=macro[2],
        mean_average_precision=float(np.mean(known)) if known else None,
        labels=tuple(labels),
    )


def _measure(truth: np.ndarray, predicted: np.ndarray, average: str) -> tuple[float, float, float]:
    """Return precision, recall and F1."""
    figures = metrics.precision_recall_fscore_support(
        truth, predicted, average=average, zero_division=0
    )
    # The fourth, true rows of each label, is None for a mean.
    precision, recall, f1, _ = figures
    return float(precision), float(recall), float(f1)


def _list_average_precisions(
    truth: np.ndarray, probabilities: np.ndarray | None
) -> list[float | None]:
    """Return one for each label; None where it is undefined."""
    labels = truth.shape[1]
    if probabilities is None:
        return [None] * labels
    averages: list[float | None] = []
    for label in range(labels):
        is_true = truth[:, label]
        average = None
        if is_true.any():
            average = float(metrics.average_precision_score(is_true, probabilities[:, label]))
        averages.append(average)
    return averages


def _render_labels(labels: Sequence[LabelFigures]) -> list[str]:
    shown = list(labels)
    lines = []
    if len(labels) > _MOST_SHOWN_LABELS:
        # Stable, so that of equally frequent labels the first ones come first.
        shown = sorted(labels, key=lambda figures: -figures.true_rows)[:_MOST_SHOWN_LABELS]
        lines.append(f"the {len(shown)} most frequent labels (--json has all):")
    width = max(len("label"), *(len(figures.label) for figures in shown))
    lines.append(f"{'label':<{width}}  true rows  precision  recall      F1")
    return [*lines, *(_render_label(figures, width) for figures in shown)]


def _render_label(figures: LabelFigures, width: int) -> str:
    return (
        f"{figures.label:<{width}}  {figures.true_rows:>9}  {figures.precision:>9.4f}  "
        f"{figures.recall:.4f}  {figures.f1:.4f}"
    )
