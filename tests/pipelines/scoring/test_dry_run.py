"""What a dry run says of the first rows, whatever tells how many there are."""

from pathlib import Path

import pyarrow.csv as pacsv
import pytest

from model_zoo.package.package import read_package
from pipelines import score
from pipelines.cli.command_line import run_program
from tests.support.builders import tiny_package
from tests.support.jobs import small_table, write_job, write_parquet


@pytest.fixture
def job(tmp_path: Path) -> Path:
    return write_job(tmp_path, tiny_package(tmp_path / "model"))


def said(job: Path, capsys: pytest.CaptureFixture[str], *flags: str) -> str:
    assert run_program(score.main, ["--config", str(job), "--dry_run", *flags]) == 0
    assert not (job.parent / "scores").exists()
    return capsys.readouterr().out


def test_a_thousand_rows_of_the_first_shard_tell_how_long_all_take(
    job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_parquet(job.parent / "shards/0.parquet", small_table(1_001))
    write_parquet(job.parent / "shards/1.parquet", small_table(20, 5_000))
    text = said(job, capsys)
    assert "from 1,000 rows in " in text
    assert "2 parquet files, " in text
    assert " bytes, 1,021 rows\n" in text
    digest = read_package(str(job.parent / "model")).digest
    assert f"tiny 1 ({digest[:12]}), cpu float32" in text
    assert "5000" not in text


def test_of_a_shard_without_a_row_no_time_is_told(
    job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_parquet(job.parent / "shards/0.parquet", small_table(0))
    text = said(job, capsys)
    assert "estimate" not in text
    assert "0 rows\n" in text


def test_of_csv_files_nobody_knows_how_long_all_take(
    job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (job.parent / "shards").mkdir()
    pacsv.write_csv(small_table(4), job.parent / "shards/0.csv")
    flags = ("--set", "source.format=csv", "--set", "source.types.id=int64")
    text = said(job, capsys, *flags)
    assert "estimate" not in text
    assert "rows counted while reading" in text
    assert "dry run: everything fits together; nothing was written" in text
