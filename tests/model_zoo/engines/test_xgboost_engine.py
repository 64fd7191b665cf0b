"""XGBoost's own file: the scores of the library, to the bit; a damaged file costs a line."""

from pathlib import Path

import numpy as np
import pytest

xgboost = pytest.importorskip("xgboost")

import torch  # noqa: E402

from configs.errors import ModelError  # noqa: E402
from model_zoo.engines.engine import choose_engine, find_engine  # noqa: E402
from model_zoo.engines.settings import Settings  # noqa: E402
from model_zoo.package.package import read_package  # noqa: E402
from model_zoo.scoring.scorer import load_scorer  # noqa: E402
from tests.faults.counts import full_or  # noqa: E402
from tests.support.own_forms import check_bits, check_damaged, own_form_package  # noqa: E402


def trained(**parameters: object) -> tuple[object, np.ndarray]:
    """A Booster of a column of categories, and rows with missing values and infinities."""
    random = np.random.default_rng(0)
    x = random.normal(size=(1001, 3)).astype(np.float32)
    x[:, 2] = random.integers(0, 5, len(x))
    target = (np.nan_to_num(x[:, 0]) > 0) ^ (x[:, 2] == 3)
    x[::7, 0] = np.nan
    kinds = {"feature_types": ["q", "q", "c"]}
    booster = xgboost.train(
        {"objective": "binary:logistic", **parameters}, xgboost.DMatrix(x, target, **kinds), 10
    )
    x[::11, 1] = np.inf
    return booster, x


@pytest.mark.usefixtures("forked_children")
def test_scores_are_the_librarys_to_the_bit_whatever_the_batches_and_threads(
    tmp_path: Path,
) -> None:
    booster, x = trained()
    margin = booster.inplace_predict(x, predict_type="margin")
    content = bytes(booster.save_raw("ubj"))
    url = own_form_package(tmp_path / "m", "xgboost", content, {"x": x}, {"margin": margin})
    assert choose_engine(read_package(url).card) == "xgboost"
    scored = check_bits(url, "xgboost", {"x": x}, batches=(7, 64))
    np.testing.assert_array_equal(scored.outputs["margin"], margin)
    assert scored.computed_by == (
        f"cpu xgboost float32, 1 thread(s), xgboost {xgboost.__version__}"
    )


@pytest.mark.program
def test_vectors_and_predictions_are_scored_too(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(50, 3)).astype(np.float32)
    booster = xgboost.train(
        {"multi_strategy": "multi_output_tree", "tree_method": "hist"},
        xgboost.DMatrix(x, x[:, :2]),
        3,
    )
    wanted = {"prediction": booster.inplace_predict(x)}
    content = bytes(booster.save_raw("json"))
    url = own_form_package(
        tmp_path / "m", "xgboost", content, {"x": x}, wanted, activation="none", labels=[]
    )
    scored = load_scorer(read_package(url), "cpu", Settings(16, engine="xgboost"), 1)({"x": x})
    np.testing.assert_array_equal(scored.outputs["prediction"], wanted["prediction"])


@pytest.mark.slow
@pytest.mark.usefixtures("forked_children")
def test_a_damaged_file_costs_a_line(tmp_path: Path) -> None:
    booster, x = trained(max_depth=2)
    content = bytes(booster.save_raw("ubj"))
    outputs = {"margin": booster.inplace_predict(x, predict_type="margin")}
    refusals = check_damaged(tmp_path, "xgboost", "xgboost", content, {"x": x}, outputs, 12)
    assert len(refusals) > full_or(1, 5)


def test_other_dtypes_and_devices_are_refused(tmp_path: Path) -> None:
    x = np.zeros((4, 3), np.float32)
    url = own_form_package(tmp_path / "m", "xgboost", b"x", {"x": x}, {"margin": x[:, 0]})
    package = read_package(url)
    engine = find_engine("xgboost")
    with pytest.raises(ModelError, match=r"set model.dtype to float32"):
        engine.load(package, torch.device("cpu"), 1, Settings(16, "bfloat16", engine="xgboost"))
    with pytest.raises(ModelError, match=r"set model.device to cpu"):
        engine.load(package, torch.device("cuda"), 1, Settings(16, engine="xgboost"))
    with pytest.raises(ModelError, match="holds no form of the model, which engine lightgbm reads"):
        load_scorer(package, "cpu", Settings(16, engine="lightgbm"), 1)
