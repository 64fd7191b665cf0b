"""May these scores be used? The answer of each kind of run, and its reasons."""

from typing import Any

import pytest

from pipelines.reporting.books import read_books, read_compared
from pipelines.reporting.document import Verdict
from pipelines.reporting.history import find_state
from pipelines.reporting.verdict import find_verdict
from tests.pipelines.reporting.told import make_finding, make_manifest, make_monitor

WARNED = make_finding("warn", "age", "age drifted")
HELD = make_finding("hold", "pay", "pay drifted far")
NOTED = make_finding("note", "x", "x is not compared")


def judge(**fields: Any) -> Verdict:
    manifest = make_manifest(**fields)
    state = find_state(manifest)
    return find_verdict(manifest, state, read_books(manifest), read_compared(manifest))


@pytest.mark.parametrize(
    ("fields", "use", "words"),
    [
        ({}, "yes", "every row is accounted for"),
        ({"monitor": make_monitor("clean")}, "yes", "further from the rows of training than"),
        ({"monitor": make_monitor("clean", NOTED)}, "yes", "than the job allows"),
        ({"monitor": make_monitor("warned", WARNED)}, "with care", "and 1 warning came"),
        ({"monitor": make_monitor("warned", WARNED, NOTED, WARNED)}, "with care", "2 warnings"),
        ({"monitor": make_monitor("held", WARNED, HELD)}, "no", "held back"),
        ({"rows": {"in": 0, "scored": 0, "filtered": 0, "rejected": 0}}, "with care", "no row"),
        ({"rows": {"in": 9, "scored": 0, "filtered": 0, "rejected": 9}}, "with care", "no row"),
        ({"rows": {"in": 9, "scored": 0, "filtered": 9, "rejected": 0}}, "yes", "every row is"),
        ({"rows": {"in": 9, "scored": 7, "filtered": 1, "rejected": 0}}, "no", "do not balance"),
    ],
)
def test_the_answer_is_one_sentence(fields: dict[str, Any], use: str, words: str) -> None:
    verdict = judge(**fields)
    assert verdict.use == use
    assert words in verdict.sentence
    assert verdict.sentence.count(". ") == 0


@pytest.mark.parametrize(
    ("count", "words"), [(1, "1 note, below, says"), (2, "2 notes, below, say")]
)
def test_what_could_not_be_compared_is_a_reason_to_look(count: int, words: str) -> None:
    verdict = judge(monitor=make_monitor("clean", *[NOTED] * count))
    assert verdict.why[0].startswith(f"{words} what could not be compared")
    assert len(judge(monitor=make_monitor("clean")).why) == 1


def test_the_worst_reasons_come_first_and_many_are_a_number() -> None:
    warnings = [make_finding("warn", f"c{number}", f"c{number} drifted") for number in range(7)]
    why = judge(monitor=make_monitor("held", *warnings, HELD)).why
    assert why[:2] == ("pay drifted far", "c0 drifted")
    assert why[5] == "And 3 more, below."
    assert why[6].startswith("1,000 rows in = 997 scored + 0 filtered + 3 rejected; ")
    assert "5 were allowed" in why[6]


def test_who_released_a_run_is_said() -> None:
    released = {"by": "ann", "at": "2026-05-03", "reason": "a new region"}
    verdict = judge(monitor=make_monitor("held", HELD), released=released)
    assert verdict.use == "with care"
    assert verdict.why[0] == "Released by ann at 2026-05-03: a new region"


def test_rows_that_are_left_out_are_accounted_for() -> None:
    rows = {"in": 10, "scored": 5, "filtered": 1, "rejected": 0, "left_out": 4}
    verdict = judge(rows=rows)
    assert verdict.use == "yes"
    assert "+ 0 rejected + 4 left out." in verdict.why[0]


@pytest.mark.parametrize(
    ("rows", "percent", "left_out", "allowed"),
    [(5, 0.0, 0, 5), (0, 0.29, 0, 2), (0, 7.0, 900, 7), (1, 0.05, 0, 1)],
)
def test_what_is_allowed_is_the_larger_limit(
    rows: int, percent: float, left_out: int, allowed: int
) -> None:
    manifest = make_manifest()
    manifest["job"]["errors"] = {"max_rejected_rows": rows, "max_rejected_percent": percent}
    manifest["rows"]["left_out"] = left_out
    assert read_books(manifest).allowed == allowed
