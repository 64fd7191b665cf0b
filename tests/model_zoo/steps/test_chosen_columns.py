"""A word in place of a step's columns: which ones it stands for, beside pandas' own selectors."""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pydantic import TypeAdapter, ValidationError
import pytest
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import StandardScaler

from configs.errors import JobError
from model_zoo.steps.fill import Fill
from model_zoo.steps.table import AnyStep, Steps, fit_steps

STEP: TypeAdapter[Any] = TypeAdapter(AnyStep)
FRAME = pd.DataFrame(
    {
        "age": [31, 40, 52, 40],
        "city": ["Bonn", None, "Ulm", "Ulm"],
        "spent": [1.5, None, 2.5, 9.0],
        "member": [True, False, True, True],
    }
)
COLUMNS = {name: pa.array(FRAME[name], from_pandas=True) for name in FRAME}


def step(word: str, **fields: Any) -> AnyStep:
    named: AnyStep = STEP.validate_python({"columns": word, **fields})
    return named


def fit(*steps: AnyStep) -> tuple[Steps, dict[str, Any]]:
    return fit_steps(steps, COLUMNS, len(FRAME))


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("all", FRAME.columns),
        ("numbers", FRAME.select_dtypes("number").columns),
        ("texts", FRAME.select_dtypes(["object", "string"]).columns),
    ],
)
def test_a_word_stands_for_what_a_selector_of_pandas_chooses(word: str, expected: Any) -> None:
    fitted, _ = fit(step(word, step="fill", strategy="most_frequent"))
    assert fitted[0].columns == tuple(expected)  # type: ignore[union-attr]
    assert all(type(name) is str for name in fitted[0].columns)  # type: ignore[union-attr]


def test_thirty_columns_are_said_once_and_are_scikit_learns() -> None:
    random = np.random.default_rng(0)
    matrix = random.normal(size=(200, 30))
    matrix[random.random(matrix.shape) < 0.2] = np.nan
    columns = {f"m{i:02}": pa.array(values) for i, values in enumerate(matrix.T)}
    steps = (
        step("all", step="fill", strategy="median"),
        step("numbers", step="standardise"),
        step("all", step="stack", into="x", dtype="float64"),
    )
    _, result = fit_steps(steps, columns, 200)
    filled = SimpleImputer(strategy="median").fit_transform(matrix)
    expected = StandardScaler().fit_transform(filled)
    np.testing.assert_allclose(result["x"], expected, rtol=1e-12, atol=1e-12)


def test_columns_that_steps_add_are_not_meant() -> None:
    steps = (
        step("texts", step="fill", values=["?"]),
        step("texts", step="ordinal", unknown="code"),
        STEP.validate_python({"step": "stack", "columns": ["age"], "into": "x"}),
        step("numbers", step="fill", strategy="mean"),
    )
    fitted, _ = fit(*steps)
    assert fitted[-1].columns == ("age", "spent")  # type: ignore[union-attr]


def test_one_value_is_that_of_every_column() -> None:
    (fitted,), result = fit(step("numbers", step="fill", values=[0]))
    assert isinstance(fitted, Fill)
    assert fitted.values == (0, 0)
    assert result["spent"].to_pylist() == FRAME["spent"].fillna(0).tolist()


def test_a_list_of_one_names_a_column_that_is_called_like_a_word() -> None:
    named = STEP.validate_python({"step": "cast", "columns": ["all"], "dtype": "int8"})
    assert named.is_fitted
    (fitted,), _ = fit_steps((named,), {"all": pa.array([1, 2]), "b": pa.array([3, 4])}, 2)
    assert fitted.columns == ("all",)  # type: ignore[union-attr]


def test_a_word_for_no_column_is_refused_with_the_types_that_there_are() -> None:
    texts = step("texts", step="ordinal", unknown="code")
    with pytest.raises(JobError, match=r"texts stands for none of the 1 columns.*type int64"):
        fit_steps((texts,), {"a": pa.array([1])}, 1)


def test_a_text_that_is_no_word_is_refused() -> None:
    with pytest.raises(ValidationError, match="one of the words all, numbers, texts"):
        step("age", step="cast", dtype="int8")
