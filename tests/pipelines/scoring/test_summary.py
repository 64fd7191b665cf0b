"""The line that reads the result reads it, wherever that is and whatever is published later."""

from contextlib import redirect_stderr, redirect_stdout
import io
from pathlib import Path
import re
import uuid

import duckdb
import pytest

from pipelines import score
from pipelines.cli.command_line import run_program
from storage import files
from tests.support.builders import tiny_package
from tests.support.jobs import run_job, small_table, write_job, write_parquet


@pytest.fixture
def job(tmp_path: Path) -> Path:
    write_parquet(tmp_path / "job/shards/a.parquet", small_table(4))
    return write_job(tmp_path / "job", tiny_package(tmp_path / "model"))


def last_line(job: Path, output: str, *flags: str) -> str:
    """The last line that a run for people shows."""
    words = ["--config", str(job), "--output", output, *flags]
    with redirect_stdout(io.StringIO()) as said, redirect_stderr(io.StringIO()):
        assert run_program(score.main, words) == 0
    return said.getvalue().splitlines()[-1]


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_it_reads_the_run_that_it_is_about(kind: str, job: Path) -> None:
    output, flags = f"{job.parent}/scores", ("--set", f"sink.format={kind}")
    line = last_line(job, output, *flags)
    query = line.removeprefix("duckdb: ")
    assert len(duckdb.sql(query).fetchall()) == 4
    assert last_line(job, output, *flags) == line, "the same work again"
    write_parquet(job.parent / "shards/b.parquet", small_table(4, 4))
    assert run_job(job, *flags).status == 0
    assert len(duckdb.sql(query).fetchall()) == 4


def test_on_a_store_it_names_what_is_there(job: Path) -> None:
    output = f"memory://{uuid.uuid4().hex}"
    found = re.search("'(.+)/[*].parquet'", last_line(job, output))
    assert found is not None
    assert "manifest.json" in files.list_names(found[1])
