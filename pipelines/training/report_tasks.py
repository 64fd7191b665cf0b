"""What the report tells of how good the model is: the figures of its task, and where it errs."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import numpy as np
from sklearn import metrics

from model_zoo.evaluation.label_sets import LabelSetFigures
from model_zoo.evaluation.metrics import Evaluation
from model_zoo.evaluation.regression import RegressionFigures, SeveralFigures
from model_zoo.evaluation.shares import render_share
from pipelines.training.figures import Figures, Names, Scored, Task, measure, predict_classes
from pipelines.training.report_curves import (
    Calibration,
    Histogram,
    Question,
    find_calibration,
    find_density,
    find_histogram,
    find_precision_recall,
    find_roc,
    list_questions,
)
from pipelines.training.report_page import Cell, Part, Picture, Section, Shaded, Table
from pipelines.training.report_plots import (
    draw_calibration,
    draw_density,
    draw_histogram,
    draw_precision_recall,
    draw_roc,
)

# As many as a matrix can have and still be read; of more, the largest confusions are listed.
_MOST_IN_A_MATRIX = 20
_SHOWN_CONFUSIONS = 20
# Numbers of a regression that have pictures; of all there are figures.
_MOST_PICTURED = 4


def make_figures_section(task: Task, labels: Names, scored: Mapping[str, Scored]) -> Section:
    """Return the figures of each part side by side.

    Args:
        task: what the scores are.
        labels: their names.
        scored: the parts, by name.

    Raises:
        InputError: as `measure`.
    """
    listed = {}
    for name, part in scored.items():
        figures = measure(task, labels, part)
        of_part = _list_figures(figures)
        if task == "classification":
            of_part |= _list_baseline(part)
        listed[name] = of_part

    # Each once, in the order in which they come: a part may have figures that another has not.
    names = dict.fromkeys(name for of_part in listed.values() for name in of_part)
    rows = []
    for name in names:
        values = [of_part.get(name, "") for of_part in listed.values()]
        rows.append((name, *values))
    table = Table("", ("", *listed), rows)
    return Section("How good it is", (), (table,))


def make_error_sections(
    task: Task, labels: Names, scored: Mapping[str, Scored], is_drawn: bool
) -> list[Section]:
    """Return where the model errs, a section for the last part: of those, test before validation.

    Args:
        task: what the scores are.
        labels: their names.
        scored: the parts, by name.
        is_drawn: whether there are pictures.
    """
    if not scored:
        return []
    *_, (name, part) = scored.items()
    make = _MAKERS[task]
    parts = make(labels, part, is_drawn)
    rows = f"{len(part.truth):,} rows of the part {name}."
    return [Section(f"Where it errs: {name}", (rows,), tuple(parts))]


def _list_figures(figures: Figures) -> dict[str, str]:
    """Return figures by name, in words."""
    if isinstance(figures, Evaluation):
        return _list_class_figures(figures)
    if isinstance(figures, LabelSetFigures):
        return {
            "rows": f"{figures.rows:,}",
            "exactly the right labels": render_share(figures.exact_match),
            "Hamming loss": render_share(figures.hamming_loss),
            "micro F1": render_share(figures.micro_f1),
            "macro F1": render_share(figures.macro_f1),
            "mean average precision": render_share(figures.mean_average_precision),
        }
    if isinstance(figures, SeveralFigures):
        return _list_regression_figures(figures.mean, " (mean over numbers)")
    return _list_regression_figures(figures, "")


def _list_class_figures(figures: Evaluation) -> dict[str, str]:
    kind = "mean over classes"
    if len(figures.labels) == 2:
        kind = f"of {figures.labels[1]}"
    return {
        "rows": f"{figures.rows:,}",
        "accuracy": render_share(figures.accuracy),
        f"precision ({kind})": render_share(figures.precision),
        f"recall ({kind})": render_share(figures.recall),
        f"F1 ({kind})": render_share(figures.f1),
        "ROC AUC": render_share(figures.roc_auc),
    }


def _list_baseline(part: Scored) -> dict[str, str]:
    """Return how good a model would be that knows nothing of a row."""
    numbers = part.truth.astype(np.int64)
    counts = np.bincount(numbers)
    share = counts.max() / counts.sum()
    return {"accuracy of always saying the most frequent class": render_share(float(share))}


def _list_regression_figures(figures: RegressionFigures, of: str) -> dict[str, str]:
    return {
        "rows": f"{figures.rows:,}",
        f"mean absolute error{of}": f"{figures.mean_absolute_error:.6g}",
        f"root mean squared error{of}": f"{figures.root_mean_squared_error:.6g}",
        f"bias, predicted minus true{of}": f"{figures.bias:+.6g}",
        f"R2{of}": render_share(figures.r2),
    }


def _make_class_parts(labels: Names, scored: Scored, is_drawn: bool) -> list[Part]:
    parts = _make_probability_parts("classification", labels, scored, is_drawn)
    is_long = len(labels) > _MOST_IN_A_MATRIX
    predicted = predict_classes(scored.scores)
    numbers = np.arange(len(labels))
    matrix = metrics.confusion_matrix(scored.truth, predicted, labels=numbers)
    if is_long:
        parts.append(_list_confusions(matrix, labels))
    else:
        parts.append(_shade_confusions(matrix, labels))

    # Of a class that is never predicted precision is 0, without a warning.
    figures = metrics.precision_recall_fscore_support(
        scored.truth,
        predicted,
        labels=numbers,
        zero_division=0,
    )
    by_class = zip(labels, *figures, strict=True)
    rows = []
    for label, precision, recall, f1, true_rows in by_class:
        shares = _render_all(precision, recall, f1)
        rows.append((label, int(true_rows), *shares))
    head = ("class", "true rows", "precision", "recall", "F1")
    parts.append(Table("Of each class", head, rows, folded=is_long))
    return parts


def _make_label_parts(labels: Names, scored: Scored, is_drawn: bool) -> list[Part]:
    parts = _make_probability_parts("multi_label", labels, scored, is_drawn)
    figures = measure("multi_label", labels, scored)
    assert isinstance(figures, LabelSetFigures)  # noqa: S101 - of this task
    rows: list[tuple[Cell, ...]] = []
    for one in figures.labels:
        shares = _render_all(one.precision, one.recall, one.f1)
        ranked = render_share(one.average_precision)
        rows.append((one.label, one.true_rows, *shares, ranked))
    head = ("label", "true rows", "precision", "recall", "F1", "average precision")
    is_long = len(labels) > _MOST_IN_A_MATRIX
    parts.append(Table("Of each label", head, rows, folded=is_long))
    return parts


def _render_all(*shares: float) -> list[str]:
    return [render_share(share) for share in shares]


def _make_number_parts(labels: Names, scored: Scored, is_drawn: bool) -> list[Part]:
    truth = _to_wide(scored.truth)
    predicted = _to_wide(scored.scores)
    names = list(labels) or ["prediction"]
    parts: list[Part] = []
    for place, name in enumerate(names[:_MOST_PICTURED]):
        true_numbers = truth[:, place]
        predicted_numbers = predicted[:, place]
        parts += _picture_number(name, true_numbers, predicted_numbers, is_drawn)
    # Of one number alone the first section tells all.
    if len(names) == 1:
        return parts

    figures = measure("regression", names, Scored(truth, predicted))
    assert isinstance(figures, SeveralFigures)  # noqa: S101 - of several numbers
    lines = []
    for name, of_number in figures.outputs.items():
        listed = _list_regression_figures(of_number, "")
        # The rows are the same for all.
        _, *values = listed.values()
        lines.append((name, *values))
    head = ("number", "mean absolute error", "RMS error", "bias", "R2")
    is_long = len(names) > _MOST_IN_A_MATRIX
    parts.append(Table("Of each number", head, lines, folded=is_long))
    return parts


def _to_wide(numbers: np.ndarray) -> np.ndarray:
    """Return numbers as float64 (rows, numbers), whether a row has several or one."""
    doubles = numbers.astype(np.float64)
    return doubles.reshape(len(doubles), -1)


def _make_probability_parts(
    task: Task, labels: Names, scored: Scored, is_drawn: bool
) -> list[Part]:
    """Return ROC, precision and recall, and calibration."""
    questions = list_questions(task, labels, scored)
    calibration = find_calibration(task, labels, scored)
    caption = _describe_calibration(task, labels)
    if not is_drawn:
        return [
            *_tabulate_areas(questions, labels),
            _tabulate_calibration(calibration, caption),
        ]

    parts: list[Part] = []
    if questions:
        rest = _describe_questions(questions, labels)
        roc = [find_roc(question) for question in questions]
        precision = [find_precision_recall(question) for question in questions]
        parts.append(Picture(f"ROC curve{rest}", draw_roc(roc)))
        parts.append(Picture(f"Precision and recall{rest}", draw_precision_recall(precision)))
    parts.append(Picture(caption, draw_calibration(calibration)))
    return parts


def _tabulate_calibration(calibration: Calibration, caption: str) -> Table:
    bins = zip(calibration.said, calibration.was, calibration.rows, strict=True)
    rows = []
    for said, was, count in bins:
        rows.append((f"{said:.3f}", f"{was:.3f}", int(count)))
    head = ("mean probability", "share of rows where it was so", "rows")
    return Table(caption, head, rows)


def _describe_questions(questions: Sequence[Question], labels: Names) -> str:
    """Return the end of a caption: which labels curves are of."""
    # Of two labels one curve is all that there is to draw.
    asked = 1 if len(labels) == 2 else len(labels)
    drawn = len(questions)
    if drawn == 1 and asked == 1:
        return f" of {questions[0].label}"
    if drawn == len(labels):
        return ", each label against the rest"
    return f", {drawn} of {len(labels)} labels against the rest, the most frequent ones"


def _tabulate_areas(questions: Sequence[Question], labels: Names) -> list[Part]:
    rows = []
    for question in questions:
        roc = find_roc(question)
        precision = find_precision_recall(question)
        areas = (render_share(roc.area), render_share(precision.area))
        rows.append((question.label, *areas))
    if not rows:
        return []
    which = _describe_questions(questions, labels)
    head = ("label", "ROC AUC", "average precision")
    return [Table(f"Ranking{which}", head, rows)]


def _describe_calibration(task: Task, labels: Names) -> str:
    if task == "multi_label":
        return "Calibration: probabilities of all labels, beside how often they were so"
    if len(labels) == 2:
        return f"Calibration: the probability of {labels[1]}, beside how often it was so"
    return "Calibration: the probability of the predicted class, beside how often it was so"


def _shade_confusions(matrix: np.ndarray, labels: Names) -> Shaded:
    true_rows = matrix.sum(axis=1, keepdims=True)
    # A class without rows has no shares.
    shares = matrix / np.maximum(true_rows, 1)
    return Shaded(
        caption="Confusion matrix: rows by their true class, and by the predicted one",
        corner="true \\ predicted",
        names=tuple(labels),
        counts=matrix.tolist(),
        shades=shares.tolist(),
    )


def _list_confusions(matrix: np.ndarray, labels: Names) -> Table:
    wrong = matrix.copy()
    # What was right is no confusion.
    np.fill_diagonal(wrong, 0)
    # Stable, so that of equal counts the first labels come first.
    order = np.argsort(-wrong, axis=None, kind="stable")
    shown = order[:_SHOWN_CONFUSIONS]
    # In the matrix, as the order counts its cells line by line.
    places = np.unravel_index(shown, wrong.shape)
    rows = []
    for true, predicted in zip(*places, strict=True):
        count = int(wrong[true, predicted])
        if count:
            rows.append((labels[true], labels[predicted], count))
    caption = f"The most frequent confusions of {len(labels)} classes"
    return Table(caption, ("true", "predicted", "rows"), rows, of_numbers=False)


def _picture_number(
    name: str, truth: np.ndarray, predicted: np.ndarray, is_drawn: bool
) -> list[Part]:
    """Return how predictions lie beside what is true, of one number of a regression."""
    residuals = predicted - truth
    histogram = find_histogram(residuals)
    if not is_drawn:
        return [_tabulate_residuals(name, histogram)]

    beside = find_density(truth, predicted, alike=True)
    around = find_density(predicted, residuals, alike=False)
    beside_outside = _tell_outside(beside.outside)
    around_outside = _tell_outside(around.outside)
    histogram_outside = _tell_outside(histogram.outside)
    return [
        Picture(
            f"{name}: predicted beside true{beside_outside}",
            draw_density(beside, "true", "predicted", "diagonal"),
        ),
        Picture(
            f"{name}: residuals{around_outside}",
            draw_density(around, "predicted", "predicted minus true", "zero"),
        ),
        Picture(
            f"{name}: how large residuals are{histogram_outside}",
            draw_histogram(histogram, "predicted minus true"),
        ),
    ]


def _tabulate_residuals(name: str, histogram: Histogram) -> Table:
    edges = pairwise(histogram.edges)
    rows = []
    for (low, high), count in zip(edges, histogram.counts, strict=True):
        # A bar without rows is none.
        if count:
            rows.append((f"{low:.6g}", f"{high:.6g}", int(count)))
    caption = f"{name}: residuals, predicted minus true"
    return Table(caption, ("from", "to", "rows"), rows, folded=True)


def _tell_outside(rows: int) -> str:
    if not rows:
        return ""
    return f" ({rows:,} rows lie outside the picture)"


_MAKERS: Mapping[Task, Callable[[Names, Scored, bool], list[Part]]] = {
    "classification": _make_class_parts,
    "multi_label": _make_label_parts,
    "regression": _make_number_parts,
}
