"""The job server, a cluster, the two example jobs and a job of 200 units, with what the DirectRunner publishes for each."""

from collections.abc import Callable, Iterator
import os
from pathlib import Path
import subprocess
import sys
from typing import NoReturn

import pytest

from tests.benchmarks.tabular_data import make_package, make_shards, package_folder, shards_folder
from tests.conftest import REPOSITORY
from tests.flink import install
from tests.flink.cluster import Cluster, running_cluster
from tests.pipelines.test_score import published

ROWS, UNITS = 1_000_000, 200
_RUN_SECONDS = 900  # a busy machine is slow, and starts Java and torch several times


@pytest.fixture(scope="session", autouse=True)
def job_server() -> str:
    """The flag that names the job server; without Java and Maven there is nothing to test."""
    if reason := install.missing():
        unavailable(reason)
    install.install()
    return f"--flink_job_server_jar={install.job_server()}"


@pytest.fixture(scope="package")
def cluster(job_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running_cluster(install.flink_home(), tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture
def on_cluster(cluster: Cluster, job_server: str) -> list[str]:
    """What a user gives to run on the cluster with the workers of its pools."""
    return [*cluster.flags, job_server]


@pytest.fixture(scope="session")
def jobs(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Command lines of three jobs; the third has 200 units and some seconds of work."""
    folder = tmp_path_factory.mktemp("tabular")
    make_shards(folder, ROWS, UNITS)
    make_package(folder)
    config, source, package = folder / "job.yaml", shards_folder(folder, ROWS, UNITS), package_folder(folder)
    config.write_text(
        f"name: units\nsource: {{paths: {source}, key: id}}\nmodel: {{package: {package}, batch_rows: 16}}\n"
        "postprocess: {keep: [probability]}\nsink: {path: nowhere}\n"
    )
    return {
        "breast_cancer": [],
        "digits": ["--config", "configs/digits.yaml", "--model", str(digits / "model"), "--input", str(digits / "shards")],
        "units": ["--config", str(config)],
    }


@pytest.fixture(scope="session")
def local(jobs: dict[str, list[str]], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, bytes]]:
    """The files that the DirectRunner publishes for a job."""
    known: dict[str, dict[str, bytes]] = {}

    def files_of(name: str) -> dict[str, bytes]:
        if name not in known:
            output = tmp_path_factory.mktemp(name)
            run = score(*jobs[name], "--runner=DirectRunner", "--output", str(output))
            assert run.returncode == 0, run.stderr
            known[name] = published(output)
        return known[name]

    return files_of


def unavailable(reason: str) -> NoReturn:
    """Skip the test, or fail it where REQUIRE_FLINK says that Flink must be tested."""
    if os.environ.get("REQUIRE_FLINK"):
        pytest.fail(reason)
    pytest.skip(reason)


def score(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the program as a user does, in a process of its own."""
    command = [sys.executable, "-m", "pipelines.score", *arguments]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=_RUN_SECONDS, check=False)
