"""A TaskManager, a Python worker or the launcher is lost in the middle of 200 units: in the end the same bytes are published."""

from collections.abc import Callable
from pathlib import Path
import signal
import subprocess

from tests.flink.cluster import Cluster, wait_until
from tests.flink.units import UNITS, finish, in_the_middle
from tests.support.processes import gone_within
from tests.support.programs import Program, Programs
from tests.support.runs import manifest, published

Local = Callable[[str], dict[str, bytes]]
Jobs = dict[str, list[str]]
Launcher = Callable[..., subprocess.CompletedProcess[str]]


def test_a_killed_worker_does_not_cost_what_it_has_done(
    jobs: Jobs,
    local: Local,
    programs: Programs,
    cluster: Cluster,
    on_cluster: list[str],
    tmp_path: Path,
) -> None:
    launcher = programs.start(
        "pipelines.score", *jobs["units"], "--quiet", *on_cluster, "--output", str(tmp_path)
    )
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
    jobs: Jobs,
    local: Local,
    programs: Programs,
    cluster: Cluster,
    on_cluster: list[str],
    tmp_path: Path,
) -> None:
    # As many slots as one TaskManager has: the other one is enough to go on with.
    flags = [*on_cluster, "--quiet", "--parallelism=2"]
    launcher = programs.start("pipelines.score", *jobs["units"], *flags, "--output", str(tmp_path))
    lost = in_the_middle(launcher, tmp_path, cluster.machines["tm-0"])
    cluster.machines["tm-0"].task_manager.kill()
    try:
        finish(launcher)
        job, state = cluster.jobs()[-1]
        assert (state, cluster.restarts(job) >= 1) == ("FINISHED", True)
        assert set(cluster.records_read(job, "WriteShards")) == {"tm-1"}
    finally:
        cluster.start_task_manager("tm-0")
    assert lost & set(manifest(tmp_path)["workers"])
    assert published(tmp_path) == local("units")


def test_an_interrupted_launcher_cancels_its_job_and_resumes(
    jobs: Jobs,
    local: Local,
    programs: Programs,
    run_launcher: Launcher,
    cluster: Cluster,
    on_cluster: list[str],
    own_job_server: str,
    tmp_path: Path,
) -> None:
    """The launcher has started a job server of its own, which Beam stops before our program hears of SIGINT; that is gone, too."""
    own = [own_job_server, "--job_server_jvm_properties=-XX:TieredStopAtLevel=1"]
    flags = [*jobs["units"], *cluster.flags, *own, "--quiet", "--output", str(tmp_path)]
    launcher = programs.start("pipelines.score", *flags)
    in_the_middle(launcher, tmp_path, cluster.machines["tm-0"])
    check_stopped(launcher, signal.SIGINT, 130, cluster, tmp_path)
    run = run_launcher(*jobs["units"], *on_cluster, "--output", str(tmp_path))
    assert run.returncode == 0, run.stderr
    assert "resumed" in run.stdout
    assert published(tmp_path) == local("units")


def test_a_terminated_launcher_cancels_its_job(
    jobs: Jobs, programs: Programs, cluster: Cluster, on_cluster: list[str], tmp_path: Path
) -> None:
    """With the job server of all tests, which lives on; that it resumes is as after SIGINT."""
    flags = [*jobs["units"], *on_cluster, "--quiet", "--output", str(tmp_path)]
    launcher = programs.start("pipelines.score", *flags)
    in_the_middle(launcher, tmp_path, cluster.machines["tm-0"])
    check_stopped(launcher, signal.SIGTERM, 143, cluster, tmp_path)


def check_stopped(
    launcher: Program, stop: signal.Signals, status: int, cluster: Cluster, output: Path
) -> None:
    """It ends in one line, leaves no process, cancels its job, and publishes nothing."""
    launcher.send_signal(stop)
    error = launcher.communicate(timeout=120)[1]
    assert launcher.returncode == status, error
    assert error.count("\n") == 1, error
    assert "nothing was published" in error
    gone_within(60, launcher.pid)
    wait_until(lambda: cluster.jobs()[-1][1] == "CANCELED", 120, "the job is cancelled")
    assert not (output / "CURRENT").exists()
