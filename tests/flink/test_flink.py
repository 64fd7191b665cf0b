"""Flink, embedded and as a real cluster: the bytes that the DirectRunner publishes, from both TaskManagers, and the same refusals."""

from collections.abc import Callable
import json
import os
from pathlib import Path
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.conftest import REPOSITORY
from tests.flink import install
from tests.flink.cluster import Cluster
from tests.flink.conftest import UNITS, score, unavailable
from tests.pipelines.test_score import manifest, published

Local = Callable[[str], dict[str, bytes]]
Jobs = dict[str, list[str]]


@pytest.mark.parametrize("name", ["breast_cancer", "digits"])
def test_embedded_flink_publishes_what_the_local_run_does(
    name: str, jobs: Jobs, local: Local, job_server: str, tmp_path: Path
) -> None:
    run = score(*jobs[name], "--runner=FlinkRunner", job_server, "--output", str(tmp_path))
    assert run.returncode == 0, run.stderr
    assert published(tmp_path) == local(name)


@pytest.mark.parametrize("name", ["breast_cancer", "digits"])
def test_a_cluster_publishes_what_the_local_run_does(
    name: str, jobs: Jobs, local: Local, on_cluster: list[str], tmp_path: Path
) -> None:
    run = score(*jobs[name], *on_cluster, "--output", str(tmp_path))
    assert run.returncode == 0, run.stderr
    assert "where the time went, all workers together: read" in run.stdout
    assert published(tmp_path) == local(name)


def test_two_hundred_units_use_both_task_managers(
    jobs: Jobs, local: Local, cluster: Cluster, on_cluster: list[str], tmp_path: Path
) -> None:
    run = score(*jobs["units"], *on_cluster, "--output", str(tmp_path))
    assert run.returncode == 0, run.stderr
    workers: dict[str, int] = manifest(tmp_path)["workers"]
    assert sum(workers.values()) == UNITS
    assert len(workers) == len(cluster.machines), workers
    assert min(workers.values()) >= UNITS // 4, workers
    job, state = cluster.jobs()[-1]
    assert state == "FINISHED"
    read = cluster.records_read(job, "WriteShards")
    assert set(read) == set(cluster.machines)
    assert min(read.values()) >= UNITS // 4, read
    assert published(tmp_path) == local("units")


def test_workers_that_the_task_managers_start_themselves(
    jobs: Jobs, local: Local, cluster: Cluster, job_server: str, tmp_path: Path
) -> None:
    """PROCESS workers: Beam's `boot` without Docker."""
    if not install.boot().exists():
        unavailable("go is not on PATH, so Beam's boot for PROCESS workers was not built")
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    env = {"RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT": "1", "PATH": path, "PYTHONPATH": str(REPOSITORY)}
    process = ["--environment_type=PROCESS", f"--environment_config={json.dumps({'command': str(install.boot()), 'env': env})}"]
    master = ["--runner=FlinkRunner", f"--flink_master={cluster.master}", job_server]
    run = score(*jobs["digits"], *master, *process, "--output", str(tmp_path))
    assert run.returncode == 0, run.stderr
    assert published(tmp_path) == local("digits")


def test_a_refused_run_ends_in_one_line_with_its_status(on_cluster: list[str], tmp_path: Path) -> None:
    rows = pq.read_table("samples/breast_cancer/shards/part-00000.parquet")
    at = rows.schema.get_field_index("mean radius")
    radius = [None, *rows["mean radius"].to_pylist()[1:]]
    pq.write_table(rows.set_column(at, "mean radius", pa.array(radius, type=pa.float64())), tmp_path / "in.parquet")
    run = score(*on_cluster, "--quiet", "--input", str(tmp_path / "in.parquet"), "--output", str(tmp_path / "out"))
    assert run.returncode == 3, run.stderr
    assert run.stderr.count("\n") == 1, run.stderr
    assert "in.parquet from row 0: column 'mean radius' has a missing value" in run.stderr
    assert not (tmp_path / "out/CURRENT").exists()
