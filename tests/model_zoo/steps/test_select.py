"""The step `select`, beside scikit-learn's own selectors."""

from typing import Any

import numpy as np
import pyarrow as pa
from pydantic import TypeAdapter, ValidationError
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.feature_selection import (
    SelectFromModel,
    SelectKBest,
    VarianceThreshold,
    mutual_info_classif,
    mutual_info_regression,
)
from sklearn.linear_model import Lasso, LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from configs.errors import InputError, JobError, RejectedRows
from model_zoo.steps.encode import OneHot
from model_zoo.steps.select import Select
from model_zoo.steps.table import STEPS, AnyStep, Steps, apply_steps, fit_steps
from model_zoo.steps.target import Target

STEP: TypeAdapter[Any] = TypeAdapter(AnyStep)
TUMOURS = load_breast_cancer()
FLOWERS = load_iris()
PATIENTS = load_diabetes()
BINARY = Target(TUMOURS.target, "classification")
CLASSES = Target(FLOWERS.target, "classification")
NUMBERS = Target(PATIENTS.target, "regression")


def in_columns(matrix: np.ndarray) -> dict[str, pa.Array]:
    return {f"m{number}": pa.array(values) for number, values in enumerate(matrix.T)}


def select(matrix: np.ndarray, target: Target | None, **fields: Any) -> tuple[Select, list[int]]:
    """Return the fitted step, and the numbers of the columns that it keeps."""
    fields = {"columns": "all", "into": "x", "dtype": "float64", **fields}
    step = STEP.validate_python({"step": "select", **fields})
    (fitted,), result = fit_steps((step,), in_columns(matrix), len(matrix), target)
    assert isinstance(fitted, Select)
    places = [number for number, kept in enumerate(fitted.kept or ()) if kept]
    np.testing.assert_array_equal(result["x"], matrix[:, places])
    return fitted, places


def places_of(selector: Any) -> list[int]:
    found: list[int] = np.flatnonzero(selector.get_support()).tolist()
    return found


@pytest.mark.parametrize("threshold", [None, 0.1, 100.0])
def test_variances_above_a_threshold_are_scikit_learns(threshold: float | None) -> None:
    matrix = np.column_stack([TUMOURS.data, np.full(569, 0.1)])
    _, kept = select(matrix, None, method="variance", threshold=threshold)
    assert kept == places_of(VarianceThreshold(threshold or 0.0).fit(matrix))
    assert 0 < len(kept) <= 30


def test_the_largest_variances_are_numpys() -> None:
    _, kept = select(TUMOURS.data, None, method="variance", k=4)
    assert kept == sorted(np.argsort(TUMOURS.data.var(axis=0))[-4:].tolist())


@pytest.mark.parametrize(
    ("matrix", "target", "score"),
    [
        (TUMOURS.data[:, :9], BINARY, mutual_info_classif),
        (FLOWERS.data, CLASSES, mutual_info_classif),
        (PATIENTS.data[:, [0, 2, 3, 4, 8]], NUMBERS, mutual_info_regression),
    ],
    ids=["two", "three", "numbers"],
)
def test_mutual_information_is_scikit_learns(
    matrix: np.ndarray, target: Target, score: Any
) -> None:
    _, kept = select(matrix, target, method="mutual_information", k=2)

    def score_alike(x: np.ndarray, y: np.ndarray) -> Any:
        return score(x, y, random_state=0)

    assert kept == places_of(SelectKBest(score_alike, k=2).fit(matrix, target.values))
    threshold = float(np.median(score_alike(matrix, target.values)))
    _, above = select(matrix, target, method="mutual_information", threshold=threshold)
    expected = np.flatnonzero(score_alike(matrix, target.values) > threshold)
    assert above == expected.tolist()


def test_mutual_information_with_yes_and_no_counts_them() -> None:
    """Of flags that say all, and of one that says nothing."""
    random = np.random.default_rng(0)
    says_all = random.integers(0, 2, 200)
    noise = random.integers(0, 2, 200)
    matrix = np.column_stack([noise, says_all]).astype(float)
    target = Target(says_all, "classification")
    expected = mutual_info_classif(matrix, says_all, discrete_features=True)
    assert expected[0] < 0.1 < 0.6 < expected[1]
    for threshold in (expected[1] - 1e-6, expected[0] + 1e-6):
        _, kept = select(matrix, target, method="mutual_information", threshold=float(threshold))
        assert kept == [1]


@pytest.mark.parametrize("strength", [None, 0.05, 0.1])
@pytest.mark.parametrize(
    ("matrix", "target"), [(TUMOURS.data, BINARY), (FLOWERS.data, CLASSES)], ids=["two", "three"]
)
def test_l1_of_classes_is_scikit_learns(
    matrix: np.ndarray, target: Target, strength: float | None
) -> None:
    _, kept = select(matrix, target, method="l1", strength=strength)
    inverse = 1 / ((strength or 0.01) * len(matrix))
    regression = LogisticRegression(
        C=inverse, l1_ratio=1.0, solver="liblinear", max_iter=5000, random_state=0
    )
    model = make_pipeline(StandardScaler(), OneVsRestClassifier(regression))
    model.fit(matrix, target.values)
    coefficients = [one.coef_[0] for one in model[-1].estimators_]
    sizes = np.abs(coefficients).sum(axis=0)
    assert kept == np.flatnonzero(sizes).tolist()
    assert 0 < len(kept) <= matrix.shape[1]
    # Of two classes, too, each coefficient counts once.
    threshold = 1.01 * float(np.median(sizes[kept]))
    _, above = select(matrix, target, method="l1", strength=strength, threshold=threshold)
    assert above == np.flatnonzero(sizes > threshold).tolist()


@pytest.mark.parametrize("strength", [0.01, 0.1, 0.3])
def test_l1_of_numbers_is_scikit_learns(strength: float) -> None:
    _, kept = select(PATIENTS.data, NUMBERS, method="l1", strength=strength)
    standardised = StandardScaler().fit_transform(PATIENTS.data)
    wanted = StandardScaler().fit_transform(PATIENTS.target[:, None])[:, 0]
    selector = SelectFromModel(Lasso(strength), threshold=1e-12).fit(standardised, wanted)
    assert kept == places_of(selector)
    assert 0 < len(kept) < 10


def test_l1_keeps_the_k_largest_coefficients() -> None:
    _, kept = select(PATIENTS.data, NUMBERS, method="l1", k=3)
    standardised = StandardScaler().fit_transform(PATIENTS.data)
    wanted = StandardScaler().fit_transform(PATIENTS.target[:, None])[:, 0]
    model = Lasso(0.01).fit(standardised, wanted)
    assert kept == sorted(np.argsort(np.abs(model.coef_))[-3:].tolist())


@pytest.mark.parametrize("method", ["mutual_information", "l1"])
@pytest.mark.parametrize("task", ["multi_label", "regression"])
def test_what_tells_one_of_several_labels_or_numbers_is_kept(method: str, task: Any) -> None:
    random = np.random.default_rng(0)
    matrix = random.standard_normal((300, 4))
    values = matrix[:, [1, 3]]
    if task == "multi_label":
        flags = values > 0
        # Of a label that no row has, nothing can be learnt.
        values = np.column_stack([flags, np.zeros(300)]).astype(np.float32)
    _, kept = select(matrix, Target(values, task), method=method, k=2)
    assert kept == [1, 3]


def test_of_a_number_that_is_the_same_in_all_rows_nothing_can_be_learnt() -> None:
    values = np.column_stack([PATIENTS.target, np.full(442, 7.0)])
    target = Target(values, "regression")
    _, kept = select(PATIENTS.data, target, method="l1", strength=0.1)
    _, expected = select(PATIENTS.data, NUMBERS, method="l1", strength=0.1)
    assert kept == expected


def test_of_wide_columns_numbers_are_kept_one_by_one() -> None:
    random = np.random.default_rng(0)
    plans = random.choice(["a", "b", "c"], 200)
    columns = {"plan": pa.array(plans), "noise": pa.array(random.standard_normal(200))}
    steps: Steps = (
        OneHot(step="one_hot", columns=("plan",), unknown="zeros"),
        Select(step="select", columns=("noise", "plan"), into="x", method="l1", k=1),
    )
    target = Target((plans == "b").astype(np.int64), "classification")
    fitted, result = fit_steps(steps, columns, 200, target)
    assert fitted[1].kept == ((), (1,))  # type: ignore[union-attr]
    np.testing.assert_array_equal(result["x"], (plans == "b")[:, None])
    assert result["x"].dtype == np.float32


def test_it_is_kept_as_names_and_places() -> None:
    fitted, _ = select(FLOWERS.data, None, method="variance", k=2)
    assert (fitted.columns, fitted.kept) == (("m0", "m1", "m2", "m3"), ((0,), (), (0,), ()))
    (again,) = STEPS.validate_json(STEPS.dump_json((fitted,)))
    assert again == fitted
    assert again.is_fitted
    # Scoring knows no target.
    later = apply_steps((again,), in_columns(FLOWERS.data[:3]), 3)["x"]
    np.testing.assert_array_equal(later, FLOWERS.data[:3, [0, 2]])


def test_missing_and_too_large_values_when_scoring() -> None:
    fitted, _ = select(FLOWERS.data, None, method="variance", k=2, dtype="float64")
    single = fitted.model_copy(update={"dtype": "float32"})
    columns = in_columns(FLOWERS.data[:2])
    columns["m0"] = pa.array([None, 1e300])
    assert np.isnan(np.asarray(fitted.apply(columns, 2)["x"])).tolist() == [
        [True, False],
        [False, False],
    ]
    with pytest.raises(RejectedRows) as caught:
        single.apply(columns, 2)
    assert list(caught.value.reasons) == [1]


@pytest.mark.parametrize("method", ["mutual_information", "l1"])
def test_without_a_label_it_is_refused_by_name(method: str) -> None:
    with pytest.raises(JobError, match=f"method {method} looks at what .* name its column"):
        select(FLOWERS.data, None, method=method, k=2)


@pytest.mark.parametrize(
    ("matrix", "fields", "error", "message"),
    [
        (FLOWERS.data, {"method": "variance", "k": 5}, JobError, "k is 5, and m0, m1, m2, m3 have"),
        (
            FLOWERS.data,
            {"method": "variance", "threshold": 99},
            InputError,
            "keeps none of the 4 numbers of m0, m1, m2, m3; lower threshold, or say k",
        ),
        (FLOWERS.data, {"method": "l1", "strength": 9}, InputError, "lower strength or threshold"),
        (
            np.where(FLOWERS.data == 5.1, np.nan, FLOWERS.data),
            {"method": "l1"},
            InputError,
            "missing values, and 'm0', 'm2' have some; put a fill step",
        ),
    ],
)
def test_what_cannot_be_selected_is_refused(
    matrix: np.ndarray, fields: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        select(matrix, CLASSES, **fields)


def test_a_label_of_one_class_tells_nothing() -> None:
    target = Target(np.zeros(150, dtype=np.int64), "classification")
    with pytest.raises(InputError, match="keeps none of the 4 numbers"):
        select(FLOWERS.data, target, method="l1")


def test_a_column_that_is_narrower_than_in_training_is_refused() -> None:
    step = Select(
        step="select", columns=("a",), into="x", method="variance", kept=((2,),), dtype="float64"
    )
    with pytest.raises(JobError, match="keeps number 2 of column 'a', which has 2 numbers"):
        step.apply({"a": np.ones((3, 2))}, 3)
    with pytest.raises(JobError, match="column 'a' of type string is not a number"):
        step.apply({"a": pa.array(["b"])}, 1)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"method": "variance", "k": 1, "threshold": 0.5}, "twice: k, and threshold"),
        ({"method": "mutual_information"}, "k or threshold is required"),
        ({"method": "variance", "strength": 1.0}, "strength is of method l1 alone"),
        ({"method": "chi2", "k": 1}, "'variance', 'mutual_information' or 'l1'"),
        ({"method": "l1", "k": 0}, "greater than or equal to 1"),
        ({"method": "l1", "kept": [[], []]}, "kept must hold one number or more"),
        ({"method": "l1", "kept": [[0]]}, "kept must hold one entry per column"),
        ({"method": "l1", "kept": [[-1], []]}, "greater than or equal to 0"),
    ],
)
def test_fields_that_do_not_fit_together_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        STEP.validate_python({"step": "select", "columns": ["a", "b"], "into": "x", **fields})
