"""The same graph behind two portable runners, Prism and Beam's own job service: the same bytes, and the same ends of a run.

Prism is built with Go where that is present; the job service comes with Beam.
"""

from collections.abc import Callable, Iterator
import os
from pathlib import Path
import signal
import subprocess
import sys
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.benchmarks.tabular_data import make_package, make_shards, package_folder, shards_folder
from tests.conftest import program
from tests.go_tools import PRISM, go_tool
from tests.pipelines.test_score import broken_digits, published
from tests.processes import gone_within, started

Score = Callable[..., int]
ROWS, SHARDS = 600_000, 24


@pytest.fixture(scope="module")
def job_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of Beam's job service, in a process of its own."""
    folder = tmp_path_factory.mktemp("job_service")
    port_file = folder / "port"
    command = [sys.executable, "-m", "apache_beam.runners.portability.local_job_service_main", "--port=0"]
    with (folder / "log").open("w") as log:
        service = subprocess.Popen([*command, f"--port_file={port_file}", f"--staging_dir={folder}"], stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 60
        while not port_file.exists() or not port_file.read_text():
            assert service.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield f"localhost:{port_file.read_text().strip()}"
    finally:
        service.terminate()
        service.wait(timeout=20)


@pytest.fixture(params=["prism", "job_service"])
def runner(request: pytest.FixtureRequest) -> list[str]:
    """The flags that a user gives."""
    if request.param == "prism":
        return ["--runner=PrismRunner", f"--prism_location={go_tool(PRISM)}"]
    address = request.getfixturevalue("job_service")
    return ["--runner=PortableRunner", f"--job_endpoint={address}", "--environment_type=LOOPBACK"]


def test_breast_cancer_is_byte_equal_to_the_local_run(runner: list[str], run_score: Score, tmp_path: Path) -> None:
    assert run_score(output=tmp_path / "local") == 0
    assert run_score(*runner) == 0
    assert published(tmp_path / "scores") == published(tmp_path / "local")


def test_digits_are_byte_equal_to_the_local_run_also_with_rejected_rows(
    runner: list[str], run_score: Score, tmp_path: Path, digits: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken_digits(digits, tmp_path / "bad", {3: b"<html>", 40: None, 41: b"cut"})
    job = ["--config", "configs/digits.yaml", "--model", str(digits / "model"), "--input", str(tmp_path / "bad")]
    assert run_score(*job, *runner) == 4
    assert "errors.max_rejected_rows" in capsys.readouterr().err
    assert not (tmp_path / "scores/CURRENT").exists()
    within = ["--set", "errors.max_rejected_rows=3"]
    assert run_score(*job, *within, output=tmp_path / "local") == 0
    assert run_score(*job, *within, *runner) == 0
    assert published(tmp_path / "scores") == published(tmp_path / "local")
    assert run_score(*job, *within, *runner) == 0


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """A job of 24 shards, some seconds of work."""
    folder = tmp_path_factory.mktemp("tabular")
    make_shards(folder, ROWS, SHARDS)
    make_package(folder)
    source, package = shards_folder(folder, ROWS, SHARDS), package_folder(folder)
    job = folder / "job.yaml"
    job.write_text(
        f"name: work\nsource: {{paths: {source}, key: id}}\nmodel: {{package: {package}, batch_rows: 32}}\n"
        "postprocess: {keep: [probability]}\nsink: {path: nowhere}\n"
    )
    return ["--config", str(job), "--quiet"]


@pytest.fixture(scope="module")
def local(work: list[str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    output = tmp_path_factory.mktemp("local")
    run = program("pipelines.score", *work, "--output", str(output))
    assert run.returncode == 0, run.stderr
    return published(output)


@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda s: s.name)
def test_a_stopped_run_leaves_no_worker_behind_and_resumes_to_the_same_bytes(
    stop: signal.Signals, runner: list[str], work: list[str], local: dict[str, bytes], tmp_path: Path
) -> None:
    launcher = started(work, runner, tmp_path)
    while not list(tmp_path.glob("_tmp/*/done/*.json")):
        assert launcher.poll() is None, launcher.communicate()[1]
        time.sleep(0.01)
    if stop == signal.SIGKILL:  # nobody is left to tidy up: the whole group goes, as with a machine
        os.killpg(launcher.pid, stop)
    else:
        os.kill(launcher.pid, stop)
    error = launcher.communicate(timeout=30)[1]
    assert launcher.returncode == {signal.SIGKILL: -9, signal.SIGTERM: 143, signal.SIGINT: 130}[stop], error
    assert not (tmp_path / "CURRENT").exists()
    gone_within(10, launcher.pid)
    run = program("pipelines.score", *work, *runner, "--output", str(tmp_path))
    assert run.returncode == 0, run.stderr
    assert published(tmp_path) == local


def test_a_refused_run_ends_in_one_line_and_leaves_no_process(runner: list[str], tmp_path: Path) -> None:
    rows = pq.read_table("samples/breast_cancer/shards/part-00000.parquet")
    at = rows.schema.get_field_index("mean radius")
    radius = [None, *rows["mean radius"].to_pylist()[1:]]
    pq.write_table(rows.set_column(at, "mean radius", pa.array(radius, type=pa.float64())), tmp_path / "in.parquet")
    launcher = started(["--quiet", "--input", str(tmp_path / "in.parquet")], runner, tmp_path / "out")
    error = launcher.communicate(timeout=120)[1]
    assert launcher.returncode == 3, error
    assert error.count("\n") == 1, error
    assert "in.parquet from row 0: column 'mean radius' has a missing value" in error
    gone_within(10, launcher.pid)
