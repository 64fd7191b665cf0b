"""Each format of files: any number of workers writes the same bytes, and of corrected shards only what is needed is scored again."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipelines import verify
from pipelines.cli.command_line import run_program
from tests.support.builders import FEATURES, tiny_package
from tests.support.format_files import KINDS, source_of, write_shard
from tests.support.jobs import Outcome, run_job, small_table, write_job
from tests.support.runs import published

SHARDS, ROWS, BAD = 4, 60, (75, 130)
# Of which each format says that its value is missing.
HOLE = FEATURES[1]


def write_shards(folder: Path, kind: str, bad: tuple[int, ...]) -> None:
    for shard in range(SHARDS):
        ids = range(shard * ROWS, (shard + 1) * ROWS)
        values = [None if row in bad else row / 8 for row in ids]
        holes = pa.array(values, pa.float32())
        rows = small_table(ROWS, first=shard * ROWS, **{HOLE: holes})
        write_shard(folder / "shards", shard, kind, rows)


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def job(kind: str, tmp_path: Path) -> Path:
    columns = [{"name": name, "type": "float", "missing": "reject"} for name in FEATURES]
    package = tiny_package(tmp_path / "model", columns=columns)
    errors = {"max_rejected_rows": len(BAD)}
    return write_job(
        tmp_path,
        package,
        source=source_of(kind),
        model={"batch_rows": 32},
        # So that there is a unit for each worker.
        sink={"path": "unused", "rows_per_file": ROWS},
        errors=errors,
    )


@pytest.fixture
def run(job: Path, tmp_path: Path) -> Callable[..., Outcome]:
    def run(*flags: str, output: str = "scores") -> Outcome:
        return run_job(job, *flags, output=tmp_path / output)

    return run


def test_only_what_was_corrected_is_scored_again(
    kind: str, run: Callable[..., Outcome], tmp_path: Path
) -> None:
    write_shards(tmp_path, kind, BAD)
    first = run()
    assert first.status == 0, first.error
    rejected = sorted((record["key"], record["row"]) for record in first.rejected())
    assert rejected == [(row, row % ROWS) for row in BAD]
    untouched = tmp_path / "shards"
    before = {path.name: path.stat().st_mtime_ns for path in untouched.iterdir()}
    for shard in {row // ROWS for row in BAD}:
        ids = np.arange(shard * ROWS, (shard + 1) * ROWS)
        whole = pa.array((ids / 8).astype(np.float32))
        rows = small_table(ROWS, first=shard * ROWS, **{HOLE: whole})
        write_shard(untouched, shard, kind, rows)
    after = {path.name: path.stat().st_mtime_ns for path in untouched.iterdir()}
    assert sum(before[name] != after[name] for name in before) == 2
    again = run("--reuse_from", "current")
    assert again.status == 0, again.error
    assert again.manifest["rows"]["scored"] == SHARDS * ROWS
    assert run(output="clean").status == 0
    assert published(tmp_path / "scores") == published(tmp_path / "clean")
    assert run_program(verify.main, [str(tmp_path / "scores")]) == 0


@pytest.mark.slow
@pytest.mark.beam
def test_the_bytes_are_the_same_for_any_number_of_workers(
    kind: str, run: Callable[..., Outcome], tmp_path: Path
) -> None:
    write_shards(tmp_path, kind, BAD)
    for workers in ("1", "2", "4"):
        outcome = run(f"--direct_num_workers={workers}", output=workers)
        assert outcome.status == 0, outcome.error
        assert len(outcome.manifest["units"]) >= SHARDS
    one = published(tmp_path / "1")
    assert one == published(tmp_path / "2") == published(tmp_path / "4")
    assert len(one) > 1
