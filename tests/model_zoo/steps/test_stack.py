"""Columns are put side by side, and a value that the dtype cannot hold rejects its row."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pyarrow as pa
import pytest

from configs.errors import JobError, RejectedRows
from model_zoo.steps.stack import Stack
from model_zoo.steps.table import apply_steps
from tests.model_zoo.steps.columns import bad_rows


@settings(deadline=None, max_examples=30)
@given(
    rows=st.integers(0, 50),
    widths=st.lists(st.integers(0, 4), min_size=1, max_size=5),
    dtype=st.sampled_from(["float32", "float64"]),
)
def test_stack_is_numpys_column_stack(rows: int, widths: list[int], dtype: Any) -> None:
    random = np.random.default_rng(rows)
    parts = {
        f"c{i}": random.integers(-9, 9, (rows, w) if w else rows).astype(np.float64)
        for i, w in enumerate(widths)
    }
    columns = {
        n: pa.array(p) if p.ndim == 1 and i % 2 else p for i, (n, p) in enumerate(parts.items())
    }
    x = Stack(step="stack", columns=tuple(parts), into="x", dtype=dtype).apply(columns, rows)["x"]
    expected = np.column_stack(list(parts.values()))
    assert x.dtype == dtype  # type: ignore[union-attr]
    np.testing.assert_array_equal(x, expected)


def test_numbers_of_a_row_are_not_as_far_apart_as_a_power_of_2() -> None:
    """There they would share few places of the cache, and a network would wait for them."""
    rows = 8192
    step = Stack(step="stack", columns=("a", "b"), into="x")
    x = step.apply({"a": np.zeros(rows), "b": np.ones(rows)}, rows)["x"]
    assert isinstance(x, np.ndarray)
    assert x.strides[1] % 1024


def test_integers_that_half_a_float_does_not_hold_cost_their_row() -> None:
    step = Stack(step="stack", columns=("a",), into="x", dtype="float16")
    # Both are of 16 bits.
    with pytest.raises(RejectedRows) as raised:
        step.apply({"a": pa.array([65_504, 65_535], pa.uint16())}, 2)
    assert list(raised.value.reasons) == [1]


@pytest.mark.parametrize("dtype", ["float32", "int64"])
def test_stack_refuses_arrays_that_do_not_lie_side_by_side(dtype: Any) -> None:
    step = Stack(step="stack", columns=("a", "b"), into="x", dtype=dtype)
    columns = {"a": np.zeros(4), "b": np.zeros((4, 2, 3))}
    with pytest.raises(JobError, match=r"column 'b' has arrays of shape \(2, 3\)"):
        step.apply(columns, 4)
    columns["b"] = np.arange(8.0).reshape(4, 2, 1)
    expected = np.column_stack([np.zeros(4), np.arange(8).reshape(4, 2)])
    np.testing.assert_array_equal(step.apply(columns, 4)["x"], expected)


def test_stack_takes_a_column_as_often_as_it_is_named() -> None:
    columns = {"a": pa.array([1.0, 2.0]), "b": pa.array([3.0, 4.0])}
    for dtype in ("float32", "int32"):
        step = Stack(step="stack", columns=("a", "b", "a"), into="x", dtype=dtype)
        x = step.apply(columns, 2)["x"]
        np.testing.assert_array_equal(x, [[1, 3, 1], [2, 4, 2]])


def test_stack_takes_integers_booleans_and_nulls() -> None:
    columns = {
        "a": pa.array([1, None], type=pa.int32()),
        "b": pa.array([True, False]),
        "c": pa.array([0.5, 1.5]),
    }
    x = Stack(step="stack", columns=tuple("abc"), into="x").apply(columns, 2)["x"]
    np.testing.assert_array_equal(x, np.array([[1, 1, 0.5], [np.nan, 0, 1.5]], dtype=np.float32))


def test_stack_into_integers_rejects_what_does_not_fit() -> None:
    columns = {"a": pa.array([1, 2**31, 3]), "b": pa.array([1.0, 2.0, 3.5])}
    step = Stack(step="stack", columns=("a", "b"), into="x", dtype="int32")
    assert set(bad_rows(step, {**columns, "b": pa.array([1, 2, 3])}, 3)) == {1}
    assert set(bad_rows(step, {**columns, "a": pa.array([1, 2, 3])}, 3)) == {2}


@pytest.mark.parametrize("value", [3e38, float("inf"), float("nan")])
def test_float32_is_stacked_as_it_is_and_what_was_infinite_stays(value: float) -> None:
    for dtype in (pa.float32(), pa.float64()):
        x = Stack(step="stack", columns=("a",), into="x").apply(
            {"a": pa.array([value, 1.0], dtype)}, 2
        )["x"]
        np.testing.assert_array_equal(x, np.array([[value], [1.0]], np.float32))


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_fractions_are_not_cut_where_integers_are_stacked(dtype: Any) -> None:
    step = Stack(step="stack", columns=("a",), into="x", dtype=dtype)
    assert set(bad_rows(step, {"a": pa.array([1.0, 2.5, 3.0])}, 3)) == {1}
    assert step.apply({"a": pa.array([1.0, -2.0])}, 2)["x"].tolist() == [[1], [-2]]  # type: ignore[union-attr]


@pytest.mark.parametrize("dtype", [np.uint16, np.int64, np.float32, np.float64])
def test_what_float16_cannot_hold_rejects_its_row(dtype: Any) -> None:
    step = Stack(step="stack", columns=("a", "b"), into="x", dtype="float16")
    columns = {"a": np.array([1, 65_535, 3], dtype), "b": np.array([4, 5, 6], np.int8)}
    assert set(bad_rows(step, columns, 3)) == {1}
    held = step.apply({name: column[[0, 2]] for name, column in columns.items()}, 2)["x"]
    np.testing.assert_array_equal(held, np.array([[1, 4], [3, 6]], np.float16), strict=True)


def test_a_float64_that_overflows_float32_rejects_its_row() -> None:
    columns = {"a": pa.array([1.0, 1e300, float("inf")]), "b": pa.array([1, 2, 3])}
    with pytest.raises(RejectedRows) as bad:
        apply_steps([Stack(step="stack", columns=("a", "b"), into="x")], columns, 3)
    assert list(bad.value.reasons) == [1]
