"""What a package's profile of training says of a run's columns."""

from typing import Any

import pytest

from transforms.summaries.known import Known
from transforms.summaries.numbers import CutPoints
from transforms.summaries.reference import (
    NO_REFERENCE,
    Reference,
    _read_record,
    find_training_place,
)


def describe(**fields: Any) -> dict[str, Any]:
    of_numbers = {"min": -1.0, "max": 5.0, "quantiles": None}
    of_values = {"values": None, "distinct": 2}
    return {"kind": "feature", "column": "c", "type": "double", **of_numbers, **of_values, **fields}


@pytest.mark.parametrize(
    ("kind", "dtype", "place"),
    [
        ("feature", "double", ("input", "c", "value")),
        ("score", "float", ("score", "c", "value")),
        ("feature", "string", ("input", "c", "value")),
        ("feature", "binary", ("input", "c", "length")),
        ("feature", "large_binary", ("input", "c", "length")),
    ],
)
def test_a_column_of_training_is_one_of_the_run(
    kind: str, dtype: str, place: tuple[str, str, str]
) -> None:
    assert find_training_place(describe(kind=kind, type=dtype)) == place


@pytest.mark.parametrize(
    ("quantiles", "points"), [([1.0, 2.0, 3.0], (1.0, 2.0, 3.0)), ([2.0, 1.0, 2.0], (1.0, 2.0))]
)
def test_quantiles_cut_once_each(quantiles: list[float], points: tuple[float, ...]) -> None:
    _, known = _read_record(describe(quantiles=quantiles))
    assert known == Known(CutPoints(-1.0, 5.0, points), None)


@pytest.mark.parametrize("quantiles", [None, []])
def test_without_quantiles_nothing_is_cut(quantiles: list[float] | None) -> None:
    assert _read_record(describe(quantiles=quantiles))[1] == Known(None, None)


@pytest.mark.parametrize(("distinct", "are_known"), [(2, True), (3, False), (1, False)])
def test_values_are_known_where_all_are_there(distinct: int, are_known: bool) -> None:
    values = [{"value": "a", "count": 5}, {"value": "b", "count": 1}]
    _, known = _read_record(describe(values=values, distinct=distinct))
    assert known.values == (frozenset("ab") if are_known else None)


def test_of_what_training_did_not_have_nothing_is_known() -> None:
    place, known = _read_record(describe(quantiles=[1.0]))
    reference = Reference({place: known})
    assert reference.find("input", "c", "value") is known
    assert reference.find("score", "c", "value") == Known()
    assert reference.find("input", "c", "length") == Known()
    assert NO_REFERENCE.find("input", "c", "value") == Known()
