"""A cast keeps a value exactly, or rejects its row."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pyarrow as pa
import pytest

from configs.errors import JobError
from model_zoo.steps.cast import Cast
from tests.model_zoo.steps.columns import bad_rows

INTEGERS = {n: np.iinfo(n) for n in ("int8", "int16", "int32", "int64", "uint8")}


@settings(deadline=None)
@given(
    values=st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=20),
    dtype=st.sampled_from(sorted(INTEGERS)),
)
def test_cast_between_integers_rejects_exactly_what_does_not_fit(
    values: list[int], dtype: Any
) -> None:
    step = Cast(step="cast", columns=("a",), dtype=dtype)
    bad = {p for p, v in enumerate(values) if not INTEGERS[dtype].min <= v <= INTEGERS[dtype].max}
    columns = {"a": pa.array(values, type=pa.int64())}
    if bad:
        assert set(bad_rows(step, columns, len(values))) == bad
    else:
        result = step.apply(columns, len(values))["a"]
        assert (result.dtype.name, result.tolist()) == (dtype, values)  # type: ignore[union-attr]


@settings(deadline=None)
@given(
    values=st.lists(st.floats(), min_size=1, max_size=20), dtype=st.sampled_from(sorted(INTEGERS))
)
def test_cast_from_floats_to_integers_keeps_whole_numbers_only(
    values: list[float], dtype: Any
) -> None:
    step = Cast(step="cast", columns=("a",), dtype=dtype)
    limits = INTEGERS[dtype]
    bad = {
        p
        for p, v in enumerate(values)
        if not (np.isfinite(v) and v == int(v) and limits.min <= int(v) <= limits.max)
    }
    columns = {"a": pa.array(values, type=pa.float64())}
    if bad:
        assert set(bad_rows(step, columns, len(values))) == bad
    else:
        assert step.apply(columns, len(values))["a"].tolist() == [int(v) for v in values]  # type: ignore[union-attr]


def test_cast_to_float32_rejects_what_becomes_infinite_only() -> None:
    step = Cast(step="cast", columns=("a",), dtype="float32")
    values = [1e39, float("inf"), float("nan"), 0.1, -1e39, None]
    assert set(bad_rows(step, {"a": pa.array(values)}, 6)) == {0, 4}
    np.testing.assert_array_equal(
        step.apply({"a": pa.array(values[1:4])}, 3)["a"],
        np.array([np.inf, np.nan, 0.1], dtype=np.float32),
    )


def test_cast_to_and_from_bool() -> None:
    assert set(
        bad_rows(Cast(step="cast", columns=("a",), dtype="bool"), {"a": pa.array([0, 1, 2, -1])}, 4)
    ) == {2, 3}
    assert Cast(step="cast", columns=("a",), dtype="int8").apply({"a": pa.array([True, False])}, 2)[
        "a"
    ].tolist() == [1, 0]  # type: ignore[union-attr]


def test_cast_of_a_null_integer_rejects_its_row() -> None:
    assert set(
        bad_rows(Cast(step="cast", columns=("a",), dtype="int32"), {"a": pa.array([1, None])}, 2)
    ) == {1}


def test_cast_of_a_wide_array_names_rows() -> None:
    wide = np.array([[1.0, 2.0], [3.0, 4.5], [5.0, 6.0]])
    assert set(bad_rows(Cast(step="cast", columns=("a",), dtype="int32"), {"a": wide}, 3)) == {1}


def test_text_is_not_a_number() -> None:
    """The message names the step and the column."""
    with pytest.raises(JobError, match="step cast: column 'a' of type string is not a number"):
        Cast(step="cast", columns=("a",), dtype="int32").apply({"a": pa.array(["1"])}, 1)
