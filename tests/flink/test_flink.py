"""Flink, embedded and as a real cluster: the bytes that the DirectRunner publishes, from both TaskManagers, and the same refusals."""

from collections.abc import Callable
import json
import os
from pathlib import Path
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.faults.counts import full_or
from tests.flink.cluster import Cluster
from tests.flink.units import BROKEN_ROWS, UNITS
from tests.support.programs import start_program
from tests.support.repository import REPOSITORY
from tests.support.runs import manifest, published

Local = Callable[[str], dict[str, bytes]]
Jobs = dict[str, list[str]]
Launcher = Callable[..., subprocess.CompletedProcess[str]]
pytestmark = pytest.mark.program


def test_embedded_flink_publishes_what_the_local_run_does(
    local: Local, own_job_server: str, tmp_path: Path
) -> None:
    """A real start: as a user runs it, with a job server and worker processes that are the launcher's own."""
    # Java that lives for some seconds spends most of them on optimising itself.
    own = (own_job_server, "--job_server_jvm_properties=-XX:TieredStopAtLevel=1")
    run = start_program("pipelines.score", "--runner=FlinkRunner", *own, "--output", str(tmp_path))
    assert run.returncode == 0, run.stderr
    assert published(tmp_path) == local("breast_cancer")


@pytest.mark.skipif(
    full_or(True, False), reason="part of make test-long: images reach Flink's own workers, too"
)
def test_embedded_flink_publishes_images_as_the_local_run_does(
    jobs: Jobs, local: Local, run_launcher: Launcher, job_server: str, tmp_path: Path
) -> None:
    run = run_launcher(
        *jobs["digits"], "--runner=FlinkRunner", job_server, "--output", str(tmp_path)
    )
    assert run.returncode == 0, run.stderr
    assert published(tmp_path) == local("digits")


@pytest.mark.skipif(
    full_or(True, False),
    reason="part of make test-long: a job with another engine does so in test_engines.py, 200 units do below, images by PROCESS workers",
)
@pytest.mark.parametrize("name", ["breast_cancer", "digits"])
def test_a_cluster_publishes_what_the_local_run_does(
    name: str,
    jobs: Jobs,
    local: Local,
    run_launcher: Launcher,
    on_cluster: list[str],
    tmp_path: Path,
) -> None:
    run = run_launcher(*jobs[name], *on_cluster, "--output", str(tmp_path))
    assert run.returncode == 0, run.stderr
    assert "where the time went, all workers together: read" in run.stdout
    assert published(tmp_path) == local(name)


def test_two_hundred_units_use_both_task_managers(
    jobs: Jobs,
    local: Local,
    run_launcher: Launcher,
    cluster: Cluster,
    on_cluster: list[str],
    tmp_path: Path,
) -> None:
    run = run_launcher(*jobs["units"], *on_cluster, "--output", str(tmp_path))
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
    jobs: Jobs,
    local: Local,
    run_launcher: Launcher,
    cluster: Cluster,
    job_server: str,
    boot: Path,
    tmp_path: Path,
) -> None:
    """PROCESS workers: Beam's `boot` without Docker, and the real start of a worker process."""
    cluster.wait_until_ready()
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    env = {
        "RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT": "1",
        "PATH": path,
        "PYTHONPATH": str(REPOSITORY),
    }
    process = [
        "--environment_type=PROCESS",
        f"--environment_config={json.dumps({'command': str(boot), 'env': env})}",
    ]
    master = ["--runner=FlinkRunner", f"--flink_master={cluster.master}", job_server]
    # Each TaskManager would start one in the same way, and two at once take all of a small machine.
    master.append("--parallelism=1")
    run = run_launcher(*jobs["digits"], *master, *process, "--output", str(tmp_path))
    assert run.returncode == 0, run.stderr
    assert published(tmp_path) == local("digits")
    # What the worker found goes with its scores.
    (shard,) = manifest(tmp_path)["broken_shards"]
    assert (shard["stage"], shard["row"], shard["rows"]) == ("read", 0, BROKEN_ROWS)


def test_a_refused_run_ends_in_one_line_with_its_status(
    run_launcher: Launcher, on_cluster: list[str], tmp_path: Path
) -> None:
    rows = pq.read_table("samples/breast_cancer/shards/part-00000.parquet")
    at = rows.schema.get_field_index("mean radius")
    radius = [None, *rows["mean radius"].to_pylist()[1:]]
    pq.write_table(
        rows.set_column(at, "mean radius", pa.array(radius, type=pa.float64())),
        tmp_path / "in.parquet",
    )
    run = run_launcher(
        *on_cluster,
        "--quiet",
        "--config",
        "configs/breast_cancer.yaml",
        "--input",
        str(tmp_path / "in.parquet"),
        "--output",
        str(tmp_path / "out"),
    )
    assert run.returncode == 3, run.stderr
    assert run.stderr.count("\n") == 1, run.stderr
    assert "in.parquet from row 0: column 'mean radius' has a missing value" in run.stderr
    assert not (tmp_path / "out/CURRENT").exists()
