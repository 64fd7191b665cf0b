"""What a user's own function is given, what it may give, and how it fails."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from configs.errors import JobError
from model_zoo.steps.function import Function
from model_zoo.steps.table import apply_steps
from tests.model_zoo.steps.columns import bad_rows

HERE = "tests.transforms.user_functions"


def function(name: str, takes: Any = "arrow") -> Function:
    return Function(step="function", function=f"{HERE}:{name}", takes=takes)


def test_an_arrow_function_adds_arrays() -> None:
    columns = {"a": pa.array([1, 2]), "b": np.array([10, 20]), "wide": np.zeros((2, 3))}
    result = apply_steps([function("add_total"), function("pair")], columns, 2)
    np.testing.assert_array_equal(result["total"], [11, 22])
    np.testing.assert_array_equal(result["pair"], [[1, 10], [2, 20]])
    assert result["wide"] is columns["wide"]


def test_a_function_that_fails_on_every_row_ends_the_run_without_saying_a_value() -> None:
    with pytest.raises(
        JobError,
        match=r"refuse_negative fails on every row.*ValueError in line \d+ of user_functions\.py",
    ):
        function("refuse_negative").apply({"a": pa.array([-1.0] * 100)}, 100)


def test_a_pandas_function_sees_arrow_types_and_keeps_large_integers_and_nulls() -> None:
    columns = {"a": pa.array([2**53 + 1, None]), "s": pa.array(["x", None])}
    result = function("double_frame", "pandas").apply(columns, 2)
    assert result["a"].to_pylist() == [2**53 + 1, None]  # type: ignore[union-attr]
    assert result["double"].to_pylist() == [2**54 + 2, None]  # type: ignore[union-attr]
    assert result["s"].to_pylist() == ["X", None]  # type: ignore[union-attr]
    assert (
        len(
            function("double_frame", "pandas").apply(
                {n: c.slice(0, 0) for n, c in columns.items()},
                0,
            )["a"]
        )
        == 0
    )


def test_rows_on_which_a_user_function_fails_are_named() -> None:
    values = np.arange(100.0)
    values[[7, 50]] = -1
    assert bad_rows(function("refuse_negative"), {"a": pa.array(values)}, 100) == {
        7: "negative a",
        50: "negative a",
    }


@pytest.mark.parametrize(
    ("name", "takes", "words"),
    [
        ("drop_a_5", "arrow", "returned 0 values of 'x' for 1 rows"),
        ("fail_on_many", "arrow", "failed on 8 rows but on none of its halves: ValueError in line"),
        ("one_row_less", "arrow", "returned 7 values of 'x' for 8 rows"),
        ("a_list", "arrow", "must return dict"),
        ("drop_a_row", "pandas", "returned 7 values of 'a' for 8 rows"),
        ("no_columns", "pandas", "returned 8 rows without a column for 8 rows; return the rows"),
        ("nothing", "pandas", "returned 0 rows without a column for 8 rows; return the rows"),
        ("not_a_frame", "pandas", "must return a pandas DataFrame"),
        ("reversed_rows", "pandas", "must return the rows in their order; their index was changed"),
        ("NUMBER", "arrow", "is not a function that tests.transforms.user_functions defines"),
        ("np", "arrow", "is not a function that tests.transforms.user_functions defines"),
        ("none", "arrow", "cannot be imported"),
    ],
)
def test_a_user_function_that_breaks_its_contract_is_refused(
    name: str, takes: str, words: str
) -> None:
    with pytest.raises(JobError) as caught:
        function(name, takes).apply({"a": pa.array(range(8))}, 8)
    assert words in str(caught.value)
    assert HERE in str(caught.value)


def test_a_pandas_function_may_add_columns_and_keep_the_index() -> None:
    result = function("new_index", "pandas").apply({"a": pa.array([4, 5])}, 2)
    assert {name: column.to_pylist() for name, column in result.items()} == {
        "a": [4, 5],
        "b": [1, 1],
    }  # type: ignore[union-attr]


def test_a_function_that_a_module_only_imports_is_none_of_its_own() -> None:
    with pytest.raises(JobError, match=r"is not a function that tests\.security\.my_steps defines"):
        Function(step="function", function="tests.security.my_steps:add_total").apply(
            {"a": pa.array([1])},
            1,
        )


def test_a_module_that_is_not_there_is_named() -> None:
    with pytest.raises(JobError, match="no_such_module:f cannot be imported"):
        Function(step="function", function="no_such_module:f").apply({"a": pa.array([1])}, 1)
