"""States of columns that merge: of numbers, of values, and of what is neither."""

from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from transforms.summaries.column import ColumnState, measure_column, merge_columns
from transforms.summaries.known import Known
from transforms.summaries.numbers import CutPoints

NUMBERS = pa.array([1.0, None, 3.0])
TEXTS = pa.array(["a", None, "bb"])
STRUCTS = pa.array([{"a": 1}, None])


def measure(column: pa.Array, measure: Any = "value") -> ColumnState:
    return measure_column(column)[measure]


@pytest.mark.parametrize(
    ("column", "measures"),
    [
        (NUMBERS, ["value"]),
        (TEXTS, ["value", "length"]),
        (TEXTS.dictionary_encode(), ["value", "length"]),
        (TEXTS.cast(pa.large_string()), ["value", "length"]),
        (TEXTS.cast(pa.binary()), ["value", "length"]),
        (TEXTS.cast(pa.large_binary()), ["value", "length"]),
        (pa.array([b"ab"], pa.binary(2)), ["value"]),
        (pa.array([[1], []]), ["value", "length"]),
        (pa.array([[1, 2]], pa.list_(pa.int8(), 2)), ["value"]),
        (pa.array([True]), ["value"]),
        (STRUCTS, ["value"]),
    ],
    ids=lambda value: str(value.type) if isinstance(value, pa.Array) else "",
)
def test_what_has_a_length_is_measured_by_it(column: pa.Array, measures: list[str]) -> None:
    states = measure_column(column)
    assert list(states) == measures
    for state in states.values():
        assert (state.rows, state.missing) == (len(column), column.null_count)


@pytest.mark.parametrize(
    ("dtype", "counts"),
    [
        (pa.date32(), [1, 20_000]),
        (pa.date64(), [86_400_000, 2 * 86_400_000]),
        (pa.time32("s"), [1, 2]),
        (pa.time64("us"), [1, 2]),
        (pa.timestamp("ns"), [1, 2**40]),
        (pa.duration("s"), [-1, 2**40]),
    ],
    ids=str,
)
def test_moments_are_the_counts_that_are_stored(dtype: pa.DataType, counts: list[int]) -> None:
    stored = pa.array([*counts, None], pa.int32() if dtype.bit_width == 32 else pa.int64())
    numbers = measure(stored.view(dtype)).numbers
    assert numbers is not None
    assert (numbers.minimum, numbers.maximum) == (counts[0], counts[1])
    assert numbers.moments.count == 2


@pytest.mark.parametrize("name", ["value", "length"])
def test_numbers_and_lengths_of_two_are_those_of_both(name: str) -> None:
    column = NUMBERS if name == "value" else TEXTS
    state = measure(column, name)
    both = merge_columns(state, state)
    assert (both.type, both.rows, both.missing) == (state.type, 6, 2)
    assert both.numbers is not None
    assert state.numbers is not None
    assert both.numbers.moments.count == 2 * state.numbers.moments.count
    assert both.values is None


def test_values_of_two_are_those_of_both() -> None:
    state = measure(TEXTS)
    both = merge_columns(state, measure(pa.array(["a"])))
    assert both.values is not None
    assert both.values.counts == {"a": 2, "bb": 1}
    assert both.numbers is None


def test_of_what_is_neither_rows_are_counted() -> None:
    state = measure(STRUCTS)
    assert merge_columns(state, state) == ColumnState(state.type, 4, 2)


def test_numbers_of_one_kind_and_of_no_kind_stay_what_the_first_knows() -> None:
    numbers, nothing = measure(NUMBERS), measure(STRUCTS)
    assert merge_columns(numbers, nothing).numbers == numbers.numbers
    assert merge_columns(nothing, numbers).numbers is None
    values = measure(TEXTS)
    assert merge_columns(values, nothing).values == values.values
    assert merge_columns(nothing, values).values is None


def test_values_and_lengths_are_counted_by_what_is_known_of_each() -> None:
    cuts = CutPoints(1.0, 1.0, (2.0,))
    states = measure_column(TEXTS, Known(None, frozenset("a")), Known(cuts, None))
    value, length = states["value"], states["length"]
    assert value.values is not None
    assert value.values.new == 1
    assert length.numbers is not None
    assert (length.numbers.counts, length.numbers.above) == ((1, 1), 1)
    of_days = measure_column(pa.array([date(1970, 1, 2)]), Known(cuts, None))["value"].numbers
    assert of_days is not None
    assert of_days.counts == (1, 0)


def test_half_floats_and_unsigned_numbers_are_numbers() -> None:
    for dtype in (np.float16, np.uint64):
        numbers = measure(pa.array(np.array([1, 2], dtype))).numbers
        assert numbers is not None
        assert numbers.moments.mean == 1.5
