"""Cards and lines of columns: a column has its own name, and what of it was measured where that is not its value."""

from dataclasses import replace

import pytest

from pipelines.reporting.drift_section import make_column_cards, tabulate_columns
from tests.pipelines.reporting.reports import report_of


@pytest.mark.parametrize(
    ("measure", "name"), [("value", "column_0"), ("length", "column_0, length")]
)
def test_what_was_measured_is_named_where_it_is_not_the_value(measure: str, name: str) -> None:
    (column,) = [column for column in report_of().columns if column.column == "column_0"]
    measured = replace(column, measure=measure)
    (card,) = make_column_cards([measured], is_drawn=False)
    assert card.title == name
    ((first, *_),) = tabulate_columns("columns", [measured]).rows
    assert first == name
