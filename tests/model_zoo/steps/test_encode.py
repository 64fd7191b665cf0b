"""Categories are encoded as scikit-learn encodes them; what encoders make of a value that training did not know."""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

from configs.errors import InputError
from model_zoo.steps.encode import _MOST_COMPARED, OneHot, Ordinal
from tests.model_zoo.steps.columns import bad_rows

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


CATEGORIES = [
    (["x", "y", "z"], ["y", "q", "x", None, "z"]),
    ([1, 5, 9], [5, 7, 1, None, 9]),
    ([True, False], [False, True, None, None, True]),
]


@pytest.mark.parametrize(("categories", "values"), CATEGORIES)
def test_one_hot_is_scikit_learns_encoder(categories: list[Any], values: list[Any]) -> None:
    step = OneHot(step="one_hot", columns=("c",), unknown="zeros", categories=(tuple(categories),))
    encoder = OneHotEncoder(
        categories=[sorted(categories)], handle_unknown="ignore", sparse_output=False
    )
    encoder.fit(pd.DataFrame({"c": sorted(categories)}))
    wide = step.apply({"c": pa.array(values)}, 5)["c"]
    assert wide.dtype == np.float32  # type: ignore[union-attr]
    order = [sorted(categories).index(c) for c in categories]
    known = [v if v is not None else categories[0] for v in values]
    expected = encoder.transform(pd.DataFrame({"c": known}))[:, order]
    expected[[v is None for v in values]] = 0
    np.testing.assert_array_equal(wide, expected)


@pytest.mark.parametrize(("categories", "values"), CATEGORIES[:2])
def test_ordinal_is_scikit_learns_encoder(categories: list[Any], values: list[Any]) -> None:
    step = Ordinal(
        step="ordinal",
        columns=("c",),
        unknown="code",
        unknown_code=-7,
        categories=(tuple(categories),),
    )
    encoder = OrdinalEncoder(
        categories=[categories], handle_unknown="use_encoded_value", unknown_value=-7
    )
    encoder.fit(np.array(categories).reshape(-1, 1))
    codes = step.apply({"c": pa.array(values)}, 5)["c"]
    known = [v if v is not None else type(categories[0])(77) for v in values]
    np.testing.assert_array_equal(
        codes, encoder.transform(np.array(known, dtype=type(categories[0])).reshape(-1, 1))[:, 0]
    )


def test_dictionary_encoded_categories_are_the_same() -> None:
    step = Ordinal(step="ordinal", columns=("c",), unknown="code", categories=(("x", "y"),))
    values = pa.array(["y", None, "x", "?"])
    np.testing.assert_array_equal(
        step.apply({"c": values.dictionary_encode()}, 4)["c"], [1, -1, 0, -1]
    )


@pytest.mark.parametrize("make", [OneHot, Ordinal])
def test_unknown_policies_error_and_reject(make: Any) -> None:
    name = "one_hot" if make is OneHot else "ordinal"
    columns = {"c": pa.array(["x", "?", None, "y"])}
    reject = make(step=name, columns=("c",), unknown="reject", categories=(("x", "y"),))
    found = bad_rows(reject, columns, 4)
    assert set(found) == {1, 2}
    assert "'c'" in found[1]
    assert "?" not in found[1]
    with pytest.raises(InputError, match="column 'c' holds a value outside the 2 categories"):
        make(step=name, columns=("c",), unknown="error", categories=(("x", "y"),)).apply(columns, 4)
    assert len(reject.apply({"c": pa.array(["x", "y"])}, 2)["c"]) == 2


def test_a_value_that_is_the_first_category_is_known() -> None:
    for unknown in ("error", "reject", "zeros"):
        step = OneHot(step="one_hot", columns=("c",), unknown=unknown, categories=(("x", "y"),))  # type: ignore[arg-type]
        np.testing.assert_array_equal(
            step.apply({"c": pa.array(["x", "y"])}, 2)["c"], [[1, 0], [0, 1]]
        )


@pytest.mark.parametrize("count", [1, _MOST_COMPARED, _MOST_COMPARED + 1])
def test_numbers_are_categories_too(count: int) -> None:
    numbers = np.random.default_rng(5).integers(0, count + 1, 500)
    step = OneHot(
        step="one_hot", columns=("c",), unknown="zeros", categories=(tuple(range(count)),)
    )
    marks = step.apply({"c": pa.array(numbers)}, len(numbers))["c"]
    # The last number is no category's.
    np.testing.assert_array_equal(marks, np.eye(count + 1)[numbers][:, :count])
