"""LiteRT: what its interpreter gives, whatever the mini-batch; a damaged file costs a line."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("ai_edge_litert")

from model_zoo.engines.child.tflite_model import Model
from model_zoo.engines.engine import choose_engine
from model_zoo.engines.settings import Settings
from model_zoo.package.package import read_package
from model_zoo.scoring.scorer import load_scorer
from tests.support.own_forms import check_bits, check_damaged, own_form_package
from tests.support.tflite_models import linear_model, quantised_model

WEIGHTS = np.random.default_rng(1).normal(size=(5, 2)).astype(np.float32)
ROWS = np.random.default_rng(0).normal(size=(1001, 5)).astype(np.float32)


@pytest.mark.program
def test_scores_are_the_librarys_on_any_number_of_threads(tmp_path: Path) -> None:
    logits = ROWS @ WEIGHTS
    url = own_form_package(
        tmp_path / "m",
        "tflite",
        linear_model(WEIGHTS),
        {"x": ROWS},
        {"logit": logits},
        activation="softmax",
    )
    assert choose_engine(read_package(url).card) == "litert"
    for batch_rows in (7, 64):
        scored = check_bits(url, "litert", {"x": ROWS}, batches=(batch_rows,))
        np.testing.assert_allclose(scored.outputs["logit"], logits, rtol=1e-5, atol=1e-5)
    assert "litert 2." in scored.computed_by


@pytest.mark.program
def test_a_row_that_is_no_number_is_rejected_alone_where_integers_compute(tmp_path: Path) -> None:
    x = np.linspace(-1, 1, 60, dtype=np.float32).reshape(20, 3)
    model = quantised_model(0.01, 3, negative=0.5)
    wanted = {"y": np.where(x > 0, x, x / 2).astype(np.float32)}
    url = own_form_package(
        tmp_path / "m",
        "tflite",
        model,
        {"x": x},
        wanted,
        activation="none",
        labels=[],
        smoke_tolerance=0.02,
    )
    x[4, 1] = np.nan
    scored = load_scorer(read_package(url), "cpu", Settings(8, engine="litert"), 1)({"x": x})
    assert list(scored.rejected) == [4]
    others = np.arange(20) != 4
    np.testing.assert_allclose(scored.outputs["y"][others], wanted["y"][others], atol=0.011)


@pytest.mark.parametrize("rows", [1, 2, 3, 17, 32])
@pytest.mark.parametrize("fixed", [0, 1, 4])
def test_a_fixed_number_of_rows_is_filled_up(rows: int, fixed: int) -> None:
    model = Model(linear_model(WEIGHTS, fixed))
    for count in (rows, 5, rows):
        found = model({"x": ROWS[:count]})
        assert list(found) == ["logit"]
        np.testing.assert_allclose(found["logit"], ROWS[:count] @ WEIGHTS, rtol=1e-5, atol=1e-5)


def test_what_was_given_is_not_overwritten_by_the_next_rows() -> None:
    model = Model(linear_model(WEIGHTS))
    first = model({"x": ROWS[:4]})["logit"]
    kept = first.copy()
    model({"x": ROWS[4:8]})
    np.testing.assert_array_equal(first, kept)


def test_integers_are_rounded_and_cut_by_the_files_own_scale() -> None:
    model = Model(quantised_model(0.01, 3, negative=0.5))
    x = np.float32([[0.014, -0.5, 9.0]])
    found = model({"x": x})["y"]
    # 127 is the largest integer, and stands for 1.24.
    np.testing.assert_allclose(found, [[0.01, -0.25, 1.24]], atol=1e-6)


@pytest.mark.program
@pytest.mark.slow
def test_a_damaged_file_costs_a_line(tmp_path: Path) -> None:
    content = linear_model(WEIGHTS)
    outputs = {"logit": ROWS @ WEIGHTS}
    refusals = check_damaged(tmp_path, "tflite", "litert", content, {"x": ROWS}, outputs, 20)
    assert refusals
