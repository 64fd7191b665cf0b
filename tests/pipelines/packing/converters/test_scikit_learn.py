"""Pipelines kept as graphs give scikit-learn's scores: unseen categories, missing values, values at the splits of trees."""

from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest

pytest.importorskip("onnxruntime")
pytest.importorskip("skl2onnx")
pytest.importorskip("skops")

from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    RobustScaler,
    StandardScaler,
)
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from configs.errors import JobError, ModelError, RejectedRows
from tests.support.graphs import pack_file
from tests.support.people import labels, people, score


@pytest.fixture(autouse=True)
def _no_counting_of_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    # scikit-learn's own way is to start a program.
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")


def columns() -> ColumnTransformer:
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    cities = make_pipeline(
        SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")
    )
    plans = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    return ColumnTransformer(
        [("n", numbers, ["age", "income"]), ("c", cities, ["city"]), ("p", plans, ["plan"])]
    )


def packed(folder: Path, model: Any, frame: pd.DataFrame, **fields: Any) -> Any:
    # Two seconds, which only the worker that runs these tests need wait.
    from skops import io

    io.dump(model, folder / "m.skops")
    return pack_file(folder, "sklearn", folder / "m.skops", frame, **fields)


ESTIMATORS = [
    LogisticRegression(),
    RandomForestClassifier(8, random_state=0),
    GradientBoostingClassifier(n_estimators=8, random_state=0),
    HistGradientBoostingClassifier(max_iter=8, random_state=0),
]


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: type(e).__name__)
def test_a_column_transformer_with_categories(tmp_path: Path, estimator: Any, classes: int) -> None:
    frame = people()
    model = make_pipeline(columns(), estimator).fit(frame, labels(frame, classes))
    assert packed(tmp_path, model, frame).card.labels == tuple(sorted(set(labels(frame, classes))))
    fresh = people(seed=1, cities=("Ulm", "Bonn", "Rome"))
    fresh.loc[::7, "plan"] = "z"
    expected = model.predict_proba(fresh)
    found = score(tmp_path, fresh)
    np.testing.assert_allclose(found, expected[:, 1] if classes == 2 else expected, atol=1e-5)


# Of two labels one of them has no graph, and is scored in a child.
@pytest.mark.program
@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize(
    "estimator",
    [
        OneVsRestClassifier(LogisticRegression()),
        MLPClassifier((8,), tol=1.0, n_iter_no_change=2, random_state=0),
    ],
    ids=lambda e: type(e).__name__,
)
def test_any_number_of_labels_a_row(tmp_path: Path, estimator: Any, count: int) -> None:
    frame = people()
    flags = [frame.income > 20_000, frame.plan == "a", frame.city == "Ulm"][:count]
    model = make_pipeline(columns(), estimator).fit(frame, np.stack(flags, axis=1).astype(int))
    names = ["rich", "basic", "local"][:count]
    card = packed(tmp_path, model, frame, labels=names).card
    assert (card.task, card.labels) == ("multi_label", tuple(names))
    fresh = people(seed=1)
    np.testing.assert_allclose(score(tmp_path, fresh), model.predict_proba(fresh), atol=1e-5)


def test_several_labels_of_their_own_classes_are_refused(tmp_path: Path) -> None:
    frame = people()[["income"]]
    both = np.stack([frame.income > 20_000, frame.income // 20_000], axis=1).astype(int)
    model = RandomForestClassifier(2, random_state=0).fit(frame, both)
    with pytest.raises(JobError, match="several labels of more than two kinds a row"):
        packed(tmp_path, model, frame)


def splits(model: Any) -> np.ndarray:
    if isinstance(model, HistGradientBoostingClassifier):
        nodes = np.concatenate([tree.nodes for step in model._predictors for tree in step])
        return nodes["num_threshold"][nodes["is_leaf"] == 0]
    trees = np.ravel(model.estimators_)
    return np.concatenate([tree.tree_.threshold[tree.tree_.feature >= 0] for tree in trees])


@pytest.mark.parametrize("estimator", ESTIMATORS[1:], ids=lambda e: type(e).__name__)
def test_values_at_the_splits_of_trees_go_the_same_way(tmp_path: Path, estimator: Any) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(1000, 3)), columns=["a", "b", "c"])
    model = estimator.fit(frame, np.where(frame.a + frame.b > 0, "yes", "no"))
    packed(tmp_path, model, frame)
    exact = splits(model)
    narrow = exact.astype(np.float32).astype(np.float64)
    near = [exact, np.nextafter(exact, -np.inf), np.nextafter(exact, np.inf), narrow]
    rows = pd.DataFrame(rng.choice(np.concatenate(near), (3000, 3)), columns=["a", "b", "c"])
    expected = model.predict_proba(rows)[:, 1]
    np.testing.assert_allclose(score(tmp_path, rows), expected, atol=1e-6)


@pytest.mark.parametrize("estimator", [Ridge(), RandomForestRegressor(10, random_state=0)])
def test_a_regression_on_numbers(tmp_path: Path, estimator: Any) -> None:
    frame = people()[["age", "income"]]
    model = make_pipeline(SimpleImputer(), RobustScaler(), MinMaxScaler(), estimator)
    model.fit(frame, frame.income / 1000)
    assert packed(tmp_path, model, frame).card.activation == "none"
    fresh = people(seed=1)[["age", "income"]]
    np.testing.assert_allclose(score(tmp_path, fresh), model.predict(fresh), rtol=1e-5)


@pytest.mark.parametrize("estimator", ESTIMATORS[:2], ids=lambda e: type(e).__name__)
def test_a_graph_takes_infinity_as_the_largest_of_all_numbers(
    tmp_path: Path, estimator: Any
) -> None:
    """As docs/your_model_files.md says; scikit-learn itself would refuse it."""
    frame = people()[["income"]]
    model = make_pipeline(StandardScaler(), estimator).fit(frame, labels(people()))
    packed(tmp_path, model, frame)
    huge = pd.DataFrame({"income": [1e30, -1e30]})
    with pytest.raises(ValueError, match="infinity"):
        model.predict_proba(pd.DataFrame({"income": [np.inf]}))
    expected = model.predict_proba(huge)[:, 1]
    np.testing.assert_allclose(score(tmp_path, huge * np.inf), expected, atol=1e-6)


def test_what_the_encoder_refuses_rejects_its_row(tmp_path: Path) -> None:
    frame = people()
    encoder = ColumnTransformer([("plan", OneHotEncoder(), ["plan"])], remainder="drop")
    model = make_pipeline(encoder, LogisticRegression()).fit(frame, labels(frame))
    packed(tmp_path, model, frame)
    fresh = frame.head(10).copy()
    fresh.loc[3, "plan"] = "z"
    with pytest.raises(RejectedRows) as rejected:
        score(tmp_path, fresh)
    assert list(rejected.value.reasons) == [3]


def test_missing_categories_are_what_the_encoder_makes_of_them(tmp_path: Path) -> None:
    frame = people()
    encoder = ColumnTransformer([("city", OneHotEncoder(), ["city"])])
    model = make_pipeline(encoder, LogisticRegression()).fit(frame, labels(frame))
    packed(tmp_path, model, frame)
    np.testing.assert_allclose(score(tmp_path, frame), model.predict_proba(frame)[:, 1], atol=1e-6)


@pytest.mark.slow
def test_projections_products_and_selections_behind_indicators(tmp_path: Path) -> None:
    frame = people()
    numbers = make_pipeline(SimpleImputer(add_indicator=True), PolynomialFeatures(2), PCA(4))
    cities = ("c", OneHotEncoder(handle_unknown="ignore"), ["city"])
    both = ColumnTransformer([("n", numbers, ["age"]), cities, ("r", "passthrough", ["income"])])
    model = make_pipeline(both, SelectKBest(k=6), LogisticRegression(max_iter=1000))
    model.fit(frame, labels(frame))
    packed(tmp_path, model, frame)
    fresh = people(seed=1, cities=("Ulm", "Bonn", "Rome"))
    np.testing.assert_allclose(score(tmp_path, fresh), model.predict_proba(fresh)[:, 1], atol=1e-6)


def test_a_missing_value_passes_only_where_the_model_takes_it(tmp_path: Path) -> None:
    frame = people()
    branches = [("n", SimpleImputer(), ["age"]), ("r", "passthrough", ["income"])]
    model = make_pipeline(ColumnTransformer(branches), Ridge()).fit(frame, frame.income)
    done = packed(tmp_path, model, frame)
    missing = {rule.name: rule.missing for rule in done.card.columns}
    assert missing == {"age": "fill", "income": "reject"}


FORESTS = [
    DecisionTreeClassifier(random_state=0),
    RandomForestClassifier(8, random_state=0),
    ExtraTreesClassifier(8, random_state=0),
]


@pytest.mark.parametrize("estimator", FORESTS, ids=lambda e: type(e).__name__)
def test_a_missing_value_goes_through_trees_as_scikit_learn_sends_it(
    tmp_path: Path, estimator: Any
) -> None:
    """They were trained without any, and take one for what most rows had."""
    frame = people()[["age", "income"]].fillna(40)
    model = estimator.fit(frame, labels(people(), 2))
    done = packed(tmp_path, model, frame)
    assert {rule.missing for rule in done.card.columns} == {"fill"}
    rows = frame.copy()
    rows.loc[::2, "age"] = np.nan
    rows.loc[::3, "income"] = np.nan
    found = score(tmp_path, rows)
    np.testing.assert_allclose(found, model.predict_proba(rows)[:, 1], atol=1e-6)


def test_a_missing_value_is_rejected_where_trees_are_inside_of_another_estimator(
    tmp_path: Path,
) -> None:
    frame = people()[["age", "income"]].fillna(40)
    forest = RandomForestClassifier(4, random_state=0)
    bagged = BaggingClassifier(forest, 2, random_state=0)
    # What is filled before comes to no tree.
    before = ColumnTransformer([("n", SimpleImputer(), ["age"]), ("r", "passthrough", ["income"])])
    model = make_pipeline(before, bagged).fit(frame, labels(people(), 2))
    done = packed(tmp_path, model, frame)
    missing = {rule.name: rule.missing for rule in done.card.columns}
    assert missing == {"age": "fill", "income": "reject"}


def test_a_pickle_runs_only_when_its_author_says_so(tmp_path: Path) -> None:
    frame = people()[["income"]]
    joblib.dump(Ridge().fit(frame, frame.income), tmp_path / "m.joblib")
    with pytest.raises(JobError, match="is a pickle, which runs whatever its author put into it"):
        pack_file(tmp_path, "sklearn", tmp_path / "m.joblib", frame)
    done = pack_file(tmp_path, "sklearn", tmp_path / "m.joblib", frame, trust_this_file="true")
    assert done.difference < 1e-5


class OwnRidge(Ridge):
    """A class of nobody's library."""

    made = 0

    def __setstate__(self, state: dict[str, Any]) -> None:
        OwnRidge.made += 1
        self.__dict__.update(state)


def test_objects_of_an_own_class_are_made_only_when_the_author_says_so(tmp_path: Path) -> None:
    frame = people()[["income"]]
    model = OwnRidge().fit(frame, frame.income)
    with pytest.raises(JobError, match=r"holds objects of .*OwnRidge, whose code reading it would"):
        packed(tmp_path, model, frame)
    assert OwnRidge.made == 0
    # Then it is read, and is no class that a graph can be made of.
    with pytest.raises(JobError, match=r"does not take OwnRidge.* no package can hold it"):
        packed(tmp_path, model, frame, trust_this_file="true")
    assert OwnRidge.made == 1


def test_what_cannot_be_packed_is_refused_in_a_line(tmp_path: Path) -> None:
    frame = people()
    with pytest.raises(JobError, match="there is no such file"):
        pack_file(tmp_path, "sklearn", tmp_path / "none.skops", frame)
    (tmp_path / "torn.skops").write_bytes(b"PK torn")
    with pytest.raises(ModelError, match="cannot be read"):
        pack_file(tmp_path, "sklearn", tmp_path / "torn.skops", frame)
    incomes = frame[["income"]]
    with pytest.raises(JobError, match="LinearSVC gives no probabilities"):
        packed(tmp_path, LinearSVC().fit(incomes, labels(frame)), incomes)
    with pytest.raises(JobError, match="trained on columns that the sample lacks: income"):
        packed(tmp_path, Ridge().fit(incomes, frame.income), frame[["age"]])


def test_a_value_that_the_author_puts_for_a_missing_one_reaches_the_library_too(
    tmp_path: Path,
) -> None:
    target = labels(people())
    frame = people()[["age", "income"]]
    assert frame.age.isna().any()
    trees = GradientBoostingClassifier(n_estimators=5).fit(frame.fillna(40.0), target)
    done = packed(tmp_path, trees, frame, **{"fill.age": 40.0})
    assert done.left_out == 0
    expected = trees.predict_proba(frame.fillna(40.0))[:, 1]
    np.testing.assert_allclose(score(tmp_path, frame), expected, atol=1e-6)


def test_what_the_library_fails_on_is_told_in_one_line(tmp_path: Path) -> None:
    target = labels(people())
    frame = people()[["age", "income"]]
    trees = GradientBoostingClassifier(n_estimators=5).fit(frame.fillna(40.0), target)
    with pytest.raises(ModelError, match="scikit-learn fails on the sample: ValueError"):
        packed(tmp_path, trees, frame, **{"missing.age": "fill"})
