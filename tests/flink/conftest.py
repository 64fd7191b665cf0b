"""One job server and one cluster for all tests, the two example jobs and a job of 200 units, with what the DirectRunner publishes for each."""

from collections.abc import Callable, Iterator
from functools import partial
import os
from pathlib import Path
import subprocess
from typing import NoReturn

import pyarrow.parquet as pq
import pytest

from pipelines import score
from pipelines.cli.command_line import run_program
from tests.flink import install
from tests.flink.cluster import Cluster, running_cluster, running_job_server
from tests.flink.units import BROKEN_ROWS, units_job
from tests.support.broken_files import write_spoilt
from tests.support.programs import Programs
from tests.support.runs import published

_RUN_SECONDS = 900  # a busy machine is slow


@pytest.fixture(scope="session", autouse=True)
def own_job_server() -> str:
    """The flag with which a run starts a job server of its own, as users do; without Java and Maven there is nothing to test."""
    if reason := install.missing():
        unavailable(reason)
    install.flink_home()
    return f"--flink_job_server_jar={install.job_server()}"


# They end with this folder's tests: idle Java would take a twentieth of a core from all that come after them.
@pytest.fixture(scope="package")
def job_server(own_job_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The flag with which a run uses the job server of all tests: Beam's runner for Flink starts none then, and is else the same."""
    with running_job_server(own_job_server, tmp_path_factory.mktemp("job-server")) as flag:
        yield flag


@pytest.fixture(scope="package")
def cluster(
    own_job_server: str, programs: Programs, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("cluster")
    with running_cluster(install.flink_home(), folder, programs.address) as running:
        yield running


@pytest.fixture
def on_cluster(cluster: Cluster, job_server: str) -> list[str]:
    """What a user gives to run on the cluster with the workers of its pools."""
    cluster.wait_until_ready()
    return [*cluster.flags, job_server]


@pytest.fixture(scope="session")
def boot() -> Path:
    """Beam's program that starts a worker in a process of its own."""
    if reason := install.missing_boot():
        unavailable(f"Beam's boot for PROCESS workers was not built: {reason}")
    return install.boot()


@pytest.fixture(scope="session")
def jobs(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Command lines of three jobs; one has a shard that breaks in a worker, and the third 200 units and some seconds of work."""
    spoilt = tmp_path_factory.mktemp("spoilt") / "in.parquet"
    images = pq.read_table(digits / "shards/part-00000.parquet")
    write_spoilt(spoilt, images.slice(0, BROKEN_ROWS))
    return {
        "breast_cancer": [],
        "digits": [
            "--config",
            "configs/digits.yaml",
            "--model",
            str(digits / "model"),
            "--input",
            str(digits / "shards"),
            "--input",
            str(spoilt),
            "--set",
            "errors.max_broken_shards=1",
        ],
        "units": units_job(tmp_path_factory.mktemp("tabular")),
    }


@pytest.fixture(scope="session")
def local(
    jobs: dict[str, list[str]], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], dict[str, bytes]]:
    """The files that the DirectRunner publishes for a job."""
    known: dict[str, dict[str, bytes]] = {}

    def files_of(name: str) -> dict[str, bytes]:
        if name not in known:
            output = tmp_path_factory.mktemp(name)
            assert (
                run_program(
                    score.main,
                    [*jobs[name], "--runner=DirectRunner", "--quiet", "--output", str(output)],
                )
                == 0
            )
            known[name] = published(output)
        return known[name]

    return files_of


@pytest.fixture(scope="session")
def run_launcher(programs: Programs) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the program to its end, in a process of its own."""
    return partial(programs.run, "pipelines.score", timeout=_RUN_SECONDS)


def unavailable(reason: str) -> NoReturn:
    """Skip the test, or fail it where REQUIRE_FLINK says that Flink must be tested."""
    if os.environ.get("REQUIRE_FLINK"):
        pytest.fail(reason)
    pytest.skip(reason)
