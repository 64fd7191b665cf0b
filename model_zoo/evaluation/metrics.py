"""Compare predicted labels with true ones: the usual numbers, by scikit-learn, and as text."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from sklearn import metrics

from configs.errors import InputError
from configs.fields import Fields
from model_zoo.evaluation.shares import render_share

# A wider matrix fits no screen.
_MOST_SHOWN_LABELS = 20
_SHOWN_CONFUSIONS = 10


@dataclass(frozen=True)
class Evaluation:
    """The figures that tell how good predictions are.

    Attributes:
        rows: how many rows were compared.
        labels: class names by class number, the order of the confusion matrix.
        precision, recall, f1: of the second label when there are two, else the mean over the labels
            (macro); 0 where undefined.
        roc_auc: with more than two labels the mean of one against the rest; None without scores or
            where undefined.
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

    def as_dict(self) -> Fields:
        """Return plain lists, numbers and strings, ready for JSON or YAML."""
        values = asdict(self)
        values["labels"] = list(self.labels)
        values["confusion"] = list(map(list, self.confusion))
        return values


def evaluate(
    truth: Sequence[str],
    predicted: Sequence[str],
    labels: Sequence[str],
    scores: np.ndarray | None = None,
) -> Evaluation:
    """Compare row by row.

    Args:
        truth, predicted: labels of the same rows in the same order.
        labels: class names by class number; of two, the second is the positive one.
        scores: probabilities, (rows,) of the second of two labels or (rows, labels); None when there
            are none.

    Raises:
        InputError: nothing to compare, a label that is not among `labels`, or scores of another
            shape.

    >>> evaluate(["a", "b", "b"], ["a", "b", "a"], ["a", "b"], np.array([0.1, 0.9, 0.4])).roc_auc
    1.0
    """
    names = list(labels)
    _check_labels(truth, predicted, names)
    _check_scores(scores, len(truth), len(names))
    # By their numbers: scikit-learn would sort the texts of all rows for each of the figures.
    true_numbers = _number(truth, names)
    numbers = _number(predicted, names)
    all_numbers = list(range(len(names)))
    options: Fields = {
        "labels": all_numbers,
        "zero_division": 0,
        "average": "macro",
    }
    # With two labels everybody means the positive one, and not the mean of both.
    if len(names) == 2:
        options["average"] = "binary"
        options["pos_label"] = 1
    # The fourth, true rows of each label, is None for a mean.
    figures = metrics.precision_recall_fscore_support(true_numbers, numbers, **options)
    precision, recall, f1, _ = figures
    confusion = metrics.confusion_matrix(true_numbers, numbers, labels=all_numbers)
    accuracy = np.mean(true_numbers == numbers)
    roc_auc = _compute_roc_auc(true_numbers, len(names), scores)
    # Plain Python values: numpy's own do not become JSON or YAML.
    return Evaluation(
        rows=len(truth),
        labels=tuple(names),
        accuracy=float(accuracy),
        precision=float(precision),
        recall=float(recall),
        f1=float(f1),
        roc_auc=roc_auc,
        confusion=tuple(map(tuple, confusion.tolist())),
    )


def render(evaluation: Evaluation) -> str:
    """Return the numbers as text, and the confusion matrix; of many labels the largest confusions."""
    kind = "mean over labels"
    if len(evaluation.labels) == 2:
        kind = f"of {evaluation.labels[1]!r}"
    lines = [
        f"rows       {evaluation.rows}",
        f"accuracy   {evaluation.accuracy:.4f}",
        f"precision  {evaluation.precision:.4f}  ({kind})",
        f"recall     {evaluation.recall:.4f}  ({kind})",
        f"F1         {evaluation.f1:.4f}  ({kind})",
        f"ROC AUC    {render_share(evaluation.roc_auc)}",
        "",
    ]
    if len(evaluation.labels) > _MOST_SHOWN_LABELS:
        lines += _render_largest_confusions(evaluation)
    else:
        lines += _render_confusion(evaluation)
    return "\n".join(lines)


def _render_largest_confusions(evaluation: Evaluation) -> list[str]:
    labels = evaluation.labels
    matrix = np.array(evaluation.confusion)
    # What was right is no confusion.
    np.fill_diagonal(matrix, 0)
    # Stable, so that of equal counts the first labels come first.
    order = np.argsort(-matrix, axis=None, kind="stable")
    lines = [f"{len(labels)} labels; the most frequent confusions (--json has the whole matrix):"]
    for place in order[:_SHOWN_CONFUSIONS]:
        # Places count along the rows of the matrix, one after the other.
        true, predicted = divmod(int(place), len(labels))
        count = int(matrix[true, predicted])
        if count:
            true_label = labels[true]
            other_label = labels[predicted]
            lines.append(f"{count:>7,}  true {true_label!r}, predicted {other_label!r}")
    return lines


def _render_confusion(evaluation: Evaluation) -> list[str]:
    names = ["true \\ predicted", *evaluation.labels]
    table = [list(evaluation.labels)]
    for row in evaluation.confusion:
        cells = [str(count) for count in row]
        table.append(cells)

    names_width = max(map(len, names))
    widths: list[int] = []
    for cells in table:
        widths += map(len, cells)
    # Two spaces between columns, so that long numbers do not run together.
    cell_width = 2 + max(widths)
    lines = []
    for name, cells in zip(names, table, strict=True):
        line = name.ljust(names_width)
        for cell in cells:
            line += cell.rjust(cell_width)
        lines.append(line)
    return lines


def _number(values: Sequence[str], labels: list[str]) -> np.ndarray:
    """Return the number of each row's label."""
    by_label = {label: number for number, label in enumerate(labels)}
    numbers = [by_label[value] for value in values]
    return np.array(numbers)


def _compute_roc_auc(
    numbers: np.ndarray,
    labels: int,
    scores: np.ndarray | None,
) -> float | None:
    """Return the area under the ROC curve; None without scores, or where a label has no true row.

    Args:
        numbers: of the true labels, by row.
        labels: how many there are.
        scores: as for `evaluate`.
    """
    if scores is None:
        return None
    if len(np.unique(numbers)) != labels:
        return None

    if labels == 2:
        # A matrix of scores is as good as its second column.
        positive = scores
        if scores.ndim != 1:
            positive = scores[:, 1]
        area = metrics.roc_auc_score(numbers, positive)
        return float(area)

    # Probabilities computed in float32 may miss a sum of 1 by more than scikit-learn allows; scaled
    # in float64 they do not.
    wide = scores.astype(np.float64)
    sums = wide.sum(axis=1, keepdims=True)
    wide = wide / sums
    area = metrics.roc_auc_score(
        numbers,
        wide,
        multi_class="ovr",
        average="macro",
    )
    return float(area)


def _check_labels(
    truth: Sequence[str],
    predicted: Sequence[str],
    labels: list[str],
) -> None:
    rows = len(truth)
    predictions = len(predicted)
    if rows == 0 or rows != predictions:
        raise InputError(
            "there must be as many predictions as true labels, and at least one: "
            f"{rows} and {predictions}"
        )
    distinct = len(set(labels))
    are_different = distinct == len(labels)
    if len(labels) < 2 or not are_different:
        raise InputError(f"there must be two labels or more, all different, got {labels}")
    _refuse_unknown("true", truth, labels)
    _refuse_unknown("predicted", predicted, labels)


def _refuse_unknown(
    what: str,
    values: Sequence[str],
    labels: list[str],
) -> None:
    unknown = set(values) - set(labels)
    if unknown:
        # Of several the first, so that the same rows give the same message.
        first = min(unknown)
        raise InputError(f"the {what} label {first!r} is not one of {labels}")


def _check_scores(scores: np.ndarray | None, rows: int, labels: int) -> None:
    if scores is None:
        return
    allowed: list[tuple[int, ...]] = [(rows, labels)]
    # One number a row says all that there is to say about two labels.
    if labels == 2:
        allowed.append((rows,))
    if scores.shape not in allowed:
        raise InputError(
            f"probabilities of shape {scores.shape} do not fit {rows} rows and {labels} labels"
        )
