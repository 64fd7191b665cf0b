"""The same graph behind portable runners: the bytes of the local run, the same ends of a run, and no process left behind.

The runners are Prism, which is built with Go where that is present, and the job service that comes with Beam.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
import signal
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.faults.counts import full_or
from tests.pipelines.digits_shards import broken_digits
from tests.support.go_tools import PRISM, go_tool
from tests.support.processes import gone_within
from tests.support.programs import Program, Programs
from tests.support.runs import published

pytestmark = [pytest.mark.program, pytest.mark.beam]
_STATUSES = {signal.SIGKILL: -9, signal.SIGTERM: 143, signal.SIGINT: 130}


@pytest.fixture(scope="module", params=["prism", "job_service"])
def runner(
    request: pytest.FixtureRequest, programs: Programs, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[str]]:
    """The flags that a user gives."""
    if request.param == "prism":
        yield ["--runner=PrismRunner", f"--prism_location={go_tool(PRISM)}"]
        return
    with _job_service(programs, tmp_path_factory.mktemp("job_service")) as address:
        yield ["--runner=PortableRunner", f"--job_endpoint={address}", "--environment_type=LOOPBACK"]  # fmt: skip


@contextmanager
def _job_service(programs: Programs, folder: Path) -> Iterator[str]:
    """Run Beam's job service as a process of its own, and yield its address."""
    port_file = folder / "port"
    module = "apache_beam.runners.portability.local_job_service_main"
    flags = ["--port=0", f"--port_file={port_file}", f"--staging_dir={folder}"]
    service = programs.start(module, *flags)
    try:
        deadline = time.monotonic() + 180
        while not port_file.exists() or not port_file.read_text():
            assert service.poll() is None, service.communicate()[1]
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield f"localhost:{port_file.read_text().strip()}"
    finally:
        service.send_signal(signal.SIGTERM)
        service.wait(timeout=60)


def test_breast_cancer_is_byte_equal_to_the_local_run(
    runner: list[str], programs: Programs, tmp_path: Path
) -> None:
    local, scores = tmp_path / "local", tmp_path / "scores"
    _score(programs, local)
    _score(programs, scores, *runner)
    assert published(scores) == published(local)


def test_digits_are_byte_equal_to_the_local_run_also_with_rejected_rows(
    runner: list[str], programs: Programs, digits: Path, tmp_path: Path
) -> None:
    """Three images are broken: over the budget nothing is published; within it the same bytes, once."""
    local, scores, shards = tmp_path / "local", tmp_path / "scores", tmp_path / "bad"
    broken_digits(digits, shards, {3: b"<html>", 40: None, 41: b"cut"})
    job = ["--config", "configs/digits.yaml", "--model", f"{digits}/model", "--input", str(shards)]
    error = _score(programs, scores, *job, *runner, status=4)
    assert "errors.max_rejected_rows" in error
    assert not (scores / "CURRENT").exists()
    within = ["--set", "errors.max_rejected_rows=3"]
    _score(programs, local, *job, *within)
    for _ in range(2):
        _score(programs, scores, *job, *within, *runner)
        assert published(scores) == published(local)


def test_a_stopped_run_leaves_no_worker_behind_and_resumes_to_the_same_bytes(
    runner: list[str],
    work: list[str],
    local: dict[str, bytes],
    programs: Programs,
    tmp_path: Path,
) -> None:
    """By one signal after the other, each time once one more unit is done: no process is left, and nothing is published."""
    is_service = "--runner=PortableRunner" in runner
    # Prism shows what every signal does.
    few = [signal.SIGTERM] if is_service else list(_STATUSES)
    for stop in full_or(few, list(_STATUSES)):
        done = _units_done(tmp_path)
        launcher = programs.start("pipelines.score", *work, *runner, "--output", str(tmp_path))
        while _units_done(tmp_path) == done:
            assert launcher.poll() is None, launcher.communicate()[1]
            time.sleep(0.01)
        _send(stop, launcher)
        error = launcher.communicate(timeout=120)[1]
        assert launcher.returncode == _STATUSES[stop], error
        assert not (tmp_path / "CURRENT").exists()
        gone_within(60, launcher.pid)
    _score(programs, tmp_path, *work, *runner)
    assert published(tmp_path) == local


def _units_done(output: Path) -> int:
    return len(list(output.glob("_tmp/*/done/*.json")))


def test_a_refused_run_ends_in_one_line_and_leaves_no_process(
    runner: list[str], programs: Programs, tmp_path: Path
) -> None:
    """A worker meets a row that the contract refuses."""
    rows = pq.read_table("samples/breast_cancer/shards/part-00000.parquet")
    at = rows.schema.get_field_index("mean radius")
    radius = pa.array([None, *rows["mean radius"].to_pylist()[1:]], type=pa.float64())
    shard = tmp_path / "in.parquet"
    pq.write_table(rows.set_column(at, "mean radius", radius), shard)
    flags = [
        "--quiet",
        "--config",
        "configs/breast_cancer.yaml",
        "--input",
        str(shard),
        "--output",
        f"{tmp_path}/out",
    ]
    launcher = programs.start("pipelines.score", *flags, *runner)
    error = launcher.communicate(timeout=120)[1]
    assert launcher.returncode == 3, error
    assert error.count("\n") == 1, error
    assert "in.parquet from row 0: column 'mean radius' has a missing value" in error
    gone_within(60, launcher.pid)


def _score(programs: Programs, output: Path, *flags: str, status: int = 0) -> str:
    """Score in a process of its own, as threads of Beam's outlive a run; return what it wrote to stderr."""
    run = programs.run("pipelines.score", "--quiet", "--output", str(output), *flags)
    assert run.returncode == status, run.stderr
    return run.stderr


def _send(stop: signal.Signals, launcher: Program) -> None:
    if stop == signal.SIGKILL:  # nobody is left to tidy up: the whole group goes, as with a machine
        launcher.kill_group()
    else:
        launcher.send_signal(stop)
