import datetime as dt
from decimal import Decimal
import math
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from model_zoo.evaluation.data_profile import QUANTILE_LEVELS, SCHEMA, profile_table


def record(column: pa.Array) -> dict[str, Any]:
    (only,) = profile_table({"c": column}, {}).to_pylist()
    return only


def test_numbers_without_their_missing_values() -> None:
    values = [1.0, 4.0, 2.5, 4.0]
    found = record(pa.array([*values, None, math.nan]))
    assert (found["rows"], found["missing"], found["distinct"], found["values"]) == (6, 2, 3, None)
    assert (found["mean"], found["min"], found["max"]) == (np.mean(values), 1.0, 4.0)
    assert found["std"] == np.std(values)
    assert found["quantiles"] == np.quantile(values, QUANTILE_LEVELS).tolist()


def test_numbers_are_counted_between_the_quantiles_that_differ() -> None:
    values = [0.0] * 6 + [1.0, 2.0, 3.0]
    found = record(pa.array([*values, math.inf, None]))
    points = np.unique(np.quantile(values, QUANTILE_LEVELS))
    assert points == pytest.approx([0.0, 1.0, 2.6, 2.92])
    # 0 is several of the quantiles, and is counted by itself.
    assert found["counts"] == [0, 6, 0, 2, 0, 1]
    assert found["cut_points"] == [0.0, 5e-324, *points[1:]]
    different = record(pa.array(np.arange(100.0)))
    assert different["cut_points"] == different["quantiles"]


@pytest.mark.parametrize("number", [0.7, 1 / 3, -1 / 3])
def test_a_float_that_many_rows_have_is_counted_with_those_that_are_rounded_otherwise(
    number: float,
) -> None:
    low, high = record(pa.array([number] * 9))["cut_points"]
    assert low < number < high
    assert low < float(np.float32(number)) < high


def test_an_integer_that_many_rows_have_is_counted_by_itself() -> None:
    found = record(pa.array([1_000_000] * 9 + [1_000_001]))
    assert found["counts"][:2] == [0, 9]


def test_infinite_values_do_not_spoil_the_rest() -> None:
    assert record(pa.array([1.0, math.inf, 3.0]))["mean"] == 2.0


def test_binary_values_are_told_by_their_sizes() -> None:
    found = record(pa.array([b"abc", None, b"a"]))
    assert (found["type"], found["missing"], found["mean"], found["max"]) == ("binary", 1, 2.0, 3.0)


def test_texts_are_told_by_their_most_frequent_values() -> None:
    found = record(pa.array(["b", "a", "c", None, "c"]).dictionary_encode())
    assert found["values"] == [
        {"value": "c", "count": 2},
        {"value": "a", "count": 1},
        {"value": "b", "count": 1},
    ]
    assert found["mean"] is None


def test_a_column_without_a_value_has_no_numbers() -> None:
    found = record(pa.array([None, None], pa.float64()))
    assert (found["missing"], found["distinct"], found["mean"], found["quantiles"]) == (
        2,
        0,
        None,
        None,
    )


def test_it_survives_parquet() -> None:
    table = profile_table({"text": pa.array(["x"]), "number": pa.array([1.0])}, {})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    assert pq.read_table(pa.BufferReader(sink.getvalue())).equals(table)


def test_features_then_scores_in_their_order() -> None:
    table = profile_table(
        {"b": pa.array([1]), "a": pa.array([True])}, {"probability": pa.array([0.5])}
    )
    assert table.schema == SCHEMA
    assert table.column("column").to_pylist() == ["b", "a", "probability"]
    assert table.column("kind").to_pylist() == ["feature", "feature", "score"]


def test_fifty_values_of_a_text_are_told_and_no_more() -> None:
    texts = [f"{number:02}" for number in range(51)]
    found = record(pa.array(texts))
    assert found["distinct"] == 51
    assert found["values"] == [{"value": text, "count": 1} for text in texts[:50]]


def test_the_levels_of_its_quantiles_are_told_with_it() -> None:
    levels = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
    assert levels == QUANTILE_LEVELS
    assert SCHEMA.metadata == {b"quantile_levels": b"0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99"}


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary()])
@pytest.mark.parametrize("text", [pa.string(), pa.large_string()])
def test_wide_types_are_told_as_the_others(kind: pa.DataType, text: pa.DataType) -> None:
    assert record(pa.array([b"abc", b"a"], kind))["mean"] == 2.0
    assert record(pa.array(["a", "a"], text))["values"] == [{"value": "a", "count": 2}]
    assert record(pa.array([True, None]))["values"] == [{"value": "True", "count": 1}]
    for number in (pa.int8(), pa.uint64(), pa.float32()):
        assert record(pa.array([1, 2, None], number))["mean"] == 1.5
    assert record(pa.array([0], pa.timestamp("s")))["mean"] is None


@pytest.mark.parametrize("form", [pa.list_, pa.large_list])
def test_lists_are_told_by_the_numbers_in_them(form: Any) -> None:
    column = pa.array([[1.0, 4.0], None, [], [2.5, None]], form(pa.float64()))
    found = record(column)
    assert (found["rows"], found["missing"], found["distinct"]) == (4, 2, None)
    assert (found["mean"], found["min"], found["max"]) == (2.5, 1.0, 4.0)


def test_lists_of_lists_and_of_texts() -> None:
    found = record(pa.array([[[1], [2, 3]], [[None]]], pa.list_(pa.list_(pa.int8()))))
    assert (found["missing"], found["mean"]) == (1, 2.0)
    assert record(pa.array([["a"], None]))["missing"] == 1


def test_moments_and_decimals_are_taken() -> None:
    moments = record(pa.array([dt.date(2020, 1, 1), None, dt.date(2021, 1, 1)]))
    assert (moments["missing"], moments["distinct"]) == (1, 2)
    amounts = record(pa.array([Decimal("1.50"), Decimal("2.50"), None], pa.decimal128(5, 2)))
    assert (amounts["missing"], amounts["mean"], amounts["max"]) == (1, 2.0, 2.5)
    assert record(pa.array([1.0, math.nan], pa.float16()))["missing"] == 1
