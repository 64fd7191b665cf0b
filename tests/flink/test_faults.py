"""A TaskManager, a Python worker or the launcher is lost in the middle of 200 units: in the end the same bytes are published."""

from collections.abc import Callable
import json
from pathlib import Path
import signal
import socket
import subprocess

import pytest

from tests.flink import install
from tests.flink.cluster import Cluster, Machine, running_cluster, wait_until
from tests.flink.conftest import UNITS, score
from tests.pipelines.test_score import manifest, published
from tests.processes import gone_within, started

Local = Callable[[str], dict[str, bytes]]
Jobs = dict[str, list[str]]
_MIDDLE = UNITS // 5
_SECONDS = 600


def in_the_middle(launcher: subprocess.Popen[str], output: Path, machine: Machine) -> set[str]:
    """Wait until some of the units are done, some of them by this machine; the ids of its workers."""
    workers: set[str] = set()

    def reached() -> bool:
        assert launcher.poll() is None, launcher.communicate()[1]
        records = list(output.glob("_tmp/*/done/*.json"))
        workers.update(f"{socket.gethostname()}:{worker.pid}" for worker in machine.workers())
        return len(records) >= _MIDDLE and any(json.loads(r.read_bytes() or b"{}").get("worker") in workers for r in records)

    wait_until(reached, _SECONDS, f"{_MIDDLE} units are done")
    assert not (output / "CURRENT").exists()
    return workers


def finish(launcher: subprocess.Popen[str]) -> None:
    error = launcher.communicate(timeout=_SECONDS)[1]
    assert launcher.returncode == 0, error


def test_a_killed_worker_does_not_cost_what_it_has_done(
    jobs: Jobs, local: Local, cluster: Cluster, on_cluster: list[str], tmp_path: Path
) -> None:
    launcher = started([*jobs["units"], "--quiet"], on_cluster, tmp_path)
    lost = in_the_middle(launcher, tmp_path, cluster.machines["tm-0"])
    for worker in cluster.machines["tm-0"].workers():
        worker.kill()
    finish(launcher)
    assert cluster.restarts(cluster.jobs()[-1][0]) >= 1
    workers = manifest(tmp_path)["workers"]
    assert lost & set(workers), (lost, workers)
    assert sum(workers.values()) == UNITS
    assert published(tmp_path) == local("units")


def test_a_killed_task_manager_leaves_its_units_to_the_other(
    jobs: Jobs, local: Local, job_server: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with running_cluster(install.flink_home(), tmp_path_factory.mktemp("losing")) as cluster:
        # As many slots as one TaskManager has: the other one is enough to go on with.
        launcher = started([*jobs["units"], "--quiet"], [*cluster.flags, job_server, "--parallelism=2"], tmp_path)
        lost = in_the_middle(launcher, tmp_path, cluster.machines["tm-0"])
        cluster.machines["tm-0"].task_manager.kill()
        finish(launcher)
        job, state = cluster.jobs()[-1]
        assert (state, cluster.restarts(job) >= 1) == ("FINISHED", True)
        assert set(cluster.records_read(job, "WriteShards")) == {"tm-1"}
    assert lost & set(manifest(tmp_path)["workers"])
    assert published(tmp_path) == local("units")


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT], ids=lambda s: s.name)
def test_a_stopped_launcher_cancels_its_job_and_resumes(
    stop: signal.Signals, jobs: Jobs, local: Local, cluster: Cluster, on_cluster: list[str], tmp_path: Path
) -> None:
    launcher = started([*jobs["units"], "--quiet"], on_cluster, tmp_path)
    in_the_middle(launcher, tmp_path, cluster.machines["tm-0"])
    launcher.send_signal(stop)
    error = launcher.communicate(timeout=60)[1]
    assert launcher.returncode == {signal.SIGTERM: 143, signal.SIGINT: 130}[stop], error
    assert error.count("\n") == 1, error
    assert "nothing was published" in error
    gone_within(20, launcher.pid)
    wait_until(lambda: cluster.jobs()[-1][1] == "CANCELED", 120, "the job is cancelled")
    assert not (tmp_path / "CURRENT").exists()
    run = score(*jobs["units"], *on_cluster, "--output", str(tmp_path))
    assert run.returncode == 0, run.stderr
    assert "resumed" in run.stdout
    assert published(tmp_path) == local("units")
