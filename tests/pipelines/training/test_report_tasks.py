"""Which parts the section about errors has, by task."""

from typing import Any

import numpy as np
import pytest

from pipelines.pages.page import Table
from pipelines.training.figures import Scored
from pipelines.training.report_tasks import (
    _is_long,
    _make_class_parts,
    _tell_outside,
    make_error_sections,
)
from tests.pipelines.training import reported


def list_tables(task: Any, labels: tuple[str, ...], scored: Any) -> list[Table]:
    sections = make_error_sections(task, labels, {"test": scored}, is_drawn=False)
    return [part for section in sections for part in section.parts if isinstance(part, Table)]


@pytest.mark.parametrize(
    ("numbers", "labels", "told"),
    [
        # Of one number alone the section of figures tells all.
        (None, ("price",), []),
        (None, (), []),
        (1, ("price",), []),
        (2, ("width", "height"), ["width", "height"]),
        (3, ("a", "b", "c"), ["a", "b", "c"]),
    ],
)
def test_several_numbers_have_a_table_of_their_own_figures(
    numbers: int | None, labels: tuple[str, ...], told: list[str]
) -> None:
    tables = list_tables("regression", labels, reported.score_numbers(numbers))
    of_numbers = [table for table in tables if table.head[0] == "number"]
    rows = [row[0] for table in of_numbers for row in table.rows]
    assert rows == told


def test_without_any_scored_part_there_is_no_section() -> None:
    assert make_error_sections("regression", (), {}, is_drawn=True) == []


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (0, ""),
        (1, " (1 rows lie outside the picture)"),
        (2_345, " (2,345 rows lie outside the picture)"),
    ],
)
def test_rows_outside_of_a_picture_are_told_where_there_are_any(rows: int, told: str) -> None:
    assert _tell_outside(rows) == told


@pytest.mark.parametrize(
    ("task", "classes", "told"),
    [
        # Of two classes, one is what the other is not.
        ("classification", 2, ["b"]),
        ("classification", 3, ["a", "b", "c"]),
        ("multi_label", 3, ["a", "b", "c"]),
    ],
)
def test_without_pictures_each_label_has_the_areas_below_its_curves(
    task: Any, classes: int, told: list[str]
) -> None:
    scored = reported.score_classes(classes) if classes > 2 else reported.score_two()
    if task == "multi_label":
        scored = reported.score_labels(classes)
    tables = list_tables(task, ("a", "b", "c")[:classes], scored)
    areas = [table for table in tables if table.head == ("label", "ROC AUC", "average precision")]
    assert [row[0] for table in areas for row in table.rows] == told


@pytest.mark.parametrize(("names", "is_long"), [(20, False), (21, True)])
def test_a_matrix_has_twenty_classes_at_most(names: int, is_long: bool) -> None:
    assert _is_long(["a"] * names) is is_long


def test_a_class_that_is_never_predicted_has_no_precision() -> None:
    scores = np.array([[0.9, 0.1, 0.0], [0.1, 0.9, 0.0], [0.9, 0.1, 0.0]])
    parts = _make_class_parts(("a", "b", "c"), Scored(np.array([0, 1, 2]), scores), is_drawn=False)
    tables = [part for part in parts if isinstance(part, Table)]
    *_, never = next(table.rows for table in tables if table.caption == "Of each class")
    assert never == ("c", 1, "0.0000", "0.0000", "0.0000")
