"""The section `checks`: what may be asked of a column, by which words, and what is refused."""

from datetime import date, datetime
from typing import Any

from pydantic import TypeAdapter, ValidationError
import pytest

from configs.checks import Check, ChecksOfColumn


def check(**fields: Any) -> Check:
    return Check.model_validate({"on_failure": "warn", **fields})


@pytest.mark.parametrize(
    ("fields", "rules"),
    [
        # 0 is a bound, and no rule is a false one.
        ({"min": 0}, {"min": 0}),
        ({"max": 0.0}, {"max": 0.0}),
        ({"min": date(2026, 1, 31)}, {"min": "2026-01-31"}),
        ({"max": datetime(2026, 1, 31, 6, 0)}, {"max": "2026-01-31T06:00:00"}),
        (
            {"allowed": [False, 0, "a", date(2026, 1, 1)]},
            {"allowed": (False, 0, "a", "2026-01-01")},
        ),
        ({"matches": "a+", "not_null": True}, {"matches": "a+", "not_null": True}),
        ({"unique": True}, {"unique": True}),
        ({"newest_within": "36 hours"}, {"newest_within": "36 hours"}),
        ({"min": 1, "not_null": False, "unique": False}, {"min": 1}),
    ],
    ids=str,
)
def test_what_is_asked_for_is_told_by_its_rules(
    fields: dict[str, Any], rules: dict[str, Any]
) -> None:
    assert check(**fields).rules == rules


@pytest.mark.parametrize("fields", [{}, {"not_null": False}, {"unique": False, "mostly": 0.5}])
def test_a_check_of_nothing_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="asks for nothing; name at least one of min, max"):
        check(**fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"min": 1, "mostly": 0},
        {"min": 1, "mostly": 1.001},
        {"allowed": []},
        {"matches": ""},
        {"newest_within": "0 days"},
        {"newest_within": "1 year"},
        {"newest_within": "1000000 days"},
        {"min": 1, "on_failure": "stop"},
        {"least": 1},
    ],
    ids=str,
)
def test_what_is_out_of_range_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        check(**fields)


@pytest.mark.parametrize("mostly", [0.001, 0.99, 1])
@pytest.mark.parametrize("on_failure", ["warn", "hold", "reject"])
def test_a_row_is_rejected_for_its_own_sake(on_failure: str, mostly: float) -> None:
    fields = {"min": 1, "on_failure": on_failure, "mostly": mostly}
    if on_failure == "reject" and mostly < 1:
        with pytest.raises(ValidationError, match="mostly is for warn and hold"):
            check(**fields)
        return
    assert check(**fields).mostly == mostly


@pytest.mark.parametrize("rule", [{"unique": True}, {"newest_within": "2 days"}])
def test_no_row_fails_a_rule_of_the_whole_column(rule: dict[str, Any]) -> None:
    (name,) = rule
    for on_failure in ("warn", "hold"):
        assert check(**rule, on_failure=on_failure).mostly == 1
    with pytest.raises(ValidationError, match=f"{name} is for warn and hold: no row fails it"):
        check(**rule, on_failure="reject")


def test_a_column_has_one_check_or_several_and_not_none() -> None:
    adapter = TypeAdapter(ChecksOfColumn)
    one = {"min": 1, "on_failure": "warn"}
    assert adapter.validate_python(one) == (check(min=1),)
    assert len(adapter.validate_python([one, one])) == 2
    with pytest.raises(ValidationError):
        adapter.validate_python([])
