"""What the report tells of how good a model is: the figures of its task, of each part of the rows."""

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np

from model_zoo.evaluation.label_sets import LabelSetFigures
from model_zoo.evaluation.metrics import Evaluation
from model_zoo.evaluation.regression import RegressionFigures, SeveralFigures
from model_zoo.evaluation.shares import render_share
from pipelines.pages.page import Rows, Section, Table
from pipelines.training.figures import Figures, Names, Scored, Task, measure

# Figures by name, in words.
Listed: TypeAlias = dict[str, str]


def make_figures_section(
    task: Task,
    labels: Names,
    scored: Mapping[str, Scored],
) -> Section:
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
        # What a figure is worth is seen beside what knowing nothing gives.
        if task == "classification":
            of_part |= _list_baseline(part)
        listed[name] = of_part

    head = ("", *listed)
    rows = _put_side_by_side(listed)
    table = Table("", head, rows)
    return Section("How good it is", (), (table,))


def _put_side_by_side(listed: Mapping[str, Listed]) -> Rows:
    """Return a row for each figure, with its value in each part."""
    # Each once, in the order in which they come: a part may have figures that another has not.
    names: Listed = {}
    for of_part in listed.values():
        names |= of_part
    rows: Rows = []
    for name in names:
        row = [name]
        for of_part in listed.values():
            value = of_part.get(name, "")
            row.append(value)
        rows.append(tuple(row))
    return rows


def _list_figures(figures: Figures) -> Listed:
    """Return figures by name, in words."""
    if isinstance(figures, Evaluation):
        return _list_class_figures(figures)
    if isinstance(figures, LabelSetFigures):
        return _list_label_figures(figures)
    if isinstance(figures, SeveralFigures):
        return list_regression_figures(figures.mean, " (mean over numbers)")
    return list_regression_figures(figures, "")


def _list_class_figures(figures: Evaluation) -> Listed:
    kind = "mean over classes"
    # Of two classes the second is what is looked for; of more there is no such one.
    if len(figures.labels) == 2:
        _, positive = figures.labels
        kind = f"of {positive}"
    shares = {
        "accuracy": figures.accuracy,
        f"precision ({kind})": figures.precision,
        f"recall ({kind})": figures.recall,
        f"F1 ({kind})": figures.f1,
        "ROC AUC": figures.roc_auc,
    }
    return _list_rows_and_shares(figures.rows, shares)


def _list_label_figures(figures: LabelSetFigures) -> Listed:
    shares = {
        "exactly the right labels": figures.exact_match,
        "Hamming loss": figures.hamming_loss,
        "micro F1": figures.micro_f1,
        "macro F1": figures.macro_f1,
        "mean average precision": figures.mean_average_precision,
    }
    return _list_rows_and_shares(figures.rows, shares)


def _list_rows_and_shares(rows: int, shares: Mapping[str, float | None]) -> Listed:
    listed = {"rows": f"{rows:,}"}
    for name, share in shares.items():
        listed[name] = render_share(share)
    return listed


def _list_baseline(part: Scored) -> Listed:
    """Return how good a model would be that knows nothing of a row."""
    numbers = part.truth.astype(np.int64)
    counts = np.bincount(numbers)
    share = counts.max() / counts.sum()
    rendered = render_share(float(share))
    return {"accuracy of always saying the most frequent class": rendered}


def list_regression_figures(figures: RegressionFigures, of: str) -> Listed:
    """Return the figures of numbers by name, in words.

    Args:
        figures: of one number, or the mean of several.
        of: put behind each name.
    """
    return {
        "rows": f"{figures.rows:,}",
        f"mean absolute error{of}": f"{figures.mean_absolute_error:.6g}",
        f"root mean squared error{of}": f"{figures.root_mean_squared_error:.6g}",
        f"bias, predicted minus true{of}": f"{figures.bias:+.6g}",
        f"R2{of}": render_share(figures.r2),
    }
