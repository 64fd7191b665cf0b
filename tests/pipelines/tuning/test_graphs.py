"""A package that holds a graph is tuned too: mini-batch sizes and workers, and the graph as it is."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from pipelines import score, tune
from pipelines.cli.command_line import run_program
from pipelines.tuning import bench
from tests.support.graphs import WEIGHTS, graph_package, linear_graph
from tests.support.jobs import small_table, write_job, write_parquet


@pytest.mark.slow
def test_a_graph_is_tuned_and_scored_by_its_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Which of them is the fastest does not matter here.
    monkeypatch.setattr(bench, "SECONDS", 0.001)
    rows = {name: np.random.default_rng(0).random(200).astype(np.float32) for name in "abc"}
    write_parquet(tmp_path / "shards/0.parquet", small_table(200, **{n: pa.array(v) for n, v in rows.items()}))  # fmt: skip
    job = write_job(tmp_path, graph_package(tmp_path / "model", linear_graph()))
    report = tmp_path / "report.json"
    flags = ["--config", str(job), "--set", f"model.tuning_report={report}"]
    # Others that are installed here would be tried, too.
    flags += ["--set", "model.engine=onnxruntime"]
    assert run_program(tune.main, [*flags, "--without", "int8"]) == 0
    said = capsys.readouterr().out
    assert "times as fast as onnxruntime in float32" in said
    tried = json.loads(report.read_text())["tried"]
    assert {entry["engine"] for entry in tried} == {"onnxruntime"}
    # The largest that fill every core with 200 rows, half of it and a quarter.
    sizes = {entry["batch_rows"] for entry in tried if "float32" in entry["settings"]}
    assert len(sizes) == 3
    assert run_program(score.main, [*flags, "--quiet", "--set", "model.dtype=auto"]) == 0
    scores = pq.read_table(tmp_path / "scores/current")
    logits = np.column_stack([rows[name] for name in "abc"]) @ WEIGHTS[:, 0]
    expected = 1 / (1 + np.exp(-logits))
    np.testing.assert_allclose(scores["probability"].to_numpy(), expected, rtol=1e-5)
