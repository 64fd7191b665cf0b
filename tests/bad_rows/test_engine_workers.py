"""Each engine through the program with one, two and four workers: the same bytes, of scores and of rejected rows."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tests.bad_rows.engines import on_each_engine
from tests.bad_rows.spoilt_job import write_shard
from tests.support.jobs import Outcome

Run = Callable[..., Outcome]
PROCESSES = "--direct_running_mode=multi_processing"


@pytest.fixture
def folder(engine_folder: Path) -> Path:
    """The job of these tests, which every engine can compute."""
    return engine_folder


@pytest.mark.program
@pytest.mark.slow
@pytest.mark.usefixtures("forked_workers")
@on_each_engine
def test_any_number_of_workers_writes_the_same_bytes(folder: Path, run: Run) -> None:
    for shard in range(4):
        numbers = np.arange(150) + 150 * shard
        # A hole in each shard, whose row is rejected.
        holes = np.where(numbers % 150 == 7, np.nan, numbers / 3)
        write_shard(folder / f"shards/{shard}.parquet", numbers, b=pa.array(np.float32(holes)))
    small = ("--set", "source.rows_per_batch=40", "--set", "errors.max_rejected_rows=10")
    expected = run(*small, "--direct_num_workers=1", output="one").read_files()
    assert len(expected) > 4
    for workers in (2, 4):
        flags = (*small, PROCESSES, f"--direct_num_workers={workers}")
        assert run(*flags, output=f"workers{workers}").read_files() == expected
