"""Columns as arrays that steps count with: nulls among numbers are NaN, and what is no number is refused."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from configs.errors import JobError
from model_zoo.steps.arrays import get_numbers


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, 2], [1, 2]),
        ([1, None], [1.0, np.nan]),
        ([0.5, None, np.inf], [0.5, np.nan, np.inf]),
        ([True, False], [True, False]),
    ],
)
def test_a_null_among_numbers_is_nan(values: list[Any], expected: list[Any]) -> None:
    found = get_numbers({"a": pa.array(values)}, "a", "scale")
    np.testing.assert_array_equal(found, expected)


def test_an_array_is_taken_as_it_is() -> None:
    array = np.ones((2, 3))
    assert get_numbers({"a": array}, "a", "scale") is array


@pytest.mark.parametrize("values", [["a", "b"], [[1], [2]]])
def test_what_is_no_number_is_refused(values: list[Any]) -> None:
    with pytest.raises(JobError, match=r"preprocess step scale: .* is not a number"):
        get_numbers({"a": pa.array(values)}, "a", "scale")
