"""The step `pca`, beside scikit-learn's own transform."""

from typing import Any

import numpy as np
import pyarrow as pa
from pydantic import TypeAdapter, ValidationError
import pytest
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.decomposition import PCA

from configs.errors import InputError, JobError, RejectedRows
from model_zoo.steps.pca import Pca
from model_zoo.steps.stack import Stack
from model_zoo.steps.table import STEPS, AnyStep, Steps, apply_steps, fit_steps

STEP: TypeAdapter[Any] = TypeAdapter(AnyStep)
PIXELS = load_digits().data
TUMOURS = load_breast_cancer().data


def in_columns(matrix: np.ndarray) -> dict[str, pa.Array]:
    return {f"m{number}": pa.array(values) for number, values in enumerate(matrix.T)}


def fit(matrix: np.ndarray, **fields: Any) -> tuple[Pca, np.ndarray]:
    fields = {"columns": "all", "into": "x", "dtype": "float64", **fields}
    step = STEP.validate_python({"step": "pca", **fields})
    (fitted,), result = fit_steps((step,), in_columns(matrix), len(matrix))
    assert isinstance(fitted, Pca)
    return fitted, np.asarray(result["x"])


@pytest.mark.parametrize("whiten", [False, True])
@pytest.mark.parametrize("matrix", [TUMOURS, PIXELS[:, 2:30]], ids=["tumours", "pixels"])
def test_components_are_scikit_learns(matrix: np.ndarray, whiten: bool) -> None:
    training, later = matrix[::2], matrix[1::2]
    fitted, result = fit(training, components=5, whiten=whiten)
    reference = PCA(5, whiten=whiten, random_state=0).fit(training)
    np.testing.assert_allclose(result, reference.transform(training), rtol=1e-6, atol=1e-6)
    actual = apply_steps((fitted,), in_columns(later), len(later))["x"]
    np.testing.assert_allclose(actual, reference.transform(later), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("share", [0.5, 0.9, 0.999])
def test_a_share_of_the_variance_takes_as_many_as_scikit_learn_does(share: float) -> None:
    fitted, result = fit(PIXELS, variance=share)
    reference = PCA(share).fit(PIXELS)
    assert result.shape[1] == len(fitted.axes or ()) == reference.n_components_
    assert 1 < reference.n_components_ < 64
    np.testing.assert_allclose(result, reference.transform(PIXELS), rtol=1e-6, atol=1e-6)


def test_a_wide_column_is_taken_number_by_number() -> None:
    steps: Steps = (
        Stack(step="stack", columns=("m0", "m1", "m2"), into="wide", dtype="float64"),
        Pca(step="pca", columns=("wide", "m3"), into="x", components=2, dtype="float64"),
    )
    _, result = fit_steps(steps, in_columns(TUMOURS[:, :4]), len(TUMOURS))
    expected = PCA(2).fit_transform(TUMOURS[:, :4])
    np.testing.assert_allclose(result["x"], expected, rtol=1e-6, atol=1e-6)


def test_as_many_components_as_numbers_keep_all_distances() -> None:
    matrix = TUMOURS[:, :3]
    _, result = fit(matrix, components=3)
    distances = np.linalg.norm(matrix - matrix[0], axis=1)
    np.testing.assert_allclose(np.linalg.norm(result - result[0], axis=1), distances, rtol=1e-9)


def test_a_row_is_projected_alike_however_many_rows_stand_beside_it() -> None:
    fitted, whole = fit(PIXELS, components=20, whiten=True)
    for start, rows in ((0, 1), (1, 7), (8, 500)):
        some = PIXELS[start : start + rows]
        actual = apply_steps((fitted,), in_columns(some), rows)["x"]
        np.testing.assert_array_equal(actual, whole[start : start + rows])


def test_it_is_kept_as_numbers_bit_for_bit() -> None:
    fitted, _ = fit(TUMOURS, variance=0.9999, whiten=True)
    text = STEPS.dump_json((fitted,))
    (again,) = STEPS.validate_json(text)
    assert again == fitted
    assert again.is_fitted


def test_the_default_dtype_is_that_of_networks() -> None:
    _, result = fit(TUMOURS, components=1, dtype="float32")
    assert (result.dtype, result.shape) == (np.float32, (569, 1))
    assert Pca(step="pca", columns=("a",), into="x", components=1).dtype == "float32"


def test_a_missing_number_makes_missing_components() -> None:
    fitted, _ = fit(TUMOURS[:, :3], components=2)
    columns = in_columns(TUMOURS[:2, :3]) | {"m1": pa.array([None, 5.0])}
    result = apply_steps((fitted,), columns, 2)["x"]
    assert np.isnan(np.asarray(result)).tolist() == [[True, True], [False, False]]


def test_a_component_that_a_float_cannot_hold_costs_its_row() -> None:
    fitted, _ = fit(TUMOURS[:, :2], components=1, dtype="float32")
    columns = {"m0": pa.array([1.0, 1e300]), "m1": pa.array([1.0, 1.0])}
    with pytest.raises(RejectedRows) as caught:
        fitted.apply(columns, 2)
    assert list(caught.value.reasons) == [1]


def test_columns_of_another_width_are_refused() -> None:
    fitted, _ = fit(TUMOURS[:, :3], components=2)
    columns = in_columns(TUMOURS[:, :3]) | {"m1": TUMOURS[:, :2]}
    with pytest.raises(JobError, match=r"fitted on 3 numbers a row, and m0, m1, m2 have 4"):
        fitted.apply(columns, len(TUMOURS))


@pytest.mark.parametrize(
    ("matrix", "fields", "error", "message"),
    [
        (TUMOURS[:, :3], {"components": 4}, JobError, "components is 4, and m0, m1, m2 have 3"),
        (TUMOURS[:2, :9], {"components": 3}, InputError, "and there are 2 training rows"),
        (TUMOURS[:0, :9], {"variance": 0.5}, InputError, "and there are 0 training rows"),
        (np.ones((9, 2)), {"components": 1}, InputError, "no two training rows differ in m0, m1"),
        (
            np.tile([1.0, 5.0], (9, 1)),
            {"components": 1},
            InputError,
            "no two training rows differ in m0, m1",
        ),
        (
            np.array([[1.0, np.nan], [2.0, 3.0]]),
            {"components": 1},
            InputError,
            "cannot be fitted on missing values, and 'm1' has some; put a fill step before it",
        ),
        (
            TUMOURS[:, [0, 1, 0, 1]],
            {"components": 3, "whiten": True},
            InputError,
            "1 of 3 components do not vary",
        ),
    ],
)
def test_what_has_no_components_is_refused(
    matrix: np.ndarray, fields: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        fit(matrix, **fields)


FITTED = {"mean": [0.0, 0.0], "axes": [[1.0, 0.0]]}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "says how many: components, or variance"),
        ({"components": 1, "variance": 0.5}, "says how many"),
        ({"variance": 1.0}, "less than 1"),
        ({"components": 0}, "greater than or equal to 1"),
        ({"components": 1, **FITTED, "axes": [[1.0]]}, "each of axes must hold 2 numbers"),
        ({"components": 1, **FITTED, "axes": []}, "axes must hold one component"),
        ({**FITTED, "whiten": True, "deviations": [0.0]}, "other than 0"),
        ({**FITTED, "whiten": True, "deviations": [1.0, 1.0]}, "one number"),
    ],
)
def test_fields_that_do_not_fit_together_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        STEP.validate_python({"step": "pca", "columns": ["a", "b"], "into": "x", **fields})


@pytest.mark.parametrize(
    ("fields", "is_fitted"),
    [
        ({"components": 1}, False),
        (FITTED, True),
        ({**FITTED, "whiten": True}, False),
        ({**FITTED, "whiten": True, "deviations": [2.0]}, True),
    ],
)
def test_it_is_fitted_when_all_numbers_are_there(fields: dict[str, Any], is_fitted: bool) -> None:
    fields = {"step": "pca", "columns": ["a", "b"], "into": "x", **fields}
    assert STEP.validate_python(fields).is_fitted is is_fitted


def test_a_component_varies_where_a_float_tells_it_from_rounding() -> None:
    step = Pca(step="pca", columns=("a",), into="x", components=1, whiten=True)
    assert step._find_deviations(np.array([1.0, 4e-14])) == (1.0, 2e-7)
    with pytest.raises(InputError, match="1 of 2 components do not vary"):
        step._find_deviations(np.array([1.0, 1e-14]))
