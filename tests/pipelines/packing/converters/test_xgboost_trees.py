"""Trees of XGBoost as a graph, against XGBoost itself, in this process; `test_tree_models.py` packs files."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

xgboost = pytest.importorskip("xgboost")
onnxruntime = pytest.importorskip("onnxruntime")

from configs.errors import JobError  # noqa: E402
from configs.packaging import PackagingJob  # noqa: E402
from model_zoo.steps.table import AnyStep  # noqa: E402
from pipelines.packing.converters import xgboost_trees  # noqa: E402
from pipelines.packing.converters.converted import NoGraphError  # noqa: E402
from pipelines.packing.converters.xgboost_trees import make_graph  # noqa: E402

ROWS = 60
NAMES = ["a", "b"]
RANDOM = np.random.default_rng(0)
X = RANDOM.integers(0, 9, (ROWS, 2)).astype(np.float32)
X[::7, 0] = np.nan
# What is missing in the second column has no way that was learned.
Y = np.nan_to_num(X[:, 0]) > X[:, 1]


def train(rounds: int = 3, names: list[str] | None = None, **parameters: Any) -> Any:
    """Train a few small trees; targets suit the objective."""
    objective = parameters.get("objective", "reg:squarederror")
    y = Y + (X[:, 1] > 6) if objective.startswith("multi:") else Y * 1.0
    matrix = xgboost.DMatrix(X, y, feature_names=names)
    if objective.startswith("rank:"):
        matrix.set_group([20, 20, 20])
    if objective in ("reg:gamma", "reg:tweedie", "count:poisson"):
        matrix.set_label(y + 1)
    given = {"max_depth": 3, "nthread": 1, "verbosity": 0, **parameters}
    if objective == "reg:quantileerror":
        given["quantile_alpha"] = 0.5
    if objective.startswith("multi:"):
        given["num_class"] = 3
    return xgboost.train(given, matrix, rounds)


def run(graph: Any, x: np.ndarray) -> np.ndarray:
    """Compute a graph with ONNX Runtime."""
    session = onnxruntime.InferenceSession(
        graph.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (scores,) = session.run(None, {"x": x})
    return scores


def rows_of_splits(booster: Any) -> np.ndarray:
    """Return rows of split values, the numbers right beside them, and missing ones."""
    splits = booster.trees_to_dataframe()["Split"].dropna().to_numpy(np.float32)
    below = np.nextafter(splits, np.float32(-np.inf))
    above = np.nextafter(splits, np.float32(np.inf))
    values = np.concatenate([splits, below, above, np.float32([np.nan, 0, -1e9, np.inf])])
    return RANDOM.choice(values, (200, 2))


@pytest.mark.parametrize("objective", xgboost_trees._OBJECTIVES)
def test_a_graph_gives_what_xgboost_does(objective: str) -> None:
    booster = train(objective=objective)
    made = make_graph(booster, "margin", "m")
    activation, is_log = xgboost_trees._OBJECTIVES[objective]
    assert made.activation == activation
    assert made.output == ("prediction" if activation == "none" else "margin")
    rows = rows_of_splits(booster)
    kind = "value" if activation == "none" else "margin"
    expected = booster.inplace_predict(rows, predict_type=kind)
    computed = run(made.graph, rows).reshape(expected.shape)
    np.testing.assert_allclose(computed, expected, rtol=1e-5, atol=1e-6)
    trees = 9 if activation == "softmax" else 3
    assert made.note.startswith(f"{trees} trees of objective {objective},")
    if is_log:
        assert (expected > 0).all()


@pytest.mark.parametrize(
    "parameters",
    [
        {"num_parallel_tree": 2},
        # A tree of one leaf, and one whose nodes were cut off again.
        {"gamma": 1e9},
        {"tree_method": "exact", "gamma": 0.5},
        {"base_score": 7.5},
    ],
)
def test_trees_of_all_kinds_add_up(parameters: dict[str, Any]) -> None:
    booster = train(**parameters)
    rows = np.concatenate([X, np.full((1, 2), np.nan, np.float32)])
    computed = run(make_graph(booster, "margin", "m").graph, rows)
    expected = booster.inplace_predict(rows)
    np.testing.assert_allclose(computed[:, 0], expected, rtol=1e-6, atol=1e-6)


def test_several_targets_are_as_many_columns() -> None:
    matrix = xgboost.DMatrix(X, np.stack([Y, X[:, 1]], axis=1))
    booster = xgboost.train({"max_depth": 2, "nthread": 1}, matrix, 2)
    computed = run(make_graph(booster, "margin", "m").graph, X)
    np.testing.assert_allclose(computed, booster.inplace_predict(X), rtol=1e-5, atol=1e-6)


def train_on_vectors() -> Any:
    matrix = xgboost.DMatrix(X, np.stack([Y, Y], axis=1))
    parameters = {"multi_strategy": "multi_output_tree", "tree_method": "hist", "nthread": 1}
    return xgboost.train(parameters, matrix, 2)


def train_on_categories() -> Any:
    codes = np.stack([X[:, 1], X[:, 1]], axis=1)
    matrix = xgboost.DMatrix(codes, Y, feature_types=["c", "q"])
    parameters = {"max_cat_to_onehot": 1, "nthread": 1, "max_depth": 4}
    return xgboost.train(parameters, matrix, 3)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (train_on_vectors, "its leaves hold vectors"),
        (train_on_categories, "splits on categories"),
        (lambda: train(booster="gblinear"), "is a gblinear, and a graph is of gbtree"),
        (lambda: train(booster="dart"), "is a dart"),
    ],
)
def test_what_is_no_graph_says_why(make: Any, reason: str) -> None:
    booster = make()
    with pytest.raises(NoGraphError, match=f"^m: {reason}"):
        make_graph(booster, "margin", "m")


@pytest.mark.parametrize(
    ("parameters", "activation", "output"),
    [
        ({"booster": "dart", "objective": "binary:logistic"}, "sigmoid", "margin"),
        ({"booster": "gblinear"}, "none", "prediction"),
        # Its objective is none of those that are known.
        ({"objective": "reg:squarederror", "booster": "dart"}, "none", "prediction"),
        ({"objective": "binary:hinge"}, "none", "prediction"),
    ],
)
def test_what_xgboost_alone_computes_is_left_to_it(
    parameters: dict[str, Any],
    activation: str,
    output: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    booster = train(**parameters)
    converted = convert(booster, NAMES, tmp_path, monkeypatch)
    assert converted.graph is None
    assert converted.activation == activation
    assert converted.notes[0].startswith("no ONNX graph: xgboost ")
    plain = np.nan_to_num(X)
    ((name, scores),) = converted.native(pa.table({}), {"x": plain}).items()
    assert name == output
    matrix = xgboost.DMatrix(plain)
    expected = booster.predict(matrix, output_margin=output == "margin")
    np.testing.assert_allclose(scores, expected, rtol=1e-6)


def convert(
    booster: Any, sample: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> xgboost_trees.Converted:
    """Convert a Booster's file, which only has to be read by a process of its own where it is broken."""
    path = folder / "m.ubj"
    booster.save_model(path)
    monkeypatch.setattr(xgboost_trees, "find_file", lambda *_: path)
    job = PackagingJob[AnyStep].model_validate({"xgboost": str(path)})
    table = pa.table({name: X[:, number % 2] for number, name in enumerate(sample)})
    return xgboost_trees.convert(job, table)


def test_columns_are_in_the_models_order_and_may_be_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    booster = train(names=NAMES, objective="binary:logistic")
    converted = convert(booster, ["b", "a"], tmp_path, monkeypatch)
    assert converted.columns == ("a", "b")
    assert converted.inputs == {"x": ("a", "b")}
    assert converted.takes_missing == frozenset(NAMES)
    assert converted.dtypes == {"x": "float32"}
    ((name, scores),) = converted.native(pa.table({}), {"x": X}).items()
    assert name == "margin"
    matrix = xgboost.DMatrix(X, feature_names=NAMES)
    expected = booster.predict(matrix, output_margin=True)
    np.testing.assert_allclose(scores, expected, rtol=1e-6)
    assert converted.own is not None
    again = xgboost.Booster(model_file=bytearray(converted.own.content))
    np.testing.assert_array_equal(again.predict(matrix, output_margin=True), expected)


@pytest.mark.parametrize(("best", "is_taken"), [(None, True), (1, False), (2, True)])
def test_a_best_round_is_the_last_one_or_the_author_says_which(
    best: int | None, is_taken: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    booster = train(rounds=3)
    if best is not None:
        booster.set_attr(best_iteration=str(best))
    if is_taken:
        convert(booster, NAMES, tmp_path, monkeypatch)
        return
    with pytest.raises(JobError, match=r"holds 3 rounds, and training found 2 .* booster\[:2\]"):
        convert(booster, NAMES, tmp_path, monkeypatch)


def test_columns_of_categories_are_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = pa.array(["u", "v"] * (ROWS // 2)).dictionary_encode()
    frame = pa.table({"a": X[:, 0], "d": words}).to_pandas()
    matrix = xgboost.DMatrix(frame, Y, enable_categorical=True)
    booster = xgboost.train({"nthread": 1}, matrix, 1)
    with pytest.raises(JobError, match=r"columns of type category \(d\), which"):
        convert(booster, ["a", "d"], tmp_path, monkeypatch)


def test_a_tree_is_read_whatever_the_numbers_of_its_nodes() -> None:
    """Nodes that were cut off leave numbers without nodes, and children may have the smaller ones."""
    tree = {
        "left_children": [3, -1, -1, 2, -1],
        "right_children": [4, -1, -1, 1, -1],
        "split_conditions": [0.5, 10.0, 20.0, 1.5, 30.0],
        "split_indices": [1, 0, 0, 0, 0],
        "default_left": [0, 0, 0, 1, 0],
    }
    root = xgboost_trees._read_tree(json.loads(json.dumps(tree)))
    assert (root.column, root.threshold, root.missing_left) == (1, 0.5, False)
    assert root.right == 30.0
    inner = root.left
    assert (inner.column, inner.threshold, inner.missing_left) == (0, 1.5, True)
    assert (inner.left, inner.right) == (20.0, 10.0)
