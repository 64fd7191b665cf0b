"""Engines of graphs: a cluster publishes the bytes that one local worker does.

Several local workers do so too, whichever the engine: tests/bad_rows/test_engine_workers.py. With FULL_COUNTS both are on the cluster.
"""

from collections.abc import Callable
from pathlib import Path
import subprocess

import numpy as np
import pyarrow as pa
import pytest

from tests.bad_rows.engines import write_package_of_both
from tests.bad_rows.spoilt_job import COLUMNS, write_shard
from tests.faults.counts import full_or
from tests.support.jobs import write_job
from tests.support.runs import manifest, published

pytest.importorskip("onnx")
pytestmark = pytest.mark.program
Launcher = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def flags(tmp_path: Path) -> list[str]:
    """A job of four shards, in each of which a row is rejected."""
    package = write_package_of_both(tmp_path / "model", COLUMNS)
    for shard in range(4):
        numbers = np.arange(100) + 100 * shard
        holes = np.where(numbers % 100 == 7, np.nan, numbers / 3)
        write_shard(tmp_path / f"shards/{shard}.parquet", numbers, b=pa.array(np.float32(holes)))
    # Small shards would be put together to one unit, which one worker scores alone.
    sink = {"rows_per_file": 100}
    errors = {"max_rejected_rows": 4}
    job = write_job(tmp_path, package, model={"batch_rows": 32}, sink=sink, errors=errors)
    return ["--config", str(job)]


@pytest.mark.parametrize("engine", full_or(["onnxruntime"], ["onnxruntime", "openvino"]))
def test_the_same_bytes_come_from_one_worker_and_from_a_cluster(
    engine: str,
    flags: list[str],
    run_launcher: Launcher,
    on_cluster: list[str],
    tmp_path: Path,
) -> None:
    pytest.importorskip(engine)
    ways = {
        "one": ["--runner=DirectRunner", "--direct_num_workers=1"],
        "cluster": on_cluster,
    }
    files = {}
    for name, way in ways.items():
        output = tmp_path / name
        named = ["--set", f"model.engine={engine}", "--output", str(output)]
        run = run_launcher(*flags, *way, *named)
        assert run.returncode == 0, run.stderr
        assert manifest(output)["engine"]["name"] == engine
        assert "where the time went, all workers together: read" in run.stdout
        files[name] = published(output)
    # Scores and rejected rows of each shard.
    assert len(files["one"]) >= 8
    assert files["cluster"] == files["one"]
