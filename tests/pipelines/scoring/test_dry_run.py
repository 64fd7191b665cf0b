"""What a dry run says of the first rows, whatever tells how many there are."""

from pathlib import Path
import re
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pytest

from model_zoo.package.package import read_package
from pipelines import score
from pipelines.cli.command_line import run_program
from pipelines.scoring.dry_run import _describe_schemas, _describe_unchecked
from tests.support.builders import tiny_package
from tests.support.jobs import small_table, write_job, write_parquet


@pytest.fixture
def job(tmp_path: Path) -> Path:
    return write_job(tmp_path, tiny_package(tmp_path / "model", columns=columns_that("reject")))


def columns_that(missing: str) -> list[dict[str, str]]:
    """The contract of the tiny network, with this policy."""
    return [{"name": name, "type": "float", "missing": missing} for name in "abc"]


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
    assert "dry run: what was checked fits together; nothing was written" in text


@pytest.mark.slow
def test_missing_values_are_told_by_the_statistics_of_every_shard(
    job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where no row of them is looked at: the nulls stand at row 1,500 of a shard of 200,000."""
    rows = 200_000
    values = np.random.default_rng(0).random((3, rows)).astype(np.float32)
    is_null = np.zeros(rows, bool)
    is_null[1_500:1_507] = True
    ids = pa.array(np.arange(rows), mask=np.arange(rows) == 1_800)
    for shard in range(3):
        a = pa.array(values[0], mask=is_null if shard == 1 else None)
        table = small_table(rows, a=a, b=pa.array(values[1]), c=pa.array(values[2]), id=ids)
        options = {"write_statistics": ["a", "id"]} if shard == 2 else {}
        write_parquet(job.parent / f"shards/{shard}.parquet", table, **options)
    text = said(job, capsys, "--set", "errors.max_rejected_rows=7")
    shard = job.parent / "shards/1.parquet"
    assert "checked      footers of all 3 shards: columns and types" in text
    assert f"missing      a: 7 rows would be rejected (first in {shard})\n" in text
    assert "b, c: not told by 1 of 3 shards" in text
    assert "id: 3 rows have no key, so nothing names them (first in " in text
    # The beginning of the first, the middle and the end of each.
    sampled = re.search(
        r"^  sampled      ([\d,]+) rows at 9 places .* of 3 of 3 shards$", text, re.M
    )
    others = re.search(r"^  not checked  the values of the other ([\d,]+) rows", text, re.M)
    assert sampled is not None
    assert others is not None
    # How many they are depends on where the pages begin that the middles stand on.
    counts = [int(found[1].replace(",", "")) for found in (sampled, others)]
    assert 1_000 < counts[0] < 2_000
    assert sum(counts) == 3 * rows
    assert text.endswith("dry run: what was checked fits together; nothing was written\n")
    # The same rows every time.
    again = said(job, capsys, "--set", "errors.max_rejected_rows=7")
    assert [line for line in again.splitlines() if "estimate" not in line] == [
        line for line in text.splitlines() if "estimate" not in line
    ]


def test_more_missing_values_than_are_allowed_are_refused(
    job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_parquet(job.parent / "shards/0.parquet", small_table(2_000))
    values = pa.array(np.ones(2_000, np.float32), mask=np.arange(2_000) == 1_300)
    write_parquet(job.parent / "shards/1.parquet", small_table(2_000, 2_000, b=values))
    assert run_program(score.main, ["--config", str(job), "--dry_run"]) == 4
    said = capsys.readouterr()
    assert "b: 1 rows would be rejected" in said.out
    assert "1 of 4000 rows were rejected, but errors.max_rejected_rows is 0" in said.err
    assert said.err.count("\n") == 1


def test_a_missing_value_that_would_end_the_run_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tiny_package(tmp_path / "model", columns=columns_that("error"))
    job = write_job(tmp_path, model)
    values = pa.array(np.ones(2_000, np.float32), mask=np.arange(2_000) == 1_300)
    write_parquet(tmp_path / "shards/0.parquet", small_table(2_000, b=values))
    assert run_program(score.main, ["--config", str(job), "--dry_run"]) == 3
    error = capsys.readouterr().err
    assert f"{tmp_path}/shards/0.parquet: column 'b' has missing values, in 1 rows" in error
    assert error.count("\n") == 1


def test_rows_that_fail_at_the_end_of_the_last_shard_are_seen(
    job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """NaN is missing, and in no statistics."""
    write_parquet(job.parent / "shards/0.parquet", small_table(2_000))
    values = np.ones(3_000, np.float32)
    values[-1] = np.nan
    write_parquet(job.parent / "shards/1.parquet", small_table(3_000, 2_000, b=values))
    text = said(job, capsys)
    assert "1 rows would be rejected in preprocess; row 2999: RowError: column 'b'" in text


def test_a_csv_file_is_sampled_in_its_middle_as_long_as_it_holds_no_quote(
    job: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (job.parent / "shards").mkdir()
    pacsv.write_csv(small_table(20_000), job.parent / "shards/0.csv")
    monkeypatch.setattr("transforms.formats.csv_split.PIECE_BYTES", 100_000)
    flags = ("--set", "source.format=csv", "--set", "source.types.id=int64")
    places = r"sampled      1,\d\d\d rows at 3 places \(.*\) of 1 of 1 shards"
    whole = said(job, capsys, *flags)
    assert re.search(rf"{places}$", whole, re.MULTILINE)
    # The last row of all is one of those that are looked at, and a quote in it hides where it begins.
    with (job.parent / "shards/0.csv").open("a") as file:
        file.write("no number,1,2,3\n")
    spoilt = said(job, capsys, *flags, "--set", "errors.max_rejected_rows=1")
    assert "1 rows would be rejected in read; row 20000: " in spoilt
    with (job.parent / "shards/0.csv").open("a") as file:
        file.write('20001,"1",2,3\n')
    quoted = said(job, capsys, *flags)
    assert (
        "sampled      1,000 rows at 1 places (beginning, middle, end) of 1 of 1 shards; of 1 of them the beginning alone"
        in quoted
    )
    in_pieces = said(
        job,
        capsys,
        *flags,
        "--set",
        "source.csv.newlines_in_values=false",
        "--set",
        "errors.max_rejected_rows=1",
    )
    assert re.search(places, in_pieces)
    assert "checked      headers of all 1 shards: columns and types" in in_pieces
    assert "missing      a, b, c, id: not told by 1 of 1 shards" in in_pieces


def test_rows_that_name_files_are_taken_with_their_own_files(
    job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of shards behind the first, which are longer, and of which one names what is not there."""
    root = job.parent / "files"
    root.mkdir()
    (root / "there").write_bytes(b"content")
    for shard, (rows, name) in enumerate([(3, "there"), (120, "there"), (2, "gone")]):
        table = small_table(rows, 1_000 * shard).append_column("path", pa.array([name] * rows))
        write_parquet(job.parent / f"shards/{shard}.parquet", table)
    step = f"{{step: load_file, column: path, root: {root}, into: content}}"
    flags = ["--set", f"preprocess.steps=[{step}]", "--set", "errors.max_rejected_rows=2"]
    text = said(job, capsys, *flags)
    # 3, 50 from the beginning of the second, 14 behind them, where its first unit ends, its last 20, and
    # both of the third.
    assert "sampled      89 rows at 5 places" in text
    assert "2 rows would be rejected in read; row 0: RowError: 'path': gone: [Errno 2]" in text


@pytest.mark.parametrize(
    ("input_format", "checked"),
    [
        ("parquet", "footers of all 2 shards"),
        ("csv", "headers of all 2 shards"),
        ("files", "names and sizes of all files in 2 folders"),
    ],
)
def test_what_was_looked_at_is_what_the_format_has(input_format: str, checked: str) -> None:
    assert _describe_schemas(input_format, 2).startswith(checked)


@pytest.mark.parametrize(
    ("rows", "sampled", "unchecked"),
    [
        (1_000, 1_000, "nothing but what only a whole run shows"),
        (1_001, 1_000, "the values of the other 1 rows"),
        (5_000_000, 1_000, "the values of the other 4,999,000 rows"),
        (0, 0, "nothing but what only a whole run shows"),
        # Of CSV nobody knows how many there are before all are read.
        (None, 1_000, "the values of all other rows"),
    ],
)
@pytest.mark.parametrize("takes_floats", [True, False])
def test_what_no_dry_run_looks_at_is_said(
    rows: int | None, sampled: int, unchecked: str, takes_floats: bool
) -> None:
    last = pa.float32() if takes_floats else pa.string()
    schema = pa.schema([("a", pa.int64()), ("b", last)])
    card = SimpleNamespace(columns=[SimpleNamespace(name=name) for name in schema.names])
    package = SimpleNamespace(card=card)
    plan: Any = SimpleNamespace(rows=rows, package=package, schema=schema)
    found = _describe_unchecked(plan, sampled)
    nan = ", and NaN in them, which counts as missing and is in no statistics"
    is_about_values = unchecked.startswith("the values")
    assert found == unchecked + (nan if takes_floats and is_about_values else "")
