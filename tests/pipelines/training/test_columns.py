"""Features and steps by the types of columns, and what is left out."""

from datetime import date, time
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from pipelines.training.columns import choose_features

ROWS = 60
COLUMNS: dict[str, list[Any]] = {
    "age": [None, *(float(n) for n in range(ROWS - 1))],
    "price": [Decimal(n) / 4 for n in range(ROWS)],
    "vip": [n % 3 == 0 for n in range(ROWS)],
    "city": [None, *["Bern", "Oslo"] * 29, "Bern"],
    "born": [date(2000, 1, 1 + n % 28) for n in range(ROWS)],
    "hour": [time(n % 24) for n in range(ROWS)],
}


def features_of(columns: dict[str, Any], **kwargs: Any) -> Any:
    table = pa.table(columns)
    return choose_features(table, table.column_names, (), **kwargs)


def test_each_type_has_its_steps() -> None:
    found = features_of(COLUMNS)
    assert found.names == tuple(COLUMNS)
    assert found.notes == ()
    parts = ("born_year", "born_month", "born_day", "born_weekday")
    steps = [(step.step, getattr(step, "columns", ())) for step in found.steps]
    assert steps == [
        ("date_parts", ("born",)),
        ("fill", ("age", "price", "hour", *parts)),
        ("standardise", ("age", "price", "hour", *parts)),
        ("fill", ("vip",)),
        ("one_hot", ("city",)),
        ("stack", ("age", "price", "hour", *parts, "vip", "city")),
    ]
    assert found.numbers == {"hour": "days"}
    assert found.missing == {"default": "fill"}


def test_beside_lists_a_date_is_a_number_and_packing_puts_all_side_by_side() -> None:
    vectors = [[float(n), 1.0] for n in range(ROWS)]
    found = features_of({"born": COLUMNS["born"], "vector": vectors})
    assert found.numbers == {"born": "days"}
    assert [step.step for step in found.steps] == ["fill", "standardise"]
    assert found.missing == {"default": "fill", "vector": "reject"}
    assert features_of({"vector": vectors}).missing == {"default": "reject"}


def test_the_job_may_count_a_date() -> None:
    found = features_of({"born": COLUMNS["born"]}, counted=("born",))
    assert [step.step for step in found.steps] == ["fill", "standardise", "stack"]


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([None] * ROWS, "no training row has a value"),
        ([float("nan")] * ROWS, "no training row has a value"),
        ([1] * ROWS, "one value in all training rows"),
        (["a"] * ROWS, "one value in all training rows"),
        ([1.0, float("inf")] * 30, "infinite numbers"),
        ([f"n{n}" for n in range(ROWS)], "60 different texts in 60 rows"),
        ([b"a", b"b"] * 30, "image for example"),
        ([["a"], ["b"]] * 30, "needs a step"),
        ([{"a": 1}, {"a": 2}] * 30, "needs a step"),
    ],
)
def test_what_a_model_cannot_see_is_left_out_and_told(values: list[Any], reason: str) -> None:
    found = features_of({"x": values, "vip": COLUMNS["vip"]})
    assert found.names == ("vip",)
    (note,) = found.notes
    assert note.startswith("column 'x' is left out")
    assert reason in note


def test_a_text_that_comes_or_is_missing_says_something() -> None:
    assert features_of({"x": ["a", None] * 30}).names == ("x",)
    assert features_of({"x": [f"v{n % 50}" for n in range(200)]}).names == ("x",)
    assert features_of({"x": [f"v{n % 51}" for n in range(204)]}).names == ()


def test_what_the_job_fills_no_step_fills() -> None:
    table = pa.table(COLUMNS)
    found = choose_features(table, ["age", "vip"], ["age", "vip"])
    assert [step.step for step in found.steps] == ["standardise", "stack"]


@pytest.mark.parametrize(
    ("rows", "different", "is_taken"),
    [
        # Two rows of each text are enough, and one row less is not.
        (6, 3, True),
        (5, 3, False),
        # Of two texts it is a yes and a no, however few rows there are.
        (2, 2, True),
        (3, 2, True),
    ],
)
def test_texts_come_twice_each(rows: int, different: int, is_taken: bool) -> None:
    table = pa.table({"x": [f"v{n % different}" for n in range(rows)]})
    found = choose_features(table, ["x"], [])
    assert found.names == (("x",) if is_taken else ())


def test_a_value_and_a_missing_one_are_two_of_texts_alone() -> None:
    table = pa.table({"n": [1, None], "t": ["a", None], "f": [1.0, float("nan")]})
    assert choose_features(table, ["n", "t", "f"], []).names == ("t",)


def test_rows_without_a_list_have_no_score() -> None:
    lists = [[1.0, 2.0], [3.0, 4.0]]
    table = pa.table({"l": lists, "n": [1, 2]})
    assert choose_features(table, ["l", "n"], []).missing == {"default": "fill", "l": "reject"}
    assert choose_features(table, ["l"], []).missing == {"default": "reject"}
    assert choose_features(table, ["n"], []).missing == {"default": "fill"}
    assert choose_features(table, [], []).missing == {"default": "fill"}
