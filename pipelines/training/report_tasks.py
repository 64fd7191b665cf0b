"""What the report tells of where a model errs: curves, confusions, residuals, and the figures of each label."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import numpy as np
from sklearn import metrics

from model_zoo.evaluation.label_sets import LabelSetFigures
from model_zoo.evaluation.regression import SeveralFigures
from model_zoo.evaluation.shares import render_share
from pipelines.pages.page import Part, Picture, Rows, Section, Shaded, Table
from pipelines.training.figures import Names, Scored, Task, measure, predict_classes
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
from pipelines.training.report_figures import list_regression_figures
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


def make_error_sections(
    task: Task,
    labels: Names,
    scored: Mapping[str, Scored],
    is_drawn: bool,
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
    *_, last = scored.items()
    name, part = last
    make = _MAKERS[task]
    parts = make(labels, part, is_drawn)
    rows = len(part.truth)
    title = f"Where it errs: {name}"
    text = f"{rows:,} rows of the part {name}."
    section = Section(title, (text,), tuple(parts))
    return [section]


def _make_class_parts(labels: Names, scored: Scored, is_drawn: bool) -> list[Part]:
    parts = _make_probability_parts("classification", labels, scored, is_drawn)
    is_long = _is_long(labels)
    predicted = predict_classes(scored.scores)
    classes = len(labels)
    numbers = np.arange(classes)
    matrix = metrics.confusion_matrix(
        scored.truth,
        predicted,
        labels=numbers,
    )
    show = _list_confusions if is_long else _shade_confusions
    confusions = show(matrix, labels)
    parts.append(confusions)

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
        row = (label, int(true_rows), *shares)
        rows.append(row)
    head = ("class", "true rows", "precision", "recall", "F1")
    table = Table("Of each class", head, rows, folded=is_long)
    parts.append(table)
    return parts


def _make_label_parts(labels: Names, scored: Scored, is_drawn: bool) -> list[Part]:
    parts = _make_probability_parts("multi_label", labels, scored, is_drawn)
    figures = measure("multi_label", labels, scored)
    assert isinstance(figures, LabelSetFigures)  # noqa: S101 - of this task
    rows: Rows = []
    for one in figures.labels:
        shares = _render_all(
            one.precision,
            one.recall,
            one.f1,
            one.average_precision,
        )
        rows.append((one.label, one.true_rows, *shares))
    head = ("label", "true rows", "precision", "recall", "F1", "average precision")
    is_long = _is_long(labels)
    table = Table("Of each label", head, rows, folded=is_long)
    parts.append(table)
    return parts


def _is_long(names: Sequence[str]) -> bool:
    return len(names) > _MOST_IN_A_MATRIX


def _render_all(*shares: float | None) -> list[str]:
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

    wide = Scored(truth, predicted)
    figures = measure("regression", names, wide)
    assert isinstance(figures, SeveralFigures)  # noqa: S101 - of several numbers
    rows: Rows = []
    for name, of_number in figures.outputs.items():
        listed = list_regression_figures(of_number, "")
        # The rows are the same for all.
        _, *values = listed.values()
        row = (name, *values)
        rows.append(row)
    head = ("number", "mean absolute error", "RMS error", "bias", "R2")
    is_long = _is_long(names)
    table = Table("Of each number", head, rows, folded=is_long)
    parts.append(table)
    return parts


def _to_wide(numbers: np.ndarray) -> np.ndarray:
    """Return numbers as float64 (rows, numbers), whether a row has several or one."""
    doubles = numbers.astype(np.float64)
    rows = len(doubles)
    return doubles.reshape(rows, -1)


def _make_probability_parts(
    task: Task,
    labels: Names,
    scored: Scored,
    is_drawn: bool,
) -> list[Part]:
    """Return ROC, precision and recall, and calibration."""
    questions = list_questions(task, labels, scored)
    calibration = find_calibration(task, labels, scored)
    caption = _describe_calibration(task, labels)
    if not is_drawn:
        tables = _tabulate_areas(questions, labels)
        table = _tabulate_calibration(calibration, caption)
        return [*tables, table]

    parts: list[Part] = []
    if questions:
        parts += _draw_curves(questions, labels)
    drawn = draw_calibration(calibration)
    picture = Picture(caption, drawn)
    parts.append(picture)
    return parts


def _draw_curves(questions: Sequence[Question], labels: Names) -> list[Part]:
    rest = _describe_questions(questions, labels)
    roc = [find_roc(question) for question in questions]
    precision = [find_precision_recall(question) for question in questions]
    drawn_roc = draw_roc(roc)
    drawn_precision = draw_precision_recall(precision)
    return [
        Picture(f"ROC curve{rest}", drawn_roc),
        Picture(f"Precision and recall{rest}", drawn_precision),
    ]


def _tabulate_calibration(calibration: Calibration, caption: str) -> Table:
    bins = zip(
        calibration.said,
        calibration.was,
        calibration.rows,
        strict=True,
    )
    rows: Rows = []
    for said, was, count in bins:
        row = (f"{said:.3f}", f"{was:.3f}", int(count))
        rows.append(row)
    head = ("mean probability", "share of rows where it was so", "rows")
    return Table(caption, head, rows)


def _describe_questions(questions: Sequence[Question], labels: Names) -> str:
    """Return the end of a caption: which labels curves are of."""
    there_are = len(labels)
    drawn = len(questions)
    # Of two labels one curve is all that there is to draw.
    if drawn == 1 and there_are <= 2:
        (question,) = questions
        return f" of {question.label}"
    if drawn == there_are:
        return ", each label against the rest"
    return f", {drawn} of {there_are} labels against the rest, the most frequent ones"


def _tabulate_areas(questions: Sequence[Question], labels: Names) -> list[Part]:
    if not questions:
        return []
    rows: Rows = []
    for question in questions:
        roc = find_roc(question)
        precision = find_precision_recall(question)
        areas = _render_all(roc.area, precision.area)
        row = (question.label, *areas)
        rows.append(row)
    which = _describe_questions(questions, labels)
    head = ("label", "ROC AUC", "average precision")
    table = Table(f"Ranking{which}", head, rows)
    return [table]


def _describe_calibration(task: Task, labels: Names) -> str:
    if task == "multi_label":
        return "Calibration: probabilities of all labels, beside how often they were so"
    if len(labels) == 2:
        _, positive = labels
        return f"Calibration: the probability of {positive}, beside how often it was so"
    return "Calibration: the probability of the predicted class, beside how often it was so"


def _shade_confusions(matrix: np.ndarray, labels: Names) -> Shaded:
    true_rows = matrix.sum(axis=1, keepdims=True)
    # A class without rows has no shares.
    divisors = np.maximum(true_rows, 1)
    shares = matrix / divisors
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
    most_first = -wrong.ravel()
    order = np.argsort(most_first, kind="stable")
    shown = order[:_SHOWN_CONFUSIONS]
    # In the matrix, as the order counts its cells line by line.
    places = np.unravel_index(shown, wrong.shape)
    counts = wrong[places]
    rows: Rows = []
    for true, predicted, count in zip(*places, counts, strict=True):
        if not count:
            continue
        row = (
            labels[true],
            labels[predicted],
            int(count),
        )
        rows.append(row)
    classes = len(labels)
    caption = f"The most frequent confusions of {classes} classes"
    head = ("true", "predicted", "rows")
    return Table(caption, head, rows, of_numbers=False)


def _picture_number(
    name: str,
    truth: np.ndarray,
    predicted: np.ndarray,
    is_drawn: bool,
) -> list[Part]:
    """Return how predictions lie beside what is true, of one number of a regression."""
    residuals = predicted - truth
    histogram = find_histogram(residuals)
    if not is_drawn:
        table = _tabulate_residuals(name, histogram)
        return [table]

    beside = find_density(truth, predicted, alike=True)
    outside = _tell_outside(beside.outside)
    of_pairs = Picture(
        f"{name}: predicted beside true{outside}",
        draw_density(beside, "true", "predicted", "diagonal"),
    )
    around = find_density(predicted, residuals, alike=False)
    outside = _tell_outside(around.outside)
    of_residuals = Picture(
        f"{name}: residuals{outside}",
        draw_density(around, "predicted", "predicted minus true", "zero"),
    )
    outside = _tell_outside(histogram.outside)
    of_sizes = Picture(
        f"{name}: how large residuals are{outside}",
        draw_histogram(histogram, "predicted minus true"),
    )
    return [of_pairs, of_residuals, of_sizes]


def _tabulate_residuals(name: str, histogram: Histogram) -> Table:
    edges = pairwise(histogram.edges)
    rows: Rows = []
    for (low, high), count in zip(edges, histogram.counts, strict=True):
        # A bar without rows is none.
        if not count:
            continue
        row = (f"{low:.6g}", f"{high:.6g}", int(count))
        rows.append(row)
    caption = f"{name}: residuals, predicted minus true"
    head = ("from", "to", "rows")
    return Table(caption, head, rows, folded=True)


def _tell_outside(rows: int) -> str:
    if not rows:
        return ""
    return f" ({rows:,} rows lie outside the picture)"


_MAKERS: Mapping[Task, Callable[[Names, Scored, bool], list[Part]]] = {
    "classification": _make_class_parts,
    "multi_label": _make_label_parts,
    "regression": _make_number_parts,
}
