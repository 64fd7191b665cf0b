"""What Beam makes for itself goes with the process: started for real, because the end of a process is what counts."""

import os
from pathlib import Path
import subprocess
import sys

import pytest

from tests.support.builders import tiny_package
from tests.support.jobs import small_table, write_job, write_parquet
from tests.support.repository import REPOSITORY

pytestmark = pytest.mark.program


@pytest.mark.parametrize(
    ("status", "flags"),
    [(0, ()), (4, ("--direct_running_mode=multi_processing", "--direct_num_workers=1"))],
)
def test_a_run_leaves_nothing_in_the_temporary_folder(
    status: int, flags: tuple[str, ...], tmp_path: Path
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    bad = {} if status == 0 else {"a": [1.0, None, 2.0, 3.0]}
    write_parquet(tmp_path / "job/shards/a.parquet", small_table(4, **bad))
    columns = [{"name": name, "type": "float", "missing": "reject"} for name in "abc"]
    job = write_job(tmp_path / "job", tiny_package(tmp_path / "model", columns=columns))
    command = [sys.executable, "-m", "pipelines.score", "--config", str(job), "--quiet", *flags]
    environment = {**os.environ, "TMPDIR": str(temporary)}
    run = subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == status, run.stderr
    assert list(temporary.iterdir()) == []
