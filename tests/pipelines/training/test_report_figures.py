"""The figures of a report: each part beside the others, and what knowing nothing gives."""

import numpy as np

from pipelines.pages.page import Cell, Section, Table
from pipelines.training.figures import Scored
from pipelines.training.report_figures import make_figures_section


def rows_of(section: Section) -> dict[Cell, tuple[Cell, ...]]:
    (table,) = section.parts
    assert isinstance(table, Table)
    return {name: tuple(values) for name, *values in table.rows}


def test_two_classes_are_judged_by_the_second() -> None:
    truth = np.array([0, 0, 0, 1])
    scored = Scored(truth, np.array([0.1, 0.2, 0.7, 0.9]))
    section = make_figures_section("classification", ("no", "yes"), {"test": scored})
    found = rows_of(section)
    assert found["rows"] == ("4",)
    assert found["accuracy"] == ("0.7500",)
    assert found["precision (of yes)"] == ("0.5000",)
    assert found["accuracy of always saying the most frequent class"] == ("0.7500",)


def test_parts_stand_side_by_side() -> None:
    part = Scored(np.array([1.0, 3.0]), np.array([1.0, 4.0]))
    section = make_figures_section("regression", ("n",), {"validation": part, "test": part})
    found = rows_of(section)
    assert found["bias, predicted minus true"] == ("+0.5", "+0.5")
    assert len({len(values) for values in found.values()}) == 1
