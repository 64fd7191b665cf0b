"""What the report tells of how good the model is: the figures of its task, and where it errs."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from sklearn import metrics

from model_zoo.evaluation.label_sets import LabelSetFigures
from model_zoo.evaluation.metrics import Evaluation
from model_zoo.evaluation.regression import RegressionFigures, SeveralFigures
from model_zoo.evaluation.shares import render_share
from pipelines.training.figures import Figures, Scored, Task, measure, predict_classes
from pipelines.training.report_curves import (
    Question,
    find_calibration,
    find_density,
    find_histogram,
    find_precision_recall,
    find_roc,
    list_questions,
)
from pipelines.training.report_page import Part, Picture, Section, Shaded, Table
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


def make_figures_section(
    task: Task, labels: Sequence[str], scored: Mapping[str, Scored]
) -> Section:
    """Return the figures of each part side by side.

    Args:
        task: what the scores are.
        labels: their names.
        scored: the parts, by name.

    Raises:
        InputError: as `measure`.
    """
    figures = {name: measure(task, labels, part) for name, part in scored.items()}
    listed = {name: _list_figures(of_part) for name, of_part in figures.items()}
    if task == "classification":
        for name, part in scored.items():
            counts = np.bincount(part.truth.astype(np.int64))
            share = float(counts.max() / counts.sum())
            listed[name]["accuracy of always saying the most frequent class"] = render_share(share)
    names = list(dict.fromkeys(name for of_part in listed.values() for name in of_part))
    rows = []
    for name in names:
        values = [of_part.get(name, "") for of_part in listed.values()]
        rows.append((name, *values))
    table = Table("", ("", *listed), rows)
    return Section("How good it is", (), (table,))


def make_error_sections(
    task: Task, labels: Sequence[str], scored: Mapping[str, Scored], is_drawn: bool
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
    name = list(scored)[-1]
    part = scored[name]
    makers: Mapping[str, Callable[[Sequence[str], Scored, bool], list[Part]]] = {
        "classification": _make_class_parts,
        "multi_label": _make_label_parts,
        "regression": _make_number_parts,
    }
    parts = makers[task](labels, part, is_drawn)
    rows = f"{len(part.truth):,} rows of the part {name}."
    return [Section(f"Where it errs: {name}", (rows,), tuple(parts))]


def _list_figures(figures: Figures) -> dict[str, str]:
    """Return figures by name, in words."""
    if isinstance(figures, Evaluation):
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


def _list_regression_figures(figures: RegressionFigures, of: str) -> dict[str, str]:
    return {
        "rows": f"{figures.rows:,}",
        f"mean absolute error{of}": f"{figures.mean_absolute_error:.6g}",
        f"root mean squared error{of}": f"{figures.root_mean_squared_error:.6g}",
        f"bias, predicted minus true{of}": f"{figures.bias:+.6g}",
        f"R2{of}": render_share(figures.r2),
    }


def _make_class_parts(labels: Sequence[str], scored: Scored, is_drawn: bool) -> list[Part]:
    parts = _make_probability_parts("classification", labels, scored, is_drawn)
    predicted = predict_classes(scored.scores)
    numbers = np.arange(len(labels))
    matrix = metrics.confusion_matrix(scored.truth, predicted, labels=numbers)
    if len(labels) <= _MOST_IN_A_MATRIX:
        parts.append(_shade_confusions(matrix, labels))
    else:
        parts.append(_list_confusions(matrix, labels))

    figures = metrics.precision_recall_fscore_support(
        scored.truth, predicted, labels=numbers, zero_division=0
    )
    rows = []
    for label, precision, recall, f1, true_rows in zip(labels, *figures, strict=True):
        row = (
            label,
            int(true_rows),
            render_share(precision),
            render_share(recall),
            render_share(f1),
        )
        rows.append(row)
    head = ("class", "true rows", "precision", "recall", "F1")
    is_long = len(labels) > _MOST_IN_A_MATRIX
    parts.append(Table("Of each class", head, rows, folded=is_long))
    return parts


def _make_label_parts(labels: Sequence[str], scored: Scored, is_drawn: bool) -> list[Part]:
    parts = _make_probability_parts("multi_label", labels, scored, is_drawn)
    figures = measure("multi_label", labels, scored)
    assert isinstance(figures, LabelSetFigures)  # noqa: S101 - of this task
    rows = []
    for one in figures.labels:
        row = (
            one.label,
            one.true_rows,
            render_share(one.precision),
            render_share(one.recall),
            render_share(one.f1),
            render_share(one.average_precision),
        )
        rows.append(row)
    head = ("label", "true rows", "precision", "recall", "F1", "average precision")
    is_long = len(labels) > _MOST_IN_A_MATRIX
    parts.append(Table("Of each label", head, rows, folded=is_long))
    return parts


def _make_number_parts(labels: Sequence[str], scored: Scored, is_drawn: bool) -> list[Part]:
    rows = len(scored.truth)
    truth = scored.truth.astype(np.float64).reshape(rows, -1)
    predicted = scored.scores.astype(np.float64).reshape(rows, -1)
    names = list(labels) or ["prediction"]
    parts: list[Part] = []
    for place, name in enumerate(names[:_MOST_PICTURED]):
        parts += _picture_number(name, truth[:, place], predicted[:, place], is_drawn)
    if len(names) == 1:
        return parts

    figures = measure("regression", names, Scored(truth, predicted))
    assert isinstance(figures, SeveralFigures)  # noqa: S101 - of several numbers
    lines = []
    for name, of_number in figures.outputs.items():
        values = _list_regression_figures(of_number, "")
        # The rows are the same for all.
        lines.append((name, *list(values.values())[1:]))
    head = ("number", "mean absolute error", "RMS error", "bias", "R2")
    parts.append(Table("Of each number", head, lines, folded=len(names) > _MOST_IN_A_MATRIX))
    return parts


def _make_probability_parts(
    task: Task, labels: Sequence[str], scored: Scored, is_drawn: bool
) -> list[Part]:
    """Return ROC, precision and recall, and calibration."""
    questions = list_questions(task, labels, scored)
    calibration = find_calibration(task, labels, scored)
    sure = _describe_calibration(task, labels)
    if not is_drawn:
        rows = [
            (f"{said:.3f}", f"{was:.3f}", int(count))
            for said, was, count in zip(
                calibration.said, calibration.was, calibration.rows, strict=True
            )
        ]
        head = ("mean probability", "share of rows where it was so", "rows")
        return [*_tabulate_areas(questions, labels), Table(sure, head, rows)]

    parts: list[Part] = []
    if questions:
        rest = _describe_questions(questions, labels)
        roc = [find_roc(question) for question in questions]
        precision = [find_precision_recall(question) for question in questions]
        parts.append(Picture(f"ROC curve{rest}", draw_roc(roc)))
        parts.append(Picture(f"Precision and recall{rest}", draw_precision_recall(precision)))
    parts.append(Picture(sure, draw_calibration(calibration)))
    return parts


def _describe_questions(questions: Sequence[Question], labels: Sequence[str]) -> str:
    """Return the end of a caption: which labels curves are of."""
    asked = 1 if len(labels) == 2 else len(labels)
    if len(questions) == 1 and asked == 1:
        return f" of {questions[0].label}"
    if len(questions) == len(labels):
        return ", each label against the rest"
    return f", {len(questions)} of {len(labels)} labels against the rest, the most frequent ones"


def _tabulate_areas(questions: Sequence[Question], labels: Sequence[str]) -> list[Part]:
    rows = []
    for question in questions:
        roc = find_roc(question)
        precision = find_precision_recall(question)
        row = (question.label, render_share(roc.area), render_share(precision.area))
        rows.append(row)
    if not rows:
        return []
    caption = f"Ranking{_describe_questions(questions, labels)}"
    return [Table(caption, ("label", "ROC AUC", "average precision"), rows)]


def _describe_calibration(task: Task, labels: Sequence[str]) -> str:
    if task == "multi_label":
        return "Calibration: probabilities of all labels, beside how often they were so"
    if len(labels) == 2:
        return f"Calibration: the probability of {labels[1]}, beside how often it was so"
    return "Calibration: the probability of the predicted class, beside how often it was so"


def _shade_confusions(matrix: np.ndarray, labels: Sequence[str]) -> Shaded:
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


def _list_confusions(matrix: np.ndarray, labels: Sequence[str]) -> Table:
    wrong = matrix.copy()
    # What was right is no confusion.
    np.fill_diagonal(wrong, 0)
    # Stable, so that of equal counts the first labels come first.
    order = np.argsort(-wrong, axis=None, kind="stable")
    rows = []
    for place in order[:_SHOWN_CONFUSIONS]:
        true, predicted = divmod(int(place), len(labels))
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
        rows = [
            (f"{low:.6g}", f"{high:.6g}", int(count))
            for low, high, count in zip(
                histogram.edges[:-1], histogram.edges[1:], histogram.counts, strict=True
            )
            if count
        ]
        caption = f"{name}: residuals, predicted minus true"
        return [Table(caption, ("from", "to", "rows"), rows, folded=True)]

    beside = find_density(truth, predicted, alike=True)
    around = find_density(predicted, residuals, alike=False)
    return [
        Picture(
            f"{name}: predicted beside true{_tell_outside(beside.outside)}",
            draw_density(beside, "true", "predicted", "diagonal"),
        ),
        Picture(
            f"{name}: residuals{_tell_outside(around.outside)}",
            draw_density(around, "predicted", "predicted minus true", "zero"),
        ),
        Picture(
            f"{name}: how large residuals are{_tell_outside(histogram.outside)}",
            draw_histogram(histogram, "predicted minus true"),
        ),
    ]


def _tell_outside(rows: int) -> str:
    if not rows:
        return ""
    return f" ({rows:,} rows lie outside the picture)"
