"""What is asked of every portable runner: the bytes of the local run, the same ends of a run, and no process left behind."""

from collections.abc import Callable
from pathlib import Path
import signal
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.pipelines.digits_shards import broken_digits
from tests.support.processes import gone_within
from tests.support.programs import Program, Programs
from tests.support.runs import published

Score = Callable[..., int]
_STATUSES = {signal.SIGKILL: -9, signal.SIGTERM: 143, signal.SIGINT: 130}


def compare_breast_cancer_with_local_run(runner: list[str], run_score: Score, folder: Path) -> None:
    """Score the sample on the runner and here: the same bytes."""
    assert run_score(output=folder / "local") == 0
    assert run_score(*runner, output=folder / "scores") == 0
    assert published(folder / "scores") == published(folder / "local")


def compare_digits_with_local_run(
    runner: list[str],
    run_score: Score,
    folder: Path,
    digits: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Score images of which three are broken: over the budget nothing is published; within it the same bytes, once."""
    broken_digits(digits, folder / "bad", {3: b"<html>", 40: None, 41: b"cut"})
    job = [
        "--config",
        "configs/digits.yaml",
        "--model",
        str(digits / "model"),
        "--input",
        str(folder / "bad"),
    ]
    assert run_score(*job, *runner, output=folder / "scores") == 4
    assert "errors.max_rejected_rows" in capsys.readouterr().err
    assert not (folder / "scores/CURRENT").exists()
    within = ["--set", "errors.max_rejected_rows=3"]
    assert run_score(*job, *within, output=folder / "local") == 0
    assert run_score(*job, *within, *runner, output=folder / "scores") == 0
    assert published(folder / "scores") == published(folder / "local")
    assert run_score(*job, *within, *runner, output=folder / "scores") == 0


def stop_and_resume(
    stop: signal.Signals,
    runner: list[str],
    work: list[str],
    expected: dict[str, bytes],
    programs: Programs,
    output: Path,
) -> None:
    """Stop a run once its first unit is done: no process is left, nothing is published, and the next run ends as if none had been stopped."""
    command = ["pipelines.score", *work, *runner, "--output", str(output)]
    launcher = programs.start(*command)
    while not list(output.glob("_tmp/*/done/*.json")):
        assert launcher.poll() is None, launcher.communicate()[1]
        time.sleep(0.01)
    _send(stop, launcher)
    error = launcher.communicate(timeout=30)[1]
    assert launcher.returncode == _STATUSES[stop], error
    assert not (output / "CURRENT").exists()
    gone_within(10, launcher.pid)
    run = programs.run(*command)
    assert run.returncode == 0, run.stderr
    assert published(output) == expected


def _send(stop: signal.Signals, launcher: Program) -> None:
    if stop == signal.SIGKILL:  # nobody is left to tidy up: the whole group goes, as with a machine
        launcher.kill_group()
    else:
        launcher.send_signal(stop)


def refuse_in_one_line(runner: list[str], programs: Programs, folder: Path) -> None:
    """Give the runner a row that the contract refuses: status 3, one line from a worker, and no process is left."""
    rows = pq.read_table("samples/breast_cancer/shards/part-00000.parquet")
    at = rows.schema.get_field_index("mean radius")
    radius = [None, *rows["mean radius"].to_pylist()[1:]]
    pq.write_table(
        rows.set_column(at, "mean radius", pa.array(radius, type=pa.float64())),
        folder / "in.parquet",
    )
    flags = ["--quiet", "--input", str(folder / "in.parquet"), "--output", str(folder / "out")]
    launcher = programs.start("pipelines.score", *flags, *runner)
    error = launcher.communicate(timeout=120)[1]
    assert launcher.returncode == 3, error
    assert error.count("\n") == 1, error
    assert "in.parquet from row 0: column 'mean radius' has a missing value" in error
    gone_within(10, launcher.pid)
