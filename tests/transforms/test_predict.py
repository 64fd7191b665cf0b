from dataclasses import replace
from functools import partial
import os
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest
import torch

from configs.errors import ModelError, WorkerError
from model_zoo.engines.settings import Settings
from model_zoo.package.package import read_package
from model_zoo.scoring.loading import load_model
from model_zoo.scoring.scored import Scored
from model_zoo.scoring.scoring import Scoring
from tests.support.builders import feature_batch, raw_batch, tiny_network, tiny_package
from transforms.batches import Arrays, FeatureBatch, PredictionBatch
from transforms.predict import (
    NotFiniteError,
    Predict,
    Score,
    ScorerHandler,
    predict_batch,
    predict_rows,
)

X = np.arange(20, dtype=np.float32).reshape(10, 2)


def double(inputs: Arrays) -> Scored:
    return Scored({"y": inputs["x"].sum(axis=1) * 2})


def failing_on(*bad: float) -> Score:
    """A scorer that has no scores for rows whose first value is one of `bad`."""

    def score(inputs: Arrays) -> Scored:
        rows = np.flatnonzero(np.isin(inputs["x"][:, 0], bad)).tolist()
        return replace(double(inputs), rejected={row: RuntimeError("no such row") for row in rows})

    return score


def batch(x: np.ndarray = X) -> FeatureBatch:
    return feature_batch(raw_batch({"id": np.arange(len(x)) + 100}, first_row=50), x=x)


def bad_rows(score: Score, x: np.ndarray = X) -> dict[int, Exception]:
    bad = predict_rows(score({"x": x}), len(x))[1]
    assert bad is not None
    return dict(bad.reasons)


def test_outputs_are_the_models() -> None:
    np.testing.assert_array_equal(predict_rows(double({"x": X}), 10)[0]["y"], X.sum(axis=1) * 2)


def test_no_rows_are_scored_too() -> None:
    assert predict_rows(double({"x": X[:0]}), 0)[0]["y"].shape == (0,)


@pytest.mark.parametrize("rows", [9, 11, 0])
def test_a_model_that_gives_another_number_of_rows_is_refused(rows: int) -> None:
    def score(inputs: Arrays) -> Scored:
        return Scored({"y": np.zeros(rows)})

    with pytest.raises(ModelError, match=f"gave {rows} rows of y for 10 rows"):
        predict_rows(score({"x": X}), 10)
    with pytest.raises(ModelError, match=r"s\.parquet from row 50: the model gave"):
        predict_batch(score, batch())


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_rows_with_a_score_that_is_not_finite_are_named(value: float) -> None:
    def score(inputs: Arrays) -> Scored:
        wide = np.zeros((10, 2, 2))
        wide[3, 1, 0] = value
        return Scored({"wide": wide, "flat": np.where(np.arange(10) == 7, value, 0.0)})

    reasons = bad_rows(score)
    assert {p: str(r) for p, r in reasons.items()} == {
        3: "score wide is not finite",
        7: "score flat is not finite",
    }
    assert all(isinstance(r, NotFiniteError) for r in reasons.values())


def test_the_row_that_the_model_fails_on_is_found() -> None:
    reasons = bad_rows(failing_on(6, 18))
    assert {p: str(r) for p, r in reasons.items()} == {3: "no such row", 9: "no such row"}


def test_a_refusal_of_the_models_is_no_matter_of_rows() -> None:
    calls = []

    def score(inputs: Arrays) -> Scored:
        calls.append(len(inputs["x"]))
        raise ModelError("wrong package")

    with pytest.raises(ModelError, match="wrong package"):
        predict_batch(score, batch())
    assert calls == [10]


def nan_in_row_3(inputs: Arrays) -> Scored:
    return Scored({"y": np.where(np.arange(len(inputs["x"])) == 3, np.nan, 1.0)})


def test_a_score_that_is_not_finite_may_end_the_run() -> None:
    with pytest.raises(
        ModelError,
        match=r"from row 50: score y is not finite in 1 rows, and model\.not_finite is fail",
    ):
        predict_batch(nan_in_row_3, batch(), "fail")


def test_a_score_that_is_not_finite_may_pass() -> None:
    result = predict_batch(nan_in_row_3, batch(), "pass")
    assert (len(result.raw), result.raw.rejected) == (10, ())
    assert np.isnan(result.outputs["y"]).tolist() == [row == 3 for row in range(10)]


def test_a_worker_that_fails_says_where() -> None:
    def score(inputs: Arrays) -> Scored:
        raise WorkerError("the device failed")

    with pytest.raises(WorkerError, match=r"^s\.parquet from row 50: the device failed$"):
        predict_batch(score, batch())


@settings(deadline=None)
@given(
    st.integers(1, 40).flatmap(
        lambda n: st.tuples(
            st.just(n),
            st.sets(st.integers(0, n - 1), max_size=7),
            st.sets(st.integers(0, n - 1), max_size=5),
        )
    )
)
def test_good_rows_keep_their_scores_and_bad_ones_are_recorded(
    case: tuple[int, set[int], set[int]],
) -> None:
    rows, failing, not_finite = case
    x = np.arange(rows * 2, dtype=np.float32).reshape(rows, 2)

    def score(inputs: Arrays) -> Scored:
        bad = np.isin(inputs["x"][:, 0], [2.0 * r for r in not_finite])
        y = np.where(bad, np.nan, double(inputs).outputs["y"])
        return Scored({"y": y}, dict.fromkeys(failing, RuntimeError("no such row")), "a device")

    result = predict_batch(score, batch(x))
    scored, outputs = result.raw, result.outputs
    assert result.computed_by == "a device"
    good = [r for r in range(rows) if r not in failing | not_finite]
    np.testing.assert_array_equal(outputs["y"], x[good].sum(axis=1) * 2)
    assert scored.rows["id"].to_pylist() == [100 + r for r in good]
    records = [r for f in scored.rejected for r in f.rows.to_pylist()]
    assert {r["row"] - 50: r["error"] for r in records} == {
        **dict.fromkeys(not_finite, "NotFiniteError"),
        **dict.fromkeys(failing, "RuntimeError"),
    }
    assert {r["stage"] for r in records} <= {"predict"}
    assert [r["key"] for r in records] == [r["row"] + 50 for r in records]
    assert scored.rows_in == rows


def test_a_column_layout_array_is_scored_as_its_rows() -> None:
    x = np.asfortranarray(X)
    np.testing.assert_array_equal(
        predict_batch(failing_on(6), batch(x)).outputs["y"], np.delete(X, 3, axis=0).sum(axis=1) * 2
    )


@pytest.fixture
def scoring(tmp_path: Path) -> Scoring:
    url = tiny_package(tmp_path / "model")
    workers = os.cpu_count() or 1
    return Scoring(url, read_package(url).digest, "cpu", Settings(8), 60.0, workers)


@pytest.fixture
def handler(scoring: Scoring) -> ScorerHandler:
    return ScorerHandler(partial(load_model, scoring), "reject")


def test_the_handler_scores_a_batch_with_the_packages_model(handler: ScorerHandler) -> None:
    x = np.random.default_rng(1).standard_normal((20, 3), dtype=np.float32)
    x[4] = np.nan
    (result,) = handler.run_inference(batch(x), handler.load_model())  # type: ignore[arg-type]
    assert isinstance(result, PredictionBatch)
    with torch.inference_mode():
        expected = tiny_network()(x=torch.from_numpy(np.delete(x, 4, axis=0)))["logit"].numpy()
    np.testing.assert_allclose(result.outputs["logit"], expected, rtol=1e-5, atol=1e-6)
    assert result.raw.rejected[0].rows["row"].to_pylist() == [54]
    assert result.computed_by.startswith("cpu float32, 1 thread(s), torch ")


def test_the_handler_refuses_a_package_that_is_not_the_planned_one(scoring: Scoring) -> None:
    handler = ScorerHandler(partial(load_model, replace(scoring, digest="0" * 64)), "reject")
    with pytest.raises(ModelError, match="changed since the run was planned"):
        handler.load_model()


def test_the_handler_counts_bytes_without_encoding(handler: ScorerHandler) -> None:
    assert handler.get_num_bytes(batch()) == X.nbytes  # type: ignore[arg-type]


@pytest.mark.beam
def test_run_inference_gives_every_batch_whole(scoring: Scoring) -> None:
    import apache_beam as beam
    from apache_beam.testing.test_pipeline import TestPipeline
    from apache_beam.testing.util import assert_that

    from pipelines.runners.options import runner_options

    sizes = [5, 0, 17]
    batches = [batch(np.full((n, 3), n, dtype=np.float32)) for n in sizes]

    def check(results: list[Any]) -> None:
        assert sorted(len(r.outputs["logit"]) for r in results) == sorted(sizes)
        assert all(len(r) == len(r.outputs["logit"]) for r in results)

    predict = Predict(partial(load_model, scoring))
    with TestPipeline(
        runner="DirectRunner",
        options=runner_options("DirectRunner", ["--direct_running_mode=in_memory"]),
    ) as root:
        assert_that(root | beam.Create(batches).with_output_types(FeatureBatch) | predict, check)
