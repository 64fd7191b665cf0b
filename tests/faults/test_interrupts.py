"""Inputs that change under a run, and runs that are interrupted."""

from collections.abc import Callable
from pathlib import Path
import shutil
import signal
import subprocess
import time

import pytest

from pipelines import score
from pipelines.command_line import run_program
from tests.faults.programs import launched, scoring
from tests.faults.world import ROWS, check_every_row_once, is_one_plain_line, make_world, read_output, write_shard

SHARDS = 40
MANY = ("--set", "model.batch_rows=1", "--set", "source.rows_per_batch=1")


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_world(tmp_path_factory.mktemp("interrupts"), shards=SHARDS)


@pytest.fixture(scope="module")
def undisturbed(job: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return score_whole(job, tmp_path_factory.mktemp("undisturbed") / "scores")


def score_whole(job: Path, output: Path, rows: int = SHARDS * ROWS) -> dict[str, bytes]:
    """Files of the run, which must succeed."""
    assert run_program(score.main, ["--quiet", "--config", str(job), "--output", str(output), *MANY]) == 0
    check_every_row_once(output, rows)
    seen = read_output(output)
    assert seen is not None
    return seen.files


def wait_until_half_done(process: subprocess.Popen[str], output: Path, units: int) -> None:
    deadline = time.monotonic() + 120
    while len(list(output.glob("_tmp/*/done/*.json"))) < units:
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.001)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_an_interrupted_run_ends_soon_and_resumes(
    number: signal.Signals,
    status: int,
    job: Path,
    undisturbed: dict[str, bytes],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    output = tmp_path / "scores"
    with launched(scoring(job, output, *MANY)) as process:
        wait_until_half_done(process, output, 3)
        process.send_signal(number)
        began = time.monotonic()
        error = process.communicate(timeout=60)[1]
    assert process.returncode == status, error
    assert time.monotonic() - began < 10
    assert error.count("\n") == 1
    assert "nothing was published; the same command resumes" in error
    assert read_output(output) is None
    assert len(list(output.glob("_tmp/*/done/*.json"))) >= 3
    assert run_program(score.main, ["--config", str(job), "--output", str(output), *MANY]) == 0
    assert "rows were scored by an earlier, interrupted run" in capsys.readouterr().out
    assert score_whole(job, output) == undisturbed


def replaced(folder: Path) -> None:
    """Another content of the same size under the same name."""
    shutil.copy(folder / "shards/part-00001.parquet", folder / "new")
    (folder / "new").replace(last(folder))


def appended(folder: Path) -> None:
    with last(folder).open("ab") as file:
        file.write(b"more")


def deleted(folder: Path) -> None:
    last(folder).unlink()


def last(folder: Path) -> Path:
    return folder / f"shards/part-{SHARDS - 1:05d}.parquet"


@pytest.mark.parametrize("change", [replaced, appended, deleted])
def test_an_input_that_changes_under_the_run_ends_it(change: Callable[[Path], None], tmp_path: Path) -> None:
    job, output = make_world(tmp_path / "world", shards=SHARDS), tmp_path / "scores"
    with launched(scoring(job, output, *MANY, "--direct_running_mode=in_memory")) as process:
        wait_until_half_done(process, output, 3)
        change(job.parent)
        error = process.communicate(timeout=120)[1]
    assert process.returncode == 3, error
    assert is_one_plain_line(error)
    assert last(job.parent).name in error
    assert read_output(output) is None


def test_an_input_that_is_added_under_the_run_belongs_to_the_next(undisturbed: dict[str, bytes], tmp_path: Path) -> None:
    job, output = make_world(tmp_path / "world", shards=SHARDS), tmp_path / "scores"
    with launched(scoring(job, output, *MANY)) as process:
        wait_until_half_done(process, output, 3)
        write_shard(job.parent, SHARDS)
        error = process.communicate(timeout=120)[1]
    assert (process.returncode, error) == (0, "")
    check_every_row_once(output, SHARDS * ROWS)
    first = read_output(output)
    assert len(score_whole(job, output, (SHARDS + 1) * ROWS)) > len(first.files if first else ())
