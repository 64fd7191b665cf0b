"""Columns that tell the label by themselves, and those that only seem to."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pipelines.training.labels import Labelled
from pipelines.training.leaks import find_leaks

ROWS = 800
TARGETS = np.arange(ROWS) % 2
AMOUNTS = np.random.default_rng(0).normal(size=ROWS)


def is_leak(column: Any, targets: np.ndarray, task: Any = "classification") -> bool:
    labelled = Labelled(task, ("a", "b"), targets)
    return find_leaks(pa.table({"x": column}), ["x"], labelled) == ["x"]


@pytest.mark.parametrize(
    ("column", "tells"),
    [
        (TARGETS, True),
        (np.where(TARGETS == 1, "yes", "no"), True),
        # Several values of one label each.
        (np.arange(ROWS) % 4, True),
        # One row in which it is not so is enough.
        (np.where(np.arange(ROWS) == 7, 0, TARGETS), False),
        (np.arange(ROWS) % 3, False),
        (np.zeros(ROWS), False),
        # That it is missing tells the label as any value does.
        (pa.array([None if target else 1.0 for target in TARGETS]), True),
        (pa.array([b"yes" if target else b"no" for target in TARGETS]), False),
        (pa.array([[int(target)] for target in TARGETS]), False),
        (pa.array(np.where(TARGETS == 1, "yes", "no")).dictionary_encode(), True),
    ],
)
def test_a_column_tells_the_class_where_each_value_has_one(column: Any, tells: bool) -> None:
    assert is_leak(column, TARGETS) is tells


@pytest.mark.parametrize(("values", "tells"), [(100, True), (101, False), (102, False)])
def test_of_many_values_each_may_have_one_class_by_chance(values: int, tells: bool) -> None:
    column = np.arange(ROWS) % values
    targets = column % 2
    assert is_leak(column, targets) is tells


@pytest.mark.parametrize(("rows", "tells"), [(39, False), (40, True)])
def test_a_value_has_four_rows_or_tells_nothing(rows: int, tells: bool) -> None:
    column = np.arange(rows) % 10
    assert is_leak(column, column % 2) is tells


@pytest.mark.parametrize(("values", "tells"), [(2, False), (3, True)])
def test_fewer_values_than_labels_cannot_tell_them(values: int, tells: bool) -> None:
    targets = np.arange(ROWS) % 3
    column = np.minimum(targets, values - 1)
    assert is_leak(column, targets) is tells


@pytest.mark.parametrize(
    ("column", "tells"),
    [
        (AMOUNTS, True),
        (AMOUNTS * -3 + 7, True),
        (AMOUNTS.astype(np.float32), True),
        (AMOUNTS + np.where(np.arange(ROWS) == 5, 1, 0), False),
        (AMOUNTS**3, False),
        (np.full(ROWS, 2.0), False),
        (np.arange(ROWS), False),
        (pa.array([None, *AMOUNTS[1:].tolist()]), False),
        (np.where(np.arange(ROWS) == 5, np.inf, AMOUNTS), False),
        (AMOUNTS.astype(str), False),
    ],
)
def test_a_column_tells_a_number_where_it_is_a_multiple_of_it(column: Any, tells: bool) -> None:
    assert is_leak(column, AMOUNTS, "regression") is tells


def test_nothing_is_said_of_label_sets() -> None:
    targets = np.column_stack([TARGETS, 1 - TARGETS])
    assert not is_leak(TARGETS, targets, "multi_label")
