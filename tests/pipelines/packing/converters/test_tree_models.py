"""Trees kept as graphs give the scores of the library that trained them: at split values, beside them, and where values are missing."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("onnxruntime")
xgboost = pytest.importorskip("xgboost")
lightgbm = pytest.importorskip("lightgbm")

from configs.errors import JobError  # noqa: E402
from model_zoo.engines.settings import Settings  # noqa: E402
from model_zoo.package.package import read_package  # noqa: E402
from model_zoo.scoring.scorer import load_scorer  # noqa: E402
from tests.support.graphs import pack_file  # noqa: E402

# A process of its own reads each file first; test_first_read.py starts it for real.
pytestmark = pytest.mark.usefixtures("forked_children")
NAMES = ["a", "b", "c", "d"]


def training(rows: int = 2000) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, 4))
    x[:, 2] = rng.integers(0, 9, rows)
    x[rng.random(x.shape) < 0.1] = np.nan
    target = np.nan_to_num(x[:, 0]) + np.nan_to_num(x[:, 1]) + np.nan_to_num(x[:, 2]) % 3
    return x, target


def around(thresholds: np.ndarray, dtype: type) -> np.ndarray:
    """At least 1,000 rows of split values, the numbers right beside them, and missing ones."""
    exact = thresholds.astype(dtype)
    below, above = np.nextafter(exact, dtype(-np.inf)), np.nextafter(exact, dtype(np.inf))
    values = np.concatenate([exact, below, above, [0.0, -0.0, np.nan, 1e-36]])
    chosen = np.random.default_rng(1).choice(values, (3000, 4))
    return chosen.astype(np.float64)


def score(folder: Path, x: np.ndarray) -> np.ndarray:
    package = read_package(str(folder / "package"))
    dtype = package.card.inputs["x"].dtype
    scorer = load_scorer(package, "cpu", Settings(256, engine="onnxruntime"), 1)
    (scores,) = scorer({"x": x.astype(dtype)}).outputs.values()
    return scores


def xgboost_splits(booster: Any) -> np.ndarray:
    frame = booster.trees_to_dataframe()
    return frame["Split"].dropna().to_numpy(np.float32)


@pytest.mark.parametrize(
    ("objective", "parameters", "activation"),
    [
        ("binary:logistic", {}, "sigmoid"),
        ("multi:softprob", {"num_class": 3}, "softmax"),
        ("reg:squarederror", {}, "none"),
        ("count:poisson", {"num_parallel_tree": 2}, "none"),
    ],
)
def test_xgboost(
    tmp_path: Path, objective: str, parameters: dict[str, Any], activation: str
) -> None:
    x, target = training()
    y = target if objective.startswith(("reg", "count")) else np.digitize(target, [0.5, 1.5])
    y = np.abs(y) if objective == "count:poisson" else y
    y = np.minimum(y, 1) if activation == "sigmoid" else y
    booster = xgboost.train(
        {"objective": objective, "max_depth": 4, **parameters},
        xgboost.DMatrix(x, y, feature_names=NAMES),
        20,
    )
    booster.save_model(tmp_path / "m.json")
    packed = pack_file(tmp_path, "xgboost", tmp_path / "m.json", pd.DataFrame(x, columns=NAMES))
    assert packed.rows == 2000
    assert packed.card.activation == activation
    rows = around(xgboost_splits(booster), np.float32)
    matrix = xgboost.DMatrix(rows, feature_names=NAMES)
    expected = booster.predict(matrix, output_margin=activation != "none")
    np.testing.assert_allclose(score(tmp_path, rows), expected, rtol=1e-5, atol=1e-5)
    # A DMatrix takes none; what XGBClassifier calls does.
    rows[:50, 1] = np.inf
    rows[50:100, 1] = -np.inf
    kind = "margin" if activation != "none" else "value"
    expected = booster.inplace_predict(rows.astype(np.float32), predict_type=kind)
    np.testing.assert_allclose(score(tmp_path, rows), expected, rtol=1e-5, atol=1e-5)


def lightgbm_splits(booster: Any) -> np.ndarray:
    frame = booster.trees_to_dataframe()
    numeric = frame[frame.decision_type == "<="]
    return numeric["threshold"].to_numpy(np.float64)


@pytest.mark.parametrize("missing", [True, False])
@pytest.mark.parametrize("categorical", [[], ["c"]])
@pytest.mark.parametrize(
    ("objective", "parameters", "activation"),
    [
        ("binary", {"sigmoid": 2.0}, "sigmoid"),
        ("multiclass", {"num_class": 3}, "softmax"),
        ("regression", {"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5}, "none"),
        ("poisson", {}, "none"),
    ],
)
def test_lightgbm(
    tmp_path: Path,
    objective: str,
    parameters: dict[str, Any],
    activation: str,
    categorical: list[str],
    missing: bool,
) -> None:
    x, target = training()
    if not missing:
        x = np.nan_to_num(x)
    y = np.digitize(target, [0.5, 1.5]) if activation != "none" else np.abs(target)
    y = np.minimum(y, 1) if activation == "sigmoid" else y
    booster = lightgbm.train(
        {"objective": objective, "verbose": -1, **parameters},
        lightgbm.Dataset(x, y, feature_name=NAMES, categorical_feature=categorical),
        20,
    )
    booster.save_model(tmp_path / "m.txt")
    packed = pack_file(tmp_path, "lightgbm", tmp_path / "m.txt", pd.DataFrame(x, columns=NAMES))
    assert packed.card.activation == activation
    rows = around(lightgbm_splits(booster), np.float64)
    rows[:50, 1] = np.inf
    rows[50:100, 1] = -np.inf
    if categorical:
        # Known ones, one that training never saw, a negative one, and a missing one.
        codes = [*range(9), 77.0, -1.0, np.nan]
        rows[:, 2] = np.random.default_rng(2).choice(codes, len(rows))
    expected = booster.predict(rows, raw_score=activation != "none")
    factor = parameters.get("sigmoid", 1.0)
    np.testing.assert_allclose(score(tmp_path, rows), expected * factor, rtol=1e-12, atol=1e-12)


def test_missing_values_reach_the_trees_unless_the_author_objects(tmp_path: Path) -> None:
    x, target = training(200)
    booster = xgboost.train({}, xgboost.DMatrix(x, target, feature_names=NAMES), 2)
    booster.save_model(tmp_path / "m.ubj")
    rows = pd.DataFrame(x, columns=NAMES)
    packed = pack_file(tmp_path, "xgboost", tmp_path / "m.ubj", rows)
    assert (packed.rows, packed.left_out) == (200, 0)
    strict = tmp_path / "strict"
    strict.mkdir()
    packed = pack_file(strict, "xgboost", tmp_path / "m.ubj", rows, missing="reject")
    assert packed.rows == len(rows.dropna())


def test_a_sample_may_hold_infinities(tmp_path: Path) -> None:
    x, target = training()
    booster = xgboost.train({}, xgboost.DMatrix(x, target, feature_names=NAMES), 5)
    booster.save_model(tmp_path / "m.json")
    x[:9, 0] = np.inf
    packed = pack_file(tmp_path, "xgboost", tmp_path / "m.json", pd.DataFrame(x, columns=NAMES))
    assert packed.rows == len(x)


def test_a_tree_of_one_leaf_scores(tmp_path: Path) -> None:
    x, target = training(100)
    for kind, library in (("xgboost", xgboost), ("lightgbm", lightgbm)):
        folder = tmp_path / kind
        folder.mkdir()
        if library is xgboost:
            booster = library.train({"max_depth": 0, "gamma": 1e9}, library.DMatrix(x, target), 2)
        else:
            parameters = {"min_data_in_leaf": 1000, "verbose": -1}
            booster = library.train(parameters, library.Dataset(x, target), 2)
        file = folder / ("m.json" if library is xgboost else "m.txt")
        booster.save_model(file)
        packed = pack_file(folder, kind, file, pd.DataFrame(x, columns=NAMES))
        assert packed.difference < 1e-6


def test_names_with_blanks_which_lightgbm_writes_with_underscores(tmp_path: Path) -> None:
    x, target = training(200)
    names = ["a b", "b  c", "c d", "c_e"]
    rows = pd.DataFrame(x[:, :4], columns=names)
    booster = lightgbm.train({"verbose": -1}, lightgbm.Dataset(rows, target), 5)
    file = tmp_path / "m.txt"
    booster.save_model(file)
    # In another order, and beside columns of similar names.
    sample = rows[["c_e", "c d", "b  c", "a b"]].assign(**{"c e": 0.0})
    packed = pack_file(tmp_path, "lightgbm", file, sample)
    assert packed.difference < 1e-6
    assert [column.name for column in packed.card.columns] == names

    # Two columns that LightGBM would write alike.
    alike = rows.rename(columns={"b  c": "b c_", "c d": "b _c"}).assign(**{"b_ c": 0.0})
    with pytest.raises(
        JobError, match="that the sample lacks: b__c, c_d; call the sample's as the"
    ):
        pack_file(tmp_path, "lightgbm", file, alike, output=str(tmp_path / "other"))


def test_what_cannot_be_packed_is_refused_in_a_line(tmp_path: Path) -> None:
    x, target = training(200)
    rows = pd.DataFrame(x, columns=NAMES)
    for kind, file in (("xgboost", tmp_path / "m.json"), ("lightgbm", tmp_path / "m.txt")):
        with pytest.raises(JobError, match="there is no such file"):
            pack_file(tmp_path, kind, file, rows)
        # Such a file ends the process of the library.
        file.write_bytes(b'{"learner": torn')
        with pytest.raises(JobError, match="the library does not read it") as refused:
            pack_file(tmp_path, kind, file, rows)
        # What the library says, and not the last address of its stack.
        assert "[bt]" not in str(refused.value)

    booster = xgboost.train({}, xgboost.DMatrix(x, target, feature_names=NAMES), 5)
    booster.set_attr(best_iteration="2")
    booster.save_model(tmp_path / "m.json")
    with pytest.raises(JobError, match="holds 5 rounds, and training found 3 to be best"):
        pack_file(tmp_path, "xgboost", tmp_path / "m.json", rows)

    booster.set_attr(best_iteration=None)
    booster.save_model(tmp_path / "m.json")
    with pytest.raises(JobError, match="trained on columns that the sample lacks: c, d"):
        pack_file(tmp_path, "xgboost", tmp_path / "m.json", rows[["a", "b"]])

    categories = rows.assign(d=pd.Categorical(["u", "v"] * 100))
    matrix = xgboost.DMatrix(categories, target, enable_categorical=True)
    xgboost.train({}, matrix, 2).save_model(tmp_path / "m.json")
    with pytest.raises(JobError, match=r"columns of type category \(d\), which are not taken"):
        pack_file(tmp_path, "xgboost", tmp_path / "m.json", rows)
    lightgbm.train({"verbose": -1}, lightgbm.Dataset(categories, target), 2).save_model(
        tmp_path / "m.txt"
    )
    with pytest.raises(JobError, match="columns of type category, which are not taken"):
        pack_file(tmp_path, "lightgbm", tmp_path / "m.txt", rows)


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"booster": "gblinear"}, "is a gblinear, and a graph is of gbtree"),
        ({"booster": "dart", "rate_drop": 0.5}, "is a dart"),
        ({"objective": "survival:cox"}, "its objective is survival:cox"),
    ],
)
def test_what_xgboost_alone_computes_is_kept_as_its_own_file(
    tmp_path: Path, parameters: dict[str, Any], reason: str
) -> None:
    x, target = training(200)
    x = np.nan_to_num(x).astype(np.float32)
    booster = xgboost.train(parameters, xgboost.DMatrix(x, np.abs(target)), 5)
    booster.save_model(tmp_path / "m.json")
    packed = pack_file(tmp_path, "xgboost", tmp_path / "m.json", pd.DataFrame(x, columns=NAMES))
    assert (packed.card.onnx, packed.card.forms) == (None, {"xgboost": "model.ubj"})
    assert packed.difference == 0
    assert reason in packed.notes[0]


def test_what_lightgbm_alone_computes_is_kept_as_its_own_file(tmp_path: Path) -> None:
    x, target = training(200)
    said = {"zero_as_missing": True, "verbose": -1}
    zeros = lightgbm.train(said, lightgbm.Dataset(x, target, feature_name=NAMES), 3)
    zeros.save_model(tmp_path / "m.txt")
    packed = pack_file(tmp_path, "lightgbm", tmp_path / "m.txt", pd.DataFrame(x, columns=NAMES))
    assert (packed.card.onnx, packed.card.forms) == (None, {"lightgbm": "model.txt"})
    assert packed.difference == 0
    assert "takes zeros for missing" in packed.notes[0]


@pytest.mark.parametrize("kind", ["xgboost", "lightgbm"])
def test_the_own_file_is_kept_beside_the_graph_where_the_author_says_so(
    tmp_path: Path, kind: str
) -> None:
    x, target = training(200)
    file = tmp_path / ("m.json" if kind == "xgboost" else "m.txt")
    if kind == "xgboost":
        xgboost.train({}, xgboost.DMatrix(x, target), 3).save_model(file)
    else:
        lightgbm.train({"verbose": -1}, lightgbm.Dataset(x, target), 3).save_model(file)
    rows = pd.DataFrame(x, columns=NAMES)
    packed = pack_file(tmp_path, kind, file, rows, native=True)
    assert packed.card.onnx is not None
    assert list(packed.card.forms) == [kind]
    assert kind in packed.card.libraries
