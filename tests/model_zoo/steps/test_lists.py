"""Columns of lists against loops over the lists: what is missing in them, and where their items are."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from model_zoo.steps.lists import (
    count_levels,
    fill_items,
    find_item_type,
    find_lists_with_missing,
    list_lengths,
    place_items,
)

NAN = float("nan")
KINDS = [pa.list_(pa.float64()), pa.large_list(pa.float64())]
NESTED = pa.list_(pa.list_(pa.float64()))


@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([[1.0], [], [2.0, 3.0]], None),
        ([], None),
        ([[float("inf"), float("-inf")]], None),
        ([[1.0], None, [2.0]], [False, True, False]),
        ([[1.0], [2.0, None], []], [False, True, False]),
        ([[NAN, 1.0], [2.0]], [True, False]),
    ],
)
def test_lists_that_lack_something_are_found(
    values: Any, expected: list[bool] | None, dtype: pa.DataType
) -> None:
    found = find_lists_with_missing(pa.array(values, dtype))
    assert (None if found is None else found.to_pylist()) == expected


@pytest.mark.parametrize("inner", [[1.0, None], [NAN], None])
def test_what_is_missing_deep_inside_is_the_outer_lists(inner: Any) -> None:
    lists = pa.array([[[1.0]], [[2.0], inner], []], NESTED)
    found = find_lists_with_missing(lists)
    assert found is not None
    assert found.to_pylist() == [False, True, False]


def test_integers_have_no_nan() -> None:
    assert find_lists_with_missing(pa.array([[1], [2]], pa.list_(pa.int64()))) is None


def test_a_slice_has_its_own_lengths_and_places() -> None:
    lists = pa.array([[1.0], [2.0, 3.0], None, [], [4.0, 5.0, 6.0]], KINDS[0]).slice(1)
    lengths = list_lengths(lists)
    assert lengths.tolist() == [2, 0, 0, 3]
    assert place_items(lengths).tolist() == [0, 1, 0, 1, 2]
    assert place_items(np.zeros(0, np.int64)).tolist() == []


def test_missing_items_are_filled_and_a_missing_list_is_empty() -> None:
    lists = pa.array([[1.0, None], None, [NAN]], KINDS[0])
    assert fill_items(lists, pa.scalar(9.0)).to_pylist() == [[1.0, 9.0], [], [9.0]]
    nested = pa.array([[[None], None], [[2.0]]], NESTED)
    assert fill_items(nested, pa.scalar(9.0)).to_pylist() == [[[9.0], []], [[2.0]]]


@pytest.mark.parametrize(
    ("dtype", "levels"),
    [(pa.float64(), 0), (KINDS[0], 1), (pa.list_(pa.float64(), 2), 1), (NESTED, 2)],
)
def test_lists_are_as_deep_as_they_are(dtype: pa.DataType, levels: int) -> None:
    assert count_levels(dtype) == levels
    assert find_item_type(dtype) == pa.float64()
