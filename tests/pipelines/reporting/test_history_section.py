"""What changed since another run, and the last runs: of one run there is neither a past nor a picture."""

from dataclasses import replace

import pytest

from pipelines.pages.page import Mark, Table
from pipelines.reporting.document import Change, Changes
from pipelines.reporting.history_section import (
    _make_mark,
    make_changes_section,
    make_history_section,
)
from tests.pipelines.reporting.reports import report_of


def test_the_first_run_has_none_before_it() -> None:
    section = make_changes_section(Changes(None, None, ()))
    assert section.words == ("There is no run before this one.",)
    assert section.parts == ()


def test_a_run_that_is_as_the_one_before_says_so() -> None:
    section = make_changes_section(Changes("a1", "2026-05-01T01:00:00+00:00", ()))
    (words,) = section.words
    assert words.startswith("Since run a1, published at 2026-05-01")
    assert words.endswith("nothing changed that the manifests tell.")


def test_what_changed_is_a_line_each() -> None:
    change = Change("setting", "sink.format", "parquet", "csv")
    section = make_changes_section(Changes("a1", "2026-05-01T01:00:00+00:00", (change,)))
    (table,) = section.parts
    assert isinstance(table, Table)
    assert list(table.rows) == [("setting: sink.format", "parquet", "csv")]


@pytest.mark.parametrize("is_drawn", [True, False])
def test_of_one_run_there_is_no_picture(is_drawn: bool) -> None:
    this, *_ = report_of(runs=1).history
    section = make_history_section([this], is_drawn)
    assert [type(part) for part in section.parts] == [Table]
    assert section.words == ("1 run, this one among them.",)


@pytest.mark.parametrize(("runs", "folded"), [(2, False), (10, False), (11, True)])
def test_many_runs_are_folded(runs: int, folded: bool) -> None:
    this, *_ = report_of(runs=1).history
    section = make_history_section([this] * runs, is_drawn=False)
    (table,) = section.parts
    assert isinstance(table, Table)
    assert (len(list(table.rows)), table.folded) == (runs, folded)
    assert section.words == (f"{runs} runs, this one among them.",)


@pytest.mark.parametrize(
    ("state", "verdict", "mark"),
    [
        ("published", "clean", Mark("good", "clean")),
        ("published", "warned", Mark("care", "warned")),
        ("held", "held", Mark("bad", "held")),
        ("released", "held", Mark("care", "released")),
        ("published", "", "not compared"),
    ],
)
def test_a_run_has_the_mark_of_its_verdict_or_of_what_became_of_it(
    state: str, verdict: str, mark: object
) -> None:
    this, *_ = report_of(runs=1).history
    assert _make_mark(replace(this, state=state, verdict=verdict)) == mark
