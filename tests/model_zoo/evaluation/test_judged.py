"""Which changes are told, and how: thresholds, chance, levels."""

from dataclasses import replace

import pytest

from model_zoo.evaluation.drift import Change
from model_zoo.evaluation.findings import Finding, Limit, Rules, find_verdict, sort_findings
from model_zoo.evaluation.judged import judge_drifts, judge_rows
from model_zoo.evaluation.profile_drift import Drift

PSI = {"psi": Limit(warn=0.1, hold=0.25)}


def drift_of(column: str = "a", kind: str = "input", of: str = "value", **changes: Change) -> Drift:
    return Drift(kind, column, of, 500, 900, 0.3, 0.1, changes)


def rules_of(limits: dict[str, Limit], **others: Limit) -> Rules:
    return Rules({"a": limits}, limits, limits, **others)


@pytest.mark.parametrize(
    ("distance", "level"), [(0.25, "hold"), (0.24, "warn"), (0.1, "warn"), (0.09, None)]
)
def test_the_highest_threshold_that_is_reached_is_told(distance: float, level: str | None) -> None:
    found = judge_drifts([drift_of(psi=Change(distance, 0.0))], rules_of(PSI))
    assert [finding.level for finding in found] == ([] if level is None else [level])


def test_what_chance_may_give_is_a_note() -> None:
    (finding,) = judge_drifts([drift_of(psi=Change(0.9, 0.01))], rules_of(PSI))
    assert finding.level == "note"
    assert finding.says == (
        "a: PSI is 0.9, hold from 0.25 on, which chance alone may give with 500 rows and so many comparisons"
    )


def test_chance_is_told_by_the_numbers_that_were_counted() -> None:
    change = Change(0.9, 0.01)
    limits = {**PSI, "missing": Limit(warn=0.1)}
    drift = replace(drift_of(psi=change, missing=change), chosen=31)
    found = judge_drifts([drift], rules_of(limits))
    of_numbers, of_missing = (finding.says for finding in found)
    assert "with 31 counted numbers and so many" in of_numbers
    assert "with 500 rows and so many" in of_missing


def test_many_comparisons_ask_for_smaller_chances() -> None:
    change = Change(0.9, 0.0005)
    assert judge_drifts([drift_of(psi=change)], rules_of(PSI))[0].level == "hold"
    others = [drift_of("a", kind="score", psi=Change(0.0, 1.0)) for _ in range(9)]
    assert judge_drifts([drift_of(psi=change), *others], rules_of(PSI))[0].level == "note"


def test_columns_without_thresholds_count_for_nothing() -> None:
    free = [drift_of("b", psi=Change(0.9, 0.0)) for _ in range(9)]
    change = Change(0.9, 0.0005)
    (finding,) = judge_drifts([*free, drift_of(psi=change)], rules_of(PSI))
    assert finding.level == "hold"


def test_missing_values_are_told_with_both_shares_and_once() -> None:
    change = Change(0.2, 0.0)
    drifts = [drift_of(missing=change), drift_of(of="length", missing=change)]
    (finding,) = judge_drifts(drifts, rules_of({"missing": Limit(hold=0.1)}))
    assert (finding.value, finding.reference, finding.threshold) == (0.3, 0.1, 0.1)
    assert "30.0% of rows, and 10.0% before" in finding.says


def test_a_labels_share_is_that_of_chi_squared() -> None:
    drift = drift_of("label", kind="score", chi2=Change(0.4, 0.0))
    (finding,) = judge_drifts([drift], rules_of({"label_share": Limit(hold=0.1)}))
    assert (finding.kind, finding.measure, finding.value) == ("score", "label_share", 0.4)


def test_what_cannot_be_compared_is_noted_where_somebody_asks() -> None:
    left = [Drift("input", name, "value", 9, 0, 0.0, None, {}, "why") for name in ("a", "b")]
    (finding,) = judge_drifts(left, rules_of(PSI))
    assert (finding.level, finding.column, finding.says) == ("note", "a", "a: why")


@pytest.mark.parametrize(
    ("rows", "expected"),
    [(49, "hold"), (50, "warn"), (80, None), (200, None), (201, "hold"), (0, "hold")],
)
def test_rows_are_judged_by_their_median(rows: int, expected: str | None) -> None:
    rules = rules_of({}, fewer_rows=Limit(warn=0.8, hold=0.5), more_rows=Limit(hold=2.0))
    found = judge_rows(rows, [100, 10, 900], rules)
    assert [finding.level for finding in found] == ([] if expected is None else [expected])
    assert all(finding.reference == 100 for finding in found)
    assert judge_rows(rows, [], rules) == []
    assert [finding.level for finding in judge_rows(rows, [0], rules)] == ["note"] * bool(rows)


def test_a_night_without_rows_is_noted_where_nobody_set_a_limit() -> None:
    (found,) = judge_rows(0, [100], rules_of(PSI))
    assert (found.level, found.says) == ("note", "no rows, and 100 of the reference")
    (held,) = judge_rows(0, [100], rules_of(PSI, fewer_rows=Limit(hold=0.5)))
    assert held.level == "hold"
    assert judge_rows(1, [100], rules_of(PSI)) == []


def test_who_asks_for_missing_values_alone_need_not_know_what_is_not_compared() -> None:
    drift = replace(drift_of(), left_out="it is of another kind")
    for limits, told in (({"missing": Limit(warn=0.1)}, 0), (PSI, 1), ({}, 0)):
        assert len(judge_drifts([drift], rules_of(limits))) == told


def test_the_worst_comes_first_and_decides() -> None:
    levels = ("note", "warn", "hold", "warn")
    findings = [Finding(level, "check", None, "unique", level) for level in levels]  # type: ignore[arg-type]
    ordered = sort_findings(findings)
    assert [finding.level for finding in ordered] == ["hold", "warn", "warn", "note"]
    assert find_verdict(ordered) == "held"
    assert find_verdict(ordered[1:]) == "warned"
    assert find_verdict(ordered[3:]) == "clean"
    assert ordered[0].as_dict()["level"] == "hold"
