from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, OrdinalEncoder, StandardScaler

from configs.errors import InputError, JobError, RejectedRows
from model_zoo.steps.cast import Cast
from model_zoo.steps.encode import OneHot, Ordinal
from model_zoo.steps.fill import Fill
from model_zoo.steps.function import Function
from model_zoo.steps.missing import fill_missing, find_missing
from model_zoo.steps.scale import Scale, Standardise
from model_zoo.steps.stack import Stack
from model_zoo.steps.table import apply_steps

HERE = "tests.transforms.user_functions"
RANDOM = np.random.default_rng(5)
TABLE = RANDOM.normal(3, 10, (200, 3))


def arrow(values: np.ndarray, names: str = "abc") -> dict[str, Any]:
    return {n: pa.array(v) for n, v in zip(names, values.T, strict=True)}


def stacked(columns: dict[str, Any], names: str = "abc") -> np.ndarray:
    return np.stack([np.asarray(columns[n]) for n in names], axis=1)


def bad_rows(step: Any, columns: dict[str, Any], rows: int) -> dict[int, str]:
    with pytest.raises(RejectedRows) as caught:
        step.apply(columns, rows)
    return {p: str(r) for p, r in caught.value.reasons.items()}


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


def test_scale_is_scikit_learns_min_max_scaler() -> None:
    scaler = MinMaxScaler((-1, 2)).fit(TABLE)
    step = Scale(
        step="scale",
        columns=tuple("abc"),
        factor=tuple(scaler.scale_.tolist()),
        offset=tuple(scaler.min_.tolist()),
    )
    check_scales_as(scaler, step)


def test_standardise_is_scikit_learns_scaler() -> None:
    scaler = StandardScaler().fit(TABLE)
    step = Standardise(
        step="standardise",
        columns=tuple("abc"),
        mean=tuple(scaler.mean_.tolist()),
        scale=tuple(scaler.scale_.tolist()),
    )
    check_scales_as(scaler, step)


def check_scales_as(scaler: MinMaxScaler | StandardScaler, step: Scale | Standardise) -> None:
    actual = stacked(apply_steps([step], arrow(TABLE), 200))
    np.testing.assert_allclose(actual, scaler.transform(TABLE), rtol=1e-12)


def test_scaling_keeps_float32_widens_integers_and_lets_missing_values_stay_missing() -> None:
    step = Scale(step="scale", columns=("a", "b"), factor=(2.0, 0.5), offset=(1.0, 0.0))
    columns = {
        "a": pa.array([1.0, None], type=pa.float32()),
        "b": pa.array([2**40 + 1, None], type=pa.int64()),
    }
    result = step.apply(columns, 2)
    assert (result["a"].dtype, result["b"].dtype) == (np.float32, np.float64)  # type: ignore[union-attr]
    np.testing.assert_array_equal(result["a"], np.array([3.0, np.nan], dtype=np.float32))
    np.testing.assert_array_equal(result["b"], [2**39 + 0.5, np.nan])


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


@pytest.mark.parametrize("count", [1, 2, 64, 65, 300])
def test_one_hot_of_few_and_of_many_categories(count: int) -> None:
    """Few are compared with each row, many are not: what comes out is the same."""
    numbers = RANDOM.integers(0, count + 1, 500)
    step = OneHot(
        step="one_hot", columns=("c",), unknown="zeros", categories=(tuple(range(count)),)
    )
    marks = step.apply({"c": pa.array(numbers)}, len(numbers))["c"]
    assert marks.dtype == np.float32
    # The last number is no category's.
    np.testing.assert_array_equal(marks, np.eye(count + 1)[numbers][:, :count])


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


def test_steps_run_in_order_and_keep_the_other_columns() -> None:
    steps = (
        Fill(step="fill", columns=("a",), values=(4.0,)),
        Scale(step="scale", columns=("a",), factor=(10.0,), offset=(1.0,)),
        Stack(step="stack", columns=("a", "b"), into="x"),
    )
    result = apply_steps(
        steps, {"a": pa.array([None, 2.0]), "b": pa.array([1.0, 2.0]), "k": pa.array(["x", "y"])}, 2
    )
    assert set(result) == {"a", "b", "k", "x"}
    np.testing.assert_array_equal(result["x"], [[41, 1], [21, 2]])


def test_a_column_that_is_not_there_is_named() -> None:
    with pytest.raises(
        JobError, match=r"standardise names column 'z', but the columns are \['a', 'b'\]"
    ):
        Standardise(step="standardise", columns=("z",), mean=(0.0,), scale=(1.0,)).apply(
            {"a": pa.array([1]), "b": pa.array([1])},
            1,
        )


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


def test_a_value_that_is_the_first_category_is_known() -> None:
    for unknown in ("error", "reject", "zeros"):
        step = OneHot(step="one_hot", columns=("c",), unknown=unknown, categories=(("x", "y"),))  # type: ignore[arg-type]
        np.testing.assert_array_equal(
            step.apply({"c": pa.array(["x", "y"])}, 2)["c"], [[1, 0], [0, 1]]
        )


def test_a_module_that_is_not_there_is_named() -> None:
    with pytest.raises(JobError, match="no_such_module:f cannot be imported"):
        Function(step="function", function="no_such_module:f").apply({"a": pa.array([1])}, 1)


def test_a_float64_that_overflows_float32_rejects_its_row() -> None:
    columns = {"a": pa.array([1.0, 1e300, float("inf")]), "b": pa.array([1, 2, 3])}
    with pytest.raises(RejectedRows) as bad:
        apply_steps([Stack(step="stack", columns=("a", "b"), into="x")], columns, 3)
    assert list(bad.value.reasons) == [1]


def test_a_fill_value_that_the_column_cannot_hold_is_refused() -> None:
    with pytest.raises(JobError, match="does not fit a column of type int64"):
        apply_steps(
            [Fill(step="fill", columns=("a",), values=(0.5,))], {"a": pa.array([1, None])}, 2
        )
