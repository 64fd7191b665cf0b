"""What encoders make of a value that training did not know."""

import numpy as np
import pyarrow as pa
import pytest

from model_zoo.steps.encode import _MOST_COMPARED, OneHot, Ordinal

COLUMNS = {"a": pa.array(["y", "z", None, "x"])}
KNOWN = (("x", "y"),)


def test_an_unknown_value_has_the_code_that_is_said_or_less_than_any() -> None:
    usual = Ordinal(step="ordinal", columns=("a",), unknown="code", categories=KNOWN)
    assert usual.apply(COLUMNS, 4)["a"].tolist() == [1, -1, -1, 0]
    said = usual.model_copy(update={"unknown_code": 7})
    assert said.apply(COLUMNS, 4)["a"].tolist() == [1, 7, 7, 0]


def test_an_unknown_value_is_none_of_the_known_ones() -> None:
    step = OneHot(step="one_hot", columns=("a",), unknown="zeros", categories=KNOWN)
    assert step.apply(COLUMNS, 4)["a"].tolist() == [[0, 1], [0, 0], [0, 0], [1, 0]]
    assert step.count_numbers({"a": 1}) == {"a": 2}


@pytest.mark.parametrize("categories", [1, 2, _MOST_COMPARED, _MOST_COMPARED + 1, 300])
def test_of_however_many_categories_one_is_marked(categories: int) -> None:
    names = [f"{number:03d}" for number in range(categories)]
    step = OneHot(step="one_hot", columns=("a",), unknown="zeros", categories=[names])
    column = pa.array([*names, None, "other"])
    expected = np.vstack([np.eye(categories), np.zeros((2, categories))])
    actual = step.apply({"a": column}, len(column))["a"]
    assert actual.dtype == np.float32
    np.testing.assert_array_equal(actual, expected)
