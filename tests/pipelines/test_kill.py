"""A run that is killed resumes, and ends with the very bytes of one that was not."""

import os
from pathlib import Path
import random
import signal
import subprocess
import sys
import time

import duckdb
import pytest

from tests.benchmarks.tabular_data import make_package, make_shards, package_folder, shards_folder
from tests.conftest import REPOSITORY, program
from tests.pipelines.test_score import published

ROWS, SHARDS = 600_000, 24


@pytest.fixture(scope="module")
def flags(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """A job of 24 shards, a second or two of work."""
    folder = tmp_path_factory.mktemp("tabular")
    make_shards(folder, ROWS, SHARDS)
    make_package(folder)
    job = folder / "job.yaml"
    source, package = shards_folder(folder, ROWS, SHARDS), package_folder(folder)
    job.write_text(
        f"name: kill\nsource: {{paths: {source}, key: id}}\nmodel: {{package: {package}, batch_rows: 64}}\n"
        "postprocess: {keep: [probability]}\nsink: {path: nowhere}\n"
    )
    return ["--config", str(job), "--quiet"]


@pytest.fixture(scope="module")
def uninterrupted(flags: list[str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    output = tmp_path_factory.mktemp("uninterrupted")
    run = program("pipelines.score", *flags, "--output", str(output))
    assert run.returncode == 0, run.stderr
    return published(output)


@pytest.mark.parametrize("moment", range(5))
def test_killed_run_resumes_to_the_same_bytes(
    moment: int, flags: list[str], uninterrupted: dict[str, bytes], tmp_path: Path
) -> None:
    done_units = random.Random(moment).randrange(SHARDS)  # noqa: S311 - which moment, not a secret
    kill_when(done_units, flags, tmp_path)
    assert not (tmp_path / "CURRENT").exists()
    records = {p: p.stat().st_mtime_ns for p in tmp_path.glob("_tmp/*/done/*.json")}
    assert len(records) >= done_units
    run = program("pipelines.score", *[f for f in flags if f != "--quiet"], "--output", str(tmp_path))
    assert run.returncode == 0, run.stderr
    assert ("resumed" in run.stdout) == bool(records)
    assert published(tmp_path) == uninterrupted
    files = str(tmp_path / "current/*.parquet")
    assert duckdb.sql(f"SELECT count(*), count(DISTINCT id) FROM read_parquet('{files}')").fetchall() == [(ROWS, ROWS)]


def kill_when(done_units: int, flags: list[str], output: Path) -> None:
    """Start the job in a process group of its own and kill the group as soon as that many units are done."""
    command = [sys.executable, "-m", "pipelines.score", *flags, "--output", str(output)]
    process = subprocess.Popen(command, cwd=REPOSITORY, start_new_session=True)
    deadline = time.monotonic() + 120
    while len(list(output.glob("_tmp/*/done/*.json"))) < done_units or not list(output.glob("_tmp/*/plan.json")):
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def test_terminated_run_says_so_and_exits_143(flags: list[str], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pipelines.score", *flags, "--output", str(tmp_path)]
    process = subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.PIPE, text=True)
    while not list(tmp_path.glob("_tmp/*/done/*.json")):
        assert process.poll() is None
    process.terminate()
    _, error = process.communicate(timeout=10)
    assert process.returncode == 143
    assert error.count("\n") == 1
    assert "resumes" in error


def test_two_launchers_at_once_publish_one_run(flags: list[str], uninterrupted: dict[str, bytes], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pipelines.score", *flags, "--output", str(tmp_path)]
    processes = [subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    errors = [p.communicate(timeout=120)[1] for p in processes]
    assert [p.returncode for p in processes] == [0, 0], errors
    assert published(tmp_path) == uninterrupted
