"""Gaps are filled as scikit-learn fills them, in the type of their column."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn.impute import SimpleImputer

from configs.errors import JobError
from model_zoo.steps.fill import Fill
from model_zoo.steps.missing import fill_missing, find_missing
from model_zoo.steps.table import apply_steps
from tests.model_zoo.steps.columns import stacked

RANDOM = np.random.default_rng(5)


@pytest.mark.parametrize("strategy", ["mean", "median", "most_frequent"])
def test_fill_is_scikit_learns_imputer(strategy: str) -> None:
    holes = np.where(
        RANDOM.random((50, 3)) < 0.3, np.nan, RANDOM.integers(0, 5, (50, 3)).astype(float)
    )
    imputer = SimpleImputer(strategy=strategy).fit(holes)
    step = Fill(step="fill", columns=tuple("abc"), values=tuple(imputer.statistics_.tolist()))
    columns = {
        n: pa.array([None if np.isnan(x) and i % 2 else x for i, x in enumerate(v)])
        for n, v in zip("abc", holes.T, strict=True)
    }
    np.testing.assert_array_equal(
        stacked(apply_steps([step], columns, 50)), imputer.transform(holes)
    )


@pytest.mark.parametrize(
    ("column", "value"),
    [
        (pa.array([1, None, 3], type=pa.int8()), 2),
        (pa.array(["x", None, ""]), "?"),
        (pa.array([True, None, False]), False),
        (pa.array([1.5, None, float("nan")], type=pa.float32()), 0.5),
        (pa.array([1.0, 2.0]), 9.0),
    ],
)
def test_fill_keeps_the_columns_type(column: pa.Array, value: Any) -> None:
    filled = fill_missing(column, value)
    expected = [value if v is None or v != v else v for v in column.to_pylist()]
    assert filled.to_pylist() == expected
    assert filled.type == column.type


@pytest.mark.parametrize(
    ("column", "positions"),
    [
        (pa.array([1.0, None, float("nan"), 4.0]), [1, 2]),
        (pa.array([float("inf"), float("-inf")]), None),
        (pa.array([3.4e38, 3.4e38], type=pa.float32()), None),
        (pa.array([1.0, 2.0]), None),
        (pa.array([1, None, 3]), [1]),
        (pa.array(["nan", ""]), None),
        (pa.array([None, None]), [0, 1]),
        (pa.array([], type=pa.float64()), None),
        (pa.array([None, 1.0, float("nan"), 2.0]).slice(1), [1]),
        (pa.array([b"", None], type=pa.binary()), [1]),
    ],
)
def test_missing_is_null_and_in_floating_columns_nan(
    column: pa.Array, positions: list[int] | None
) -> None:
    found = find_missing(column)
    assert (None if found is None else found.tolist()) == positions


@pytest.mark.parametrize(
    "values",
    [
        pa.array([1.5, None, float("nan"), 4.0]),
        pa.array([1.5, None, 4.0], type=pa.float32()),
        pa.array([1.5, None, 4.0]).cast(pa.float16()),
        pa.array([None, 3, 4], type=pa.int8()),
        pa.array([True, None, False]),
        pa.array(["x", None, ""]),
        pa.array(["x", None, ""], type=pa.large_string()),
        pa.array([b"x", None], type=pa.binary()),
    ],
)
def test_a_gap_is_filled_whatever_the_type(values: pa.Array) -> None:
    given = values.drop_null()[0].as_py()
    filled = fill_missing(values.slice(1), given)
    expected = [given if v is None or v != v else v for v in values.to_pylist()[1:]]
    assert filled.type == values.type
    assert filled.to_pylist() == expected
    assert filled.null_count == 0


def test_a_fill_value_that_the_column_cannot_hold_is_refused() -> None:
    with pytest.raises(JobError, match="does not fit a column of type int64"):
        apply_steps(
            [Fill(step="fill", columns=("a",), values=(0.5,))], {"a": pa.array([1, None])}, 2
        )
