"""How many units are reused, and which: those of unchanged shards in which nothing was rejected."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipelines import score
from pipelines.cli.command_line import run_program
from tests.support.builders import FEATURES, tiny_package
from tests.support.jobs import run_job, small_table, write_job, write_parquet

BAD = pa.array(np.array([1, np.nan, 1, 1], dtype=np.float32))


@pytest.mark.parametrize(
    ("bad", "changed", "reused"),
    [
        ({1}, {1}, 3),  # the corrected one alone is scored
        ({1}, {0}, 2),  # it was not corrected, and another one changed
        ({0, 1, 2, 3}, {0, 1, 2, 3}, 0),
    ],
)
def test_it_is_said_how_many_units_are_reused(
    bad: set[int],
    changed: set[int],
    reused: int,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    columns = [{"name": name, "type": "float", "missing": "reject"} for name in FEATURES]
    job = write_job(
        tmp_path,
        tiny_package(tmp_path / "model", columns=columns),
        errors={"max_rejected_rows": 9},
    )
    for shard in range(4):
        table = small_table(4, 4 * shard, **({"a": BAD} if shard in bad else {}))
        write_parquet(tmp_path / f"shards/{shard}.parquet", table)
    first = run_job(job)
    assert first.status == 0, first.error
    for shard in changed:
        write_parquet(tmp_path / f"shards/{shard}.parquet", small_table(4, 4 * shard))
    words = ["--config", str(job), "--reuse_from", "current"]
    assert run_program(score.main, words) == 0
    told = f"reused from run current: {reused} of 4 units, in which no row was rejected"
    said = capsys.readouterr().out
    assert told in said
    # Nobody interrupted that run.
    assert "interrupted" not in said
