"""What Beam makes for itself goes with the process, and what it says is in the log: started for real, as end and start are what counts."""

import os
from pathlib import Path
import subprocess
import sys

import pytest

from tests.pipelines.json_lines import lines_of
from tests.support.builders import tiny_package
from tests.support.jobs import small_table, write_job, write_parquet
from tests.support.repository import REPOSITORY

pytestmark = pytest.mark.program


def score(
    status: int, folder: Path, *flags: str
) -> tuple[subprocess.CompletedProcess[str], list[Path]]:
    """Score a few rows, one of which is bad where the exit status is to be that of too many; return what is left in the temporary folder, too."""
    temporary = folder / "temporary"
    temporary.mkdir()
    bad = {} if status == 0 else {"a": [1.0, None, 2.0, 3.0]}
    write_parquet(folder / "job/shards/a.parquet", small_table(4, **bad))
    columns = [{"name": name, "type": "float", "missing": "reject"} for name in "abc"]
    job = write_job(folder / "job", tiny_package(folder / "model", columns=columns))
    command = [sys.executable, "-m", "pipelines.score", "--config", str(job), *flags]
    environment = {**os.environ, "TMPDIR": str(temporary)}
    run = subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == status, run.stderr
    return run, list(temporary.iterdir())


def test_a_run_leaves_nothing_in_the_temporary_folder(tmp_path: Path) -> None:
    run, left = score(0, tmp_path, "--quiet")
    assert run.stderr == ""
    assert left == []


def test_a_run_with_a_worker_process_leaves_nothing_and_says_nothing_but_lines_of_json(
    tmp_path: Path,
) -> None:
    """What libraries write to stderr while they are imported, in the program and in its worker, shows in no forked process."""
    processes = ("--direct_running_mode=multi_processing", "--direct_num_workers=1")
    run, left = score(4, tmp_path, *processes, "--log_format=json", "--debug")
    assert left == []
    assert run.stdout == ""
    lines = lines_of(run.stderr)
    assert {"log", "refused"} <= {line["event"] for line in lines}
    assert all(line["logger"] for line in lines if line["event"] == "log")
