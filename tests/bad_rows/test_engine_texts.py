"""Texts of any length on each engine, through the program: a row's score is its own, whatever batch and order it comes in."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tests.bad_rows.engines import on_each_engine
from tests.support.installed import need
from tests.support.jobs import run_job, write_job, write_parquet
from tests.support.text_models import (
    embeddings,
    encoder,
    text_package_of_both,
    texts,
)

need("onnxscript")

pytestmark = pytest.mark.slow
ROWS = 90
# What padding to another length, and products of another shape, may change of numbers around 1.
NEAR = 2e-6


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> str:
    return text_package_of_both(tmp_path_factory.mktemp("texts"))


@pytest.fixture
def score(tmp_path: Path, engine: str, package: str) -> Callable[..., np.ndarray]:
    """Score texts in this order, and return an embedding of each."""

    def score(rows: list[str], batch_rows: int, output: str, rows_per_batch: int) -> np.ndarray:
        numbers = pa.array(range(len(rows)), pa.int64())
        table = pa.table({"id": numbers, "text": pa.array(rows, pa.string())})
        write_parquet(tmp_path / output / "shards/a.parquet", table)
        job = write_job(
            tmp_path / output,
            package,
            source={"passthrough": ["id"], "rows_per_batch": rows_per_batch},
            model={"batch_rows": batch_rows, "engine": engine},
            postprocess={"activation": "none", "keep": ["embedding"]},
        )
        scored = run_job(job).rows()
        assert scored["id"].to_pylist() == list(range(len(rows)))
        values = scored["embedding"].to_pylist()
        return np.array(values, np.float32)

    return score


@on_each_engine
def test_a_text_has_its_own_score(score: Callable[..., np.ndarray]) -> None:
    rows = texts(ROWS, seed=7)
    expected = embeddings(encoder(), rows)
    order = np.random.default_rng(2).permutation(ROWS)
    shuffled = [rows[place] for place in order]
    for batch_rows, rows_per_batch in ((3, 20), (8, 90), (64, 33)):
        name = f"of{batch_rows}"
        in_order = score(rows, batch_rows, name, rows_per_batch)
        np.testing.assert_allclose(in_order, expected, rtol=0, atol=NEAR)
        in_another = score(shuffled, batch_rows, f"{name}-shuffled", rows_per_batch)
        np.testing.assert_allclose(in_another, expected[order], rtol=0, atol=NEAR)


@on_each_engine
def test_no_texts_have_no_scores(score: Callable[..., np.ndarray]) -> None:
    assert len(score([], 8, "none", 20)) == 0
