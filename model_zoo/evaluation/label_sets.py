"""Compare predicted label sets with true ones: the usual figures, by scikit-learn, and as text."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from sklearn import metrics

from configs.errors import InputError
from model_zoo.evaluation.shares import render_share

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
        # `asdict` leaves it a tuple.
        values["labels"] = list(values["labels"])
        return values

    def render(self) -> str:
        """Return the figures as text; of many labels those that most rows have."""
        mean = render_share(self.mean_average_precision)
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
        lines += _render_labels(self.labels)
        return "\n".join(lines)


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
    rows = len(truth)
    if not rows or not names:
        raise InputError("there is no row, or no label, to compare")
    if probabilities is not None and probabilities.shape != truth.shape:
        raise InputError(
            f"probabilities of shape {probabilities.shape} do not fit {rows} rows and "
            f"{truth.shape[1]} labels"
        )
    micro = _measure(truth, predicted, "micro")
    macro = _measure(truth, predicted, "macro")
    labels = _measure_labels(truth, predicted, names, probabilities)
    # Labels that no row has are left out of the mean.
    averages = [label.average_precision for label in labels]
    known = [average for average in averages if average is not None]
    exact_match = metrics.accuracy_score(truth, predicted)
    hamming_loss = metrics.hamming_loss(truth, predicted)
    # Plain Python values: numpy's own do not become JSON or YAML.
    return LabelSetFigures(
        rows=rows,
        exact_match=float(exact_match),
        hamming_loss=float(hamming_loss),
        micro_precision=micro.precision,
        micro_recall=micro.recall,
        micro_f1=micro.f1,
        macro_precision=macro.precision,
        macro_recall=macro.recall,
        macro_f1=macro.f1,
        mean_average_precision=float(np.mean(known)) if known else None,
        labels=tuple(labels),
    )


class _Means(NamedTuple):
    precision: float
    recall: float
    f1: float


def _measure(truth: np.ndarray, predicted: np.ndarray, average: str) -> _Means:
    """Return figures of all labels together."""
    # Told what to give where a figure is undefined, scikit-learn does not warn of it.
    figures = metrics.precision_recall_fscore_support(
        truth, predicted, average=average, zero_division=0
    )
    # The fourth, true rows of each label, is None for a mean.
    precision, recall, f1, _ = figures
    return _Means(float(precision), float(recall), float(f1))


def _measure_labels(
    truth: np.ndarray,
    predicted: np.ndarray,
    names: Sequence[str],
    probabilities: np.ndarray | None,
) -> list[LabelFigures]:
    """Return the figures of each label, in the order of the labels."""
    precision, recall, f1, true_rows = metrics.precision_recall_fscore_support(
        truth, predicted, average=None, zero_division=0
    )
    averages = _list_average_precisions(truth, probabilities)
    # In the order of the fields; lists, as numpy's own numbers do not become JSON or YAML.
    columns = (
        true_rows.tolist(),
        precision.tolist(),
        recall.tolist(),
        f1.tolist(),
        averages,
    )
    labels = []
    for name, *figures in zip(names, *columns, strict=True):
        of_label = LabelFigures(name, *figures)
        labels.append(of_label)
    return labels


def _list_average_precisions(
    truth: np.ndarray,
    probabilities: np.ndarray | None,
) -> list[float | None]:
    """Return one for each label; None where it is undefined."""
    labels = truth.shape[1]
    if probabilities is None:
        return [None] * labels
    averages: list[float | None] = []
    for label in range(labels):
        is_true = truth[:, label]
        # Of a label that no row has, there is nothing to find.
        if not is_true.any():
            averages.append(None)
            continue
        scores = probabilities[:, label]
        average = metrics.average_precision_score(is_true, scores)
        averages.append(float(average))
    return averages


def _render_labels(labels: Sequence[LabelFigures]) -> list[str]:
    shown = list(labels)
    lines = []
    if len(labels) > _MOST_SHOWN_LABELS:
        # Stable, so that of equally frequent labels the first ones come first.
        frequent_first = sorted(labels, key=_rank_frequency)
        shown = frequent_first[:_MOST_SHOWN_LABELS]
        lines.append(f"the {_MOST_SHOWN_LABELS} most frequent labels (--json has all):")
    heading = "label"
    width = len(heading)
    for figures in shown:
        width = max(width, len(figures.label))
    lines.append(f"{heading:<{width}}  true rows  precision  recall      F1")
    for figures in shown:
        line = _render_label(figures, width)
        lines.append(line)
    return lines


def _rank_frequency(figures: LabelFigures) -> int:
    return -figures.true_rows


def _render_label(figures: LabelFigures, width: int) -> str:
    return (
        f"{figures.label:<{width}}  {figures.true_rows:>9}  {figures.precision:>9.4f}  "
        f"{figures.recall:.4f}  {figures.f1:.4f}"
    )
