"""What a report takes from a manifest as it is: the books, what was compared, the time, the model, the runs before."""

from typing import Any

import pytest

from pipelines.reporting.books import (
    describe_computing,
    describe_model,
    read_books,
    read_compared,
    read_time,
)
from pipelines.reporting.history import find_state, list_history
from tests.pipelines.reporting.told import make_finding, make_manifest, make_monitor, tell


@pytest.mark.parametrize(
    ("rows", "is_balanced"),
    [
        ({"in": 10, "scored": 8, "filtered": 1, "rejected": 1}, True),
        ({"in": 10, "scored": 6, "filtered": 1, "rejected": 1, "left_out": 2}, True),
        ({"in": 10, "scored": 8, "filtered": 1, "rejected": 0}, False),
        ({"in": 10, "scored": 8, "filtered": 1, "rejected": 2}, False),
    ],
)
def test_books_balance_where_each_row_is_accounted_for(
    rows: dict[str, int], is_balanced: bool
) -> None:
    books = read_books(make_manifest(rows=rows))
    assert books.is_balanced is is_balanced
    assert books.rows == rows
    assert (books.units, books.files, books.inputs) == (2, 1, 2)


@pytest.mark.parametrize(
    ("errors", "left_out", "allowed"),
    [
        ({}, 0, 0),
        ({"max_rejected_rows": 5}, 0, 5),
        ({"max_rejected_percent": 1.0}, 0, 10),
        ({"max_rejected_rows": 5, "max_rejected_percent": 1.0}, 0, 10),
        ({"max_rejected_rows": 50, "max_rejected_percent": 1.0}, 0, 50),
        # Of those that were to be scored.
        ({"max_rejected_percent": 1.0}, 500, 5),
        # 0.7 % of 1,000 are less than 7 to a float.
        ({"max_rejected_percent": 0.7}, 0, 7),
        ({"max_rejected_percent": 0.79}, 0, 7),
    ],
)
def test_so_many_rejected_rows_are_allowed(
    errors: dict[str, Any], left_out: int, allowed: int
) -> None:
    rows = {"in": 1000, "scored": 1000 - left_out, "left_out": left_out}
    manifest = make_manifest(rows=rows, job={"errors": errors})
    assert read_books(manifest).allowed == allowed


def test_a_run_without_a_monitor_was_compared_with_nothing() -> None:
    compared = read_compared(make_manifest(monitor=None))
    assert (compared.with_what, compared.says, compared.verdict) == ("", "", "")
    assert (compared.runs, compared.rows, compared.findings) == ((), None, ())


@pytest.mark.parametrize(
    ("kind", "with_what"),
    [("training", "the rows of training"), ("none", ""), ("other", "other")],
)
def test_what_was_compared_is_told(kind: str, with_what: str) -> None:
    finding = make_finding("warn", "age", "drifted")
    monitor = make_monitor("warned", finding, kind=kind, runs=["a1"], rows=7, says="it")
    compared = read_compared(make_manifest(monitor=monitor))
    assert (compared.with_what, compared.says, compared.runs) == (with_what, "it", ("a1",))
    assert (compared.rows, compared.verdict) == (7, "warned")
    (told,) = compared.findings
    assert (told.level, told.column, told.of) == ("warn", "age", "value")


def test_time_is_that_of_the_manifest_and_older_ones_lack_some() -> None:
    time = read_time(make_manifest())
    assert (time.seconds, time.rows_per_second, time.workers) == (12.5, 80, 2)
    assert (time.stages, time.peak_memory_bytes) == ({"read": 5.0, "predict": 15.0}, 300_000_000)
    older = read_time({})
    assert (older.seconds, older.rows_per_second, older.workers) == (0.0, None, 0)
    assert older.stages == {}


def test_words_of_model_and_computing_leave_out_what_is_not_known() -> None:
    model = {"name": "churn", "version": 7, "task": None, "package": "", "digest": "abc"}
    assert describe_model({"model": model}) == {"name": "churn", "version": "7", "digest": "abc"}
    manifest = {
        "engine": {"name": "torch", "library": ""},
        "computing": {"device": "cpu", "threads": 0, "graph": None, "layout": ""},
        "computed_by": ["cpu", "gpu"],
    }
    assert describe_computing(manifest) == {
        "engine: name": "torch",
        "device": "cpu",
        "threads": "0",
        "computed by": "cpu; gpu",
    }


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({}, "published"),
        ({"monitor": None}, "published"),
        ({"monitor": make_monitor("warned")}, "published"),
        ({"monitor": make_monitor("held")}, "held"),
        ({"monitor": make_monitor("held"), "released": {"by": "me"}}, "released"),
    ],
)
def test_the_state_of_a_run(fields: dict[str, Any], state: str) -> None:
    assert find_state(make_manifest(**fields)) == state


def test_of_each_run_the_largest_distances_of_inputs_and_of_scores_are_told() -> None:
    distances = [
        {"kind": "input", "psi": 0.1},
        {"kind": "input", "psi": 0.3},
        {"kind": "input", "psi": None},
        {"kind": "score", "psi": 0.2},
        {"kind": "score"},
    ]
    findings = [make_finding(level, "a", "x") for level in ("note", "warn", "hold")]
    measured = make_manifest("m", monitor=make_monitor("held", *findings, distances=distances))
    plain = make_manifest("p", monitor=None)
    first, second = list_history([tell("o", measured), tell("o", plain)], "p")
    assert (first.psi_input, first.psi_score, first.warnings) == (0.3, 0.2, 2)
    assert (first.state, first.verdict, first.is_this) == ("held", "held", False)
    assert (second.psi_input, second.psi_score, second.warnings) == (None, None, 0)
    assert (second.verdict, second.is_this, second.model) == ("", True, "churn 7")
    assert (second.rows_in, second.rows_scored, second.rows_rejected) == (1000, 997, 3)
    assert second.seconds == 12.5
