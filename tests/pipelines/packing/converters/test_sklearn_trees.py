"""XGBoost and LightGBM behind a Pipeline give their own scores: unseen categories, missing values, values at splits."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("onnxruntime")
pytest.importorskip("skl2onnx")
pytest.importorskip("skops")
joblib = pytest.importorskip("joblib")
xgboost = pytest.importorskip("xgboost")
lightgbm = pytest.importorskip("lightgbm")

from sklearn.base import clone  # noqa: E402
from sklearn.compose import ColumnTransformer  # noqa: E402
from sklearn.impute import SimpleImputer  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import OneHotEncoder  # noqa: E402

from configs.errors import JobError  # noqa: E402
from tests.support.graphs import pack_file  # noqa: E402
from tests.support.people import labels, people, score  # noqa: E402


@pytest.fixture(autouse=True)
def _no_counting_of_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    # scikit-learn's own way is to start a program.
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")


def columns() -> ColumnTransformer:
    cities = make_pipeline(
        SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")
    )
    plans = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    numbers = ("n", "passthrough", ["age", "income"])
    return ColumnTransformer([numbers, ("c", cities, ["city"]), ("p", plans, ["plan"])])


def packed(folder: Path, model: Any, frame: pd.DataFrame) -> Any:
    joblib.dump(model, folder / "m.joblib")
    return pack_file(folder, "sklearn", folder / "m.joblib", frame, trust_this_file="true")


CLASSIFIERS = [
    xgboost.XGBClassifier(n_estimators=20, n_jobs=1),
    lightgbm.LGBMClassifier(n_estimators=20, n_jobs=1, verbose=-1),
]


@pytest.mark.filterwarnings("ignore:X does not have valid feature names:UserWarning")
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("estimator", CLASSIFIERS, ids=lambda e: type(e).__name__)
def test_a_classifier_behind_categories(tmp_path: Path, estimator: Any, classes: int) -> None:
    # One that has learned other classes before would learn as many.
    estimator = clone(estimator)
    frame = people()
    names = labels(frame, classes)
    classified = np.unique(names, return_inverse=True)[1]
    is_lightgbm = "LGBM" in type(estimator).__name__
    model = make_pipeline(columns(), estimator).fit(frame, names if is_lightgbm else classified)
    done = packed(tmp_path, model, frame)
    assert len(done.card.labels) == classes
    assert {rule.name: rule.missing for rule in done.card.columns}["age"] == "fill"
    fresh = people(seed=1, cities=("Ulm", "Bonn", "Rome"))
    fresh.loc[::7, "plan"] = "z"
    # Every split of a number, and the numbers beside it.
    splits = list_splits(estimator)
    near = np.concatenate([splits, np.nextafter(splits, -np.inf), np.nextafter(splits, np.inf)])
    random = np.random.default_rng(0)
    fresh.loc[::2, "age"] = random.choice(near, len(fresh.loc[::2]))
    fresh.loc[::3, "income"] = random.choice(near, len(fresh.loc[::3]))
    expected = model.predict_proba(fresh)
    found = score(tmp_path, fresh)
    np.testing.assert_allclose(found, expected[:, 1] if classes == 2 else expected, atol=1e-6)


def list_splits(estimator: Any) -> np.ndarray:
    if hasattr(estimator, "get_booster"):
        frame = estimator.get_booster().trees_to_dataframe()
        return frame["Split"].dropna().to_numpy(np.float32)
    return estimator.booster_.trees_to_dataframe()["threshold"].dropna().to_numpy(np.float64)


REGRESSIONS = [
    xgboost.XGBRegressor(n_estimators=20, n_jobs=1),
    xgboost.XGBRegressor(n_estimators=20, n_jobs=1, objective="count:poisson"),
    xgboost.XGBRegressor(n_estimators=30, n_jobs=1, early_stopping_rounds=2),
    lightgbm.LGBMRegressor(n_estimators=20, n_jobs=1, verbose=-1),
    lightgbm.LGBMRegressor(n_estimators=20, n_jobs=1, verbose=-1, objective="poisson"),
]


@pytest.mark.filterwarnings("ignore:X does not have valid feature names:UserWarning")
@pytest.mark.parametrize("estimator", REGRESSIONS, ids=lambda e: type(e).__name__)
def test_a_regression_alone_and_behind_an_imputer(tmp_path: Path, estimator: Any) -> None:
    frame = people()[["age", "income"]]
    target = np.log(frame.income) + np.sin(frame.age.fillna(0))
    options = {}
    if getattr(estimator, "early_stopping_rounds", None):
        options = {"eval_set": [(frame[:50], target[:50] * -1)], "verbose": False}
    model = estimator.fit(frame, target, **options)
    packed(tmp_path, model, frame)
    fresh = people(seed=1)[["age", "income"]]
    np.testing.assert_allclose(score(tmp_path, fresh), model.predict(fresh), rtol=1e-5)


def test_what_cannot_be_packed_is_refused_in_a_line(tmp_path: Path) -> None:
    frame = people()[["income"]]
    target = (frame.income > 20_000).astype(int)
    strange = xgboost.XGBRegressor(n_estimators=2, n_jobs=1, objective="reg:logistic")
    with pytest.raises(
        JobError, match=r"is a regression of 2 trees of objective reg:logistic.*--xgboost"
    ):
        packed(tmp_path, strange.fit(frame, target), frame)
    other = xgboost.XGBRegressor(n_estimators=2, n_jobs=1, missing=-1.0)
    with pytest.raises(JobError, match="takes -1 for missing; train it with missing=nan"):
        packed(tmp_path, other.fit(frame, target), frame)
    assert not (tmp_path / "package").exists()
