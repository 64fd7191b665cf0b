"""What `fit_steps` stores and `apply_steps` computes from it, against scikit-learn's own transform."""

import json
import math
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pyarrow as pa
from pydantic import TypeAdapter
import pytest
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, OrdinalEncoder, StandardScaler

from configs.errors import InputError, JobError
from model_zoo.steps.cast import Cast
from model_zoo.steps.encode import OneHot, Ordinal
from model_zoo.steps.fill import Fill
from model_zoo.steps.scale import Scale, Standardise
from model_zoo.steps.stack import Stack
from model_zoo.steps.table import AnyStep, apply_steps, fit_steps

STEPS: TypeAdapter[Any] = TypeAdapter(tuple[AnyStep, ...])
moderate = st.floats(-1e6, 1e6, allow_nan=False, width=64)


def fit(step: Any, **columns: Any) -> tuple[Any, dict[str, Any]]:
    arrays = {name: pa.array(values) for name, values in columns.items()}
    (fitted,), result = fit_steps((step,), arrays, len(next(iter(arrays.values()))))
    return fitted, result


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(moderate, moderate), min_size=2, max_size=30),
    st.lists(st.tuples(moderate, moderate), min_size=1, max_size=9),
)
def test_scalers_apply_as_scikit_learn_does(
    training: list[tuple[float, float]], later: list[tuple[float, float]]
) -> None:
    x, z = np.array(training), np.array(later)
    new = {"a": pa.array(z[:, 0]), "b": pa.array(z[:, 1])}
    for step, scaler in (
        (Standardise(step="standardise", columns=("a", "b")), StandardScaler()),
        (Scale(step="scale", columns=("a", "b"), range=(-1.0, 2.0)), MinMaxScaler((-1.0, 2.0))),
    ):
        fitted, _ = fit(step, a=x[:, 0], b=x[:, 1])
        actual = apply_steps((fitted,), new, len(z))
        expected = scaler.fit(x).transform(z)
        np.testing.assert_allclose(
            np.column_stack([actual["a"], actual["b"]]), expected, rtol=1e-12, atol=1e-9
        )


@pytest.mark.parametrize("strategy", ["mean", "median", "most_frequent"])
def test_fill_is_what_the_imputer_fills(strategy: Any) -> None:
    values = [1.0, 5.0, None, math.nan, 5.0, 2.0]
    fitted, result = fit(Fill(step="fill", columns=("a",), strategy=strategy), a=values)
    matrix = np.array([[math.nan if v is None else v] for v in values])
    expected = SimpleImputer(strategy=strategy).fit_transform(matrix)[:, 0]
    np.testing.assert_array_equal(result["a"].to_numpy(), expected)
    assert all(type(v) is float for v in fitted.values)


def test_fill_takes_the_most_frequent_text_and_keeps_integers_integers() -> None:
    fitted, result = fit(
        Fill(step="fill", columns=("t", "i"), strategy="most_frequent"),
        t=["x", "y", None, "y"],
        i=[2**53 + 1, None, 2**53 + 1, 4],
    )
    assert fitted.values == ("y", 2**53 + 1)
    assert result["t"].to_pylist() == ["x", "y", "y", "y"]
    assert result["i"].type == pa.int64()


@pytest.mark.parametrize("strategy", ["mean", "median"])
def test_integers_are_filled_as_the_imputer_fills_them(strategy: Any) -> None:
    """A mean with a fraction makes float64 of them, in training and in every batch of scoring."""
    values = [1, 2, None, 7, 31]
    fitted, result = fit(Fill(step="fill", columns=("i",), strategy=strategy), i=values)
    matrix = np.array([[math.nan if v is None else v] for v in values])
    imputer = SimpleImputer(strategy=strategy).fit(matrix)
    np.testing.assert_array_equal(result["i"].to_numpy(), imputer.transform(matrix)[:, 0])
    # The second is none of the float64 numbers, and is rounded.
    later = {"i": pa.array([4, 2**53 + 1])}
    assert apply_steps((fitted,), later, 2)["i"].type == result["i"].type == pa.float64()
    whole, kept = fit(Fill(step="fill", columns=("i",), strategy=strategy), i=[1, 3, None])
    assert (whole.values, kept["i"].type) == ((2,), pa.int64())


def test_fill_refuses_a_mean_of_texts_and_shows_none() -> None:
    step = Fill(step="fill", columns=("t",), strategy="median")
    with pytest.raises(JobError, match="median is for numbers, and column 't'") as caught:
        fit(step, t=["secret", None])
    assert "secret" not in str(caught.value)
    constant = Fill(step="fill", columns=("n",), values=("secret",))
    with pytest.raises(JobError, match="column 'n': fill value of type str does not fit"):
        fit(constant, n=[1.5, None])


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(["red", "green", "", "blau ü"]), min_size=1, max_size=20),
    st.lists(st.sampled_from(["red", "new", ""]), min_size=1),
)
def test_encoders_apply_as_scikit_learn_does(training: list[str], later: list[str]) -> None:
    x, z = np.array(training, dtype=object)[:, None], np.array(later, dtype=object)[:, None]
    one_hot, _ = fit(OneHot(step="one_hot", columns=("c",), unknown="zeros"), c=training)
    ordinal, _ = fit(
        Ordinal(step="ordinal", columns=("c",), unknown="code", unknown_code=-7), c=training
    )
    expected_wide = OneHotEncoder(handle_unknown="ignore", sparse_output=False).fit(x).transform(z)
    expected_code = (
        OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-7)
        .fit(x)
        .transform(z)[:, 0]
    )
    np.testing.assert_array_equal(
        apply_steps((one_hot,), {"c": pa.array(later)}, len(later))["c"], expected_wide
    )
    np.testing.assert_array_equal(
        apply_steps((ordinal,), {"c": pa.array(later)}, len(later))["c"], expected_code
    )


def test_a_missing_value_is_no_category() -> None:
    fitted, result = fit(
        OneHot(step="one_hot", columns=("c",), unknown="zeros"), c=["b", None, "a"]
    )
    assert fitted.categories == (("a", "b"),)
    np.testing.assert_array_equal(result["c"], [[0, 1], [0, 0], [1, 0]])


def test_integer_and_dictionary_columns_have_categories_of_their_own_type() -> None:
    fitted, _ = fit(Ordinal(step="ordinal", columns=("i",), unknown="code"), i=[30, 2, 30])
    assert fitted.categories == ((2, 30),)
    coded = {"d": pa.array(["x", "y", "x"]).dictionary_encode()}
    (fitted,), _ = fit_steps((Ordinal(step="ordinal", columns=("d",), unknown="code"),), coded, 3)
    assert fitted.categories == (("x", "y"),)


def test_each_step_is_fitted_on_what_the_steps_before_left() -> None:
    steps = (
        Fill(step="fill", columns=("a",), strategy="mean"),
        Standardise(step="standardise", columns=("a",)),
        Stack(step="stack", columns=("a",), into="x"),
    )
    values = np.array([1.0, math.nan, 4.0, 10.0])
    fitted, columns = fit_steps(steps, {"a": pa.array(values)}, 4)
    filled = SimpleImputer().fit_transform(values[:, None])
    np.testing.assert_allclose(columns["x"], StandardScaler().fit_transform(filled), rtol=1e-6)
    assert fitted[1].mean == (5.0,)
    assert all(step.is_fitted for step in fitted)


def test_fitted_steps_survive_json_bit_for_bit() -> None:
    random = np.random.default_rng(2).standard_normal(50) * 1e-3
    steps = (Standardise(step="standardise", columns=("a",)), Scale(step="scale", columns=("a",)))
    fitted, _ = fit_steps(steps, {"a": pa.array(random)}, 50)
    assert STEPS.validate_json(json.dumps(STEPS.dump_python(fitted, mode="json"))) == fitted


def test_a_step_that_states_its_values_is_left_alone() -> None:
    step = Standardise(step="standardise", columns=("a",), mean=(100.0,), scale=(2.0,))
    fitted, result = fit(step, a=[100.0, 104.0])
    assert fitted == step
    assert result["a"].tolist() == [0.0, 2.0]


def test_a_constant_column_does_not_divide_by_zero() -> None:
    for step in (
        Standardise(step="standardise", columns=("a",)),
        Scale(step="scale", columns=("a",)),
    ):
        assert fit(step, a=[3.0, 3.0])[1]["a"].tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("step", "error", "message"),
    [
        (Standardise(step="standardise", columns=("b",)), JobError, "standardise names column 'b'"),
        (
            Standardise(step="standardise", columns=("t",)),
            JobError,
            "column 't' of type string is not a number",
        ),
        (Scale(step="scale", columns=("empty",)), InputError, "column 'empty' has no value"),
        (
            OneHot(step="one_hot", columns=("empty",), unknown="zeros"),
            InputError,
            "column 'empty' has no value",
        ),
        (
            Fill(step="fill", columns=("empty",), strategy="mean"),
            InputError,
            "column 'empty' has no value",
        ),
    ],
)
def test_what_cannot_be_fitted_is_refused(step: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        fit(step, a=[1.0], t=["x"], empty=pa.array([None], pa.float64()))


def test_a_wide_column_cannot_be_fitted() -> None:
    steps = (
        Cast(step="cast", columns=("a",), dtype="float32"),
        Stack(step="stack", columns=("a", "a"), into="x"),
        Scale(step="scale", columns=("x",)),
    )
    with pytest.raises(JobError, match=r"cannot be fitted on 'x', which has 2 numbers per row"):
        fit_steps(steps, {"a": pa.array([1.0, 2.0])}, 2)
