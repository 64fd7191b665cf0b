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


@pytest.mark.parametrize(
    ("says", "psi", "missing", "then", "words"),
    [
        ((), None, 0.0, None, ()),
        ((), 0.1234, 0.0, None, ("PSI 0.123",)),
        (("PSI of a is 0.3",), 0.3, 0.0, None, ("PSI of a is 0.3",)),
        (("lacks values",), None, 0.0, None, ("lacks values",)),
        ((), None, 0.5, None, ("missing 50.00%",)),
        ((), None, 0.5, 0.25, ("missing 50.00%, 25.00% then",)),
        ((), None, 0.0, 0.25, ("missing 0.00%, 25.00% then",)),
        ((), None, 0.0, 0.0, ()),
    ],
)
def test_a_card_tells_what_nobody_has_said_yet(
    says: tuple[str, ...],
    psi: float | None,
    missing: float,
    then: float | None,
    words: tuple[str, ...],
) -> None:
    column = replace(report_of().columns[0], says=says, psi=psi, missing=missing, missing_then=then)
    (card,) = make_column_cards([column], is_drawn=False)
    assert card.words == words
    assert card.svg == ""


@pytest.mark.parametrize(
    ("numbers", "counted", "words"),
    [
        (2_000_000, 31_250, ("counted in 31,250 of 2,000,000 numbers",)),
        (7, 7, ()),
        (None, None, ()),
    ],
)
def test_a_card_tells_of_how_many_numbers_it_is(
    numbers: int | None, counted: int | None, words: tuple[str, ...]
) -> None:
    column = replace(report_of().columns[0], says=(), psi=None, missing=0.0, missing_then=None)
    (card,) = make_column_cards([replace(column, numbers=numbers, counted=counted)], is_drawn=False)
    assert card.words == words
