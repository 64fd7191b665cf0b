"""The section `monitor`: what it takes, what it implies, and what is refused by name."""

from typing import Any

from pydantic import ValidationError
import pytest

from configs.monitor import Monitor

HOLD = {"hold": 0.25}


@pytest.mark.parametrize(
    "reference", ["training", "previous", "last 7", "0123456789abcdef", "s3://b/profile-12.parquet"]
)
def test_a_reference_is_taken(reference: str) -> None:
    assert Monitor[str](reference=reference).summaries == ("profile",)


@pytest.mark.parametrize(
    "reference", ["", "trainin", "last", "last 0", "last 1000", "yesterday", "0123456789ABCDEF", 7]
)
def test_what_is_no_reference_is_refused(reference: Any) -> None:
    with pytest.raises(ValidationError, match="reference"):
        Monitor[str](reference=reference)


@pytest.mark.parametrize(
    "fields",
    [
        {"reference": "training"},
        {"columns": {"region": {}}},
        {"columns": {"region": None}},
        {"reference": "previous", "rows": {"fewer_than": 0.5}, "summaries": ["profile"]},
    ],
)
def test_whatever_is_compared_is_summarised(fields: dict[str, Any]) -> None:
    assert Monitor[str](**fields).summaries == ("profile",)
    assert Monitor[str](**{**fields, "summaries": ["other"]}).summaries == ("other", "profile")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"columns": ["region"]}, "must be a mapping of columns to their thresholds"),
        ({"columns": {"a": {"psi": 0.1}}}, "must say warn or hold, for example"),
        ({"columns": {"a": {"psi": {}}}}, "must say warn, hold, or both"),
        ({"columns": {"a": {"psi": {"hold": 0}}}}, "greater than 0"),
        ({"columns": {"a": {"psi": {"hold": float("nan")}}}}, "nan"),
        ({"columns": {"a": {"psi": {"warn": 0.3, "hold": 0.25}}}}, "warn 0.3 must be below hold"),
        ({"columns": {"a": {"label_share": HOLD}}}, "label_share"),
        ({"scores": {"median": HOLD}}, "median"),
        ({"rows": {"fewer_than": 1.0}}, "must be below 1"),
        ({"rows": {"fewer_than": {"warn": 0.4, "hold": 0.5}}}, "warn 0.4 must be above hold 0.5"),
        ({"rows": {"more_than": 0.5}}, "must be above 1"),
        ({"rows": {"more_than": {"warn": 3, "hold": 2}}}, "warn 3 must be below hold 2"),
        ({"rows": {"more_than": True}}, "must say warn or hold"),
    ],
)
def test_a_threshold_that_cannot_be_is_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Monitor[str](reference="training", **fields)


def test_a_number_of_rows_alone_holds_back() -> None:
    rows = Monitor[str](reference="previous", rows={"fewer_than": 0.5, "more_than": 2}).rows
    assert (rows.fewer_than.warn, rows.fewer_than.hold) == (None, 0.5)
    assert (rows.more_than.warn, rows.more_than.hold) == (None, 2.0)


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"columns": {"default": {"psi": HOLD}}}, "columns.default.psi"),
        ({"scores": {"label_share": HOLD}}, "scores.label_share"),
        ({"rows": {"more_than": 2.0}}, "rows.more_than"),
    ],
)
def test_a_threshold_without_a_reference_is_refused(fields: dict[str, Any], place: str) -> None:
    with pytest.raises(ValidationError, match=f"{place} is a threshold .*set reference: training"):
        Monitor[str](**fields)


def test_a_users_own_summary_is_of_a_module_that_is_listed() -> None:
    taken = Monitor[str](summaries=["mine:Counts", "profile"], modules=["mine"])
    assert taken.summaries == ("mine:Counts", "profile")
    for modules in ([], ["other"]):
        with pytest.raises(ValidationError, match="does not list mine"):
            Monitor[str](summaries=["profile", "mine:Counts"], modules=modules)


def test_every_row_is_asked_of_a_profile() -> None:
    assert Monitor[str](reference="previous", every_row=True).summaries == ("profile",)
    for summaries in ([], ["mine:Counts"]):
        with pytest.raises(ValidationError, match=r"every_row .* set summaries: \[profile\]"):
            Monitor[str](summaries=summaries, modules=["mine"], every_row=True)
