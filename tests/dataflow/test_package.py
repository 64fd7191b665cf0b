"""The package that `--setup_file` stages, in an environment of its own: it installs, imports, unpickles the job, and scores it."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.dataflow import submission
from tests.dataflow.cloud import IMAGE, Cloud
from tests.dataflow.environments import copy_sources, empty_environment, install
from tests.dataflow.service import Outcome, Service
from tests.support.programs import Programs
from tests.support.repository import REPOSITORY

OUTPUT = "scored"


class Worker:
    """Installs what a job staged, and runs the job's own graph with it, as a worker of the service would."""

    def __init__(self, cloud: Cloud, folder: Path) -> None:
        self._cloud = cloud
        self._folder = folder
        self.report: dict[str, Any] = {}

    def __call__(self, job: dict[str, Any]) -> Outcome:
        staged = {
            path.rpartition("/")[2]: content
            for path, content in self._cloud.objects(f"{OUTPUT}-temp").items()
        }
        for name in ("workflow.tar.gz", "pipeline.pb"):
            (self._folder / name).write_bytes(staged[name])
        python = empty_environment(self._folder / "environment")
        install(python, "./workflow.tar.gz", self._folder)
        program = str(REPOSITORY / "tests/dataflow/worker.py")
        done = self._cloud.run([str(python), program, "pipeline.pb"], self._folder)
        if done.returncode != 0:
            return Outcome("JOB_STATE_FAILED", done.stderr)
        self.report = json.loads(done.stdout.splitlines()[-1])
        return Outcome()


@pytest.fixture(scope="module")
def worker(
    cloud: Cloud, _service: Service, programs: Programs, tmp_path_factory: pytest.TempPathFactory
) -> Worker:
    """A job that was submitted with `--setup_file`, staged, run by a worker, and waited for."""
    worker, sources = (
        Worker(cloud, tmp_path_factory.mktemp("worker")),
        tmp_path_factory.mktemp("sources"),
    )
    copy_sources(sources)
    _service.run = worker
    flags = submission.flags(
        _service, OUTPUT, "--setup_file=./setup.py", f"--sdk_container_image={IMAGE}"
    )
    done = programs.run("tests.dataflow.impatient", *flags, env=cloud.environment(), cwd=sources)
    assert done.returncode == 0, done.stderr
    assert "143" in done.stdout
    return worker


def test_the_package_of_the_worker_is_the_staged_one(worker: Worker) -> None:
    assert len(worker.report["places"]) == 4
    for place in worker.report["places"].values():
        assert not place.startswith(str(REPOSITORY)), place
        assert "/environment/" in place


def test_every_module_that_workers_need_is_staged(worker: Worker) -> None:
    rooms = ("configs", "model_zoo", "storage", "transforms")
    there = {
        ".".join(p.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__")
        for room in rooms
        for p in (REPOSITORY / room).rglob("*.py")
    }
    assert set(worker.report["modules"]) == there - set(rooms)


def test_the_functions_of_the_job_unpickle_there(worker: Worker) -> None:
    assert {"transforms.read", "transforms.write", "transforms.publish"} <= set(
        worker.report["functions"]
    )
    assert "__main__" not in worker.report["functions"]


def test_the_job_is_published_in_the_bucket(worker: Worker, cloud: Cloud, tmp_path: Path) -> None:
    scored = cloud.objects(OUTPUT)
    run = scored[f"bucket/{OUTPUT}/CURRENT"].decode().strip()
    manifest = json.loads(scored[f"bucket/{OUTPUT}/runs/{run}/_manifest.json"])
    assert manifest["rows"] == {"in": 143, "scored": 143, "filtered": 0, "rejected": 0}
    assert not [path for path in scored if "/_tmp/" in path]
    rows = 0
    for file in manifest["files"]:
        path = tmp_path / "part.parquet"
        path.write_bytes(scored[f"bucket/{OUTPUT}/runs/{run}/{file['path']}"])
        rows += pq.read_table(path).num_rows
    assert rows == 143
