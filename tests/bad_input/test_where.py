"""A filter of the input, end to end: the rows that DuckDB keeps, and books that account for all others."""

from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from pipelines import score, verify
from tests.support.builders import tiny_package
from tests.support.jobs import Outcome, small_table, write_job, write_parquet

Score = Callable[..., Outcome]
NAN = float("nan")
HIVE = {"source.partitions": "hive"}


def write_days(folder: Path, format: str = "parquet") -> Path:
    """Write twelve rows of three days, of which some have no amount."""
    for number in range(3):
        path = folder / f"dt=2026-01-0{number + 1}/region={'ns'[number % 2]}/p.{format}"
        path.parent.mkdir(parents=True)
        amount = pa.array([None, 1.5, NAN if format == "parquet" else None, 10.0 + number])
        rows = small_table(4, first=4 * number, amount=amount)
        if format == "csv":
            pacsv.write_csv(rows, path)
        else:
            pq.write_table(rows, path, row_group_size=2)
    return folder


def make_model(folder: Path) -> Path:
    columns = [{"name": name, "type": "float", "missing": "reject"} for name in "abc"]
    return tiny_package(folder / "model", columns=columns)


def books(outcome: Outcome) -> dict[str, int]:
    assert outcome.status == 0, outcome.error
    rows = outcome.manifest["rows"]
    assert rows["in"] == rows["scored"] + rows["filtered"] + rows["rejected"] + rows["left_out"]
    for unit in outcome.manifest["units"]:
        parts = [unit[name] for name in ("scored", "filtered", "rejected", "left_out")]
        assert unit["in"] == sum(parts)
    assert verify.main([str(outcome.output), "--inputs"]) == 0
    return dict(rows)


@pytest.mark.parametrize("format", ["parquet", "csv"])
@pytest.mark.parametrize(
    ("where", "sql"),
    [
        ("amount > 1", "amount > 1 and not isnan(amount)"),
        ("not amount > 1", "not amount > 1 or isnan(amount)"),
        ("amount is None", "amount is null"),
        ("amount == 1.5 or dt == '2026-01-02'", "amount = 1.5 or dt = '2026-01-02'"),
        ("dt in ['2026-01-02', '2026-01-03'] and id != 5", "dt >= '2026-01-02' and id <> 5"),
        ("region == 's'", "region = 's'"),
        ("id >= 10", "id >= 10"),
    ],
)
def test_rows_are_those_of_sql(
    format: str, where: str, sql: str, score_it: Score, tmp_path: Path
) -> None:
    folder = write_days(tmp_path / "in", format)
    settings = {
        "source.where": where,
        "source.types": {"id": "int64", "amount": "double"},
        "source.format": format,
    }
    outcome = score_it(folder, settings=settings | HIVE)
    reader = {"parquet": "read_parquet", "csv": "read_csv"}[format]
    types = "hive_partitioning = true, hive_types = {dt: DATE, region: VARCHAR}"
    rows = f"{reader}('{folder}/**/*.{format}', {types})"
    # As a table first: of a file DuckDB leaves out groups by statistics, too, in which there is no NaN.
    connection = duckdb.connect()
    connection.sql(f"CREATE TABLE stored AS SELECT * FROM {rows}")
    expected = connection.sql(f"SELECT id FROM stored WHERE {sql} ORDER BY id").fetchall()
    found = outcome.rows()["id"].to_pylist()
    assert sorted(found) == [number for (number,) in expected]
    totals = books(outcome)
    # Of files that were not opened nobody knows the rows.
    assert totals["in"] == 12 - 4 * outcome.manifest["pruned_files"]
    assert totals["scored"] == len(expected)


def test_files_of_other_folders_are_not_opened(score_it: Score, tmp_path: Path) -> None:
    folder = write_days(tmp_path / "in")
    for day in (1, 3):
        (path,) = (folder / f"dt=2026-01-0{day}").rglob("*.parquet")
        path.write_bytes(b"no parquet")
    settings = {"source.where": "dt == '2026-01-02' and id != 4"}
    outcome = score_it(folder, settings=settings | HIVE)
    assert books(outcome) == {"in": 4, "scored": 3, "filtered": 0, "rejected": 0, "left_out": 1}
    assert outcome.manifest["pruned_files"] == 2


@pytest.mark.beam
def test_the_filter_s_columns_are_carried_nowhere_else(score_it: Score, tmp_path: Path) -> None:
    """A rejected row keeps what was read for the model, in whichever stage it failed."""
    rows = small_table(6, amount=pa.array(range(6)), a=pa.array([1.0, 1e300, NAN, 1.0, NAN, 1.0]))
    path = write_parquet(tmp_path / "p.parquet", rows)
    settings = {"source.where": "amount < 4", "errors.store_values": True}
    outcome = score_it(path, settings=settings, config=write_job(tmp_path, make_model(tmp_path)))
    assert outcome.rows().column_names[0] == "id"
    assert "amount" not in outcome.rows().column_names
    assert outcome.rows()["id"].to_pylist() == [0, 3]
    rejected = outcome.rejected()
    assert [(row["stage"], row["row"]) for row in rejected] == [("read", 1), ("preprocess", 2)]
    assert all(list(row["values"]) == ["a", "b", "c", "id"] for row in rejected)
    assert books(outcome) == {"in": 6, "scored": 2, "filtered": 0, "rejected": 2, "left_out": 2}


def test_both_filters_have_their_own_count(score_it: Score, tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "p.parquet", small_table(10))
    settings = {"source.where": "id < 6", "postprocess.where": "id >= 4"}
    outcome = score_it(path, settings=settings)
    assert books(outcome) == {"in": 10, "scored": 2, "filtered": 4, "rejected": 0, "left_out": 4}


def test_a_budget_in_percent_is_of_the_rows_that_were_asked_for(
    score_it: Score, tmp_path: Path
) -> None:
    a = np.ones(100, dtype=np.float32)
    a[:5] = NAN
    path = write_parquet(tmp_path / "p.parquet", small_table(100, a=pa.array(a)))
    settings = {"source.where": "id < 10", "errors.max_rejected_percent": 49}
    config = write_job(tmp_path, make_model(tmp_path))
    outcome = score_it(path, settings=settings, config=config)
    outcome.refused("5 of 10 rows were rejected", status=4)


@pytest.mark.parametrize(
    ("where", "words", "status"),
    [
        ("nowhere > 1", ("has no column 'nowhere'",), 3),
        ("id >", ("source.where: id >: not a valid expression",), 2),
        ("id", ("source.where: id: is a value of type int64",), 2),
        ("id == 'x'", ("source.where: id == 'x': cannot be compared",), 2),
        ("id > 99999999999999999999", ("source.where", "cannot be compared"), 2),
        ("dt > 'yesterday'", ("source.where: dt > 'yesterday': cannot be compared",), 2),
        ("__import__('os').system('x')", ("source.where", "not allowed"), 2),
        ("dt == '2026-02-01'", ("no row of any of the 3 files can pass",), 3),
    ],
)
def test_a_filter_that_cannot_be_is_refused(
    where: str, words: tuple[str, ...], status: int, score_it: Score, tmp_path: Path
) -> None:
    folder = write_days(tmp_path / "in")
    score_it(folder, settings={"source.where": where} | HIVE).refused(*words, status=status)


def test_a_csv_file_s_filter_needs_its_types(score_it: Score, tmp_path: Path) -> None:
    folder = write_days(tmp_path / "in", "csv")
    settings = {
        "source.where": "amount > 1",
        "source.types": {"id": "int64"},
        "source.format": "csv",
    }
    score_it(folder, settings=settings).refused("source.types.amount=", status=2)


def test_no_row_passes(score_it: Score, tmp_path: Path) -> None:
    """Nobody knew before, so an empty result is published, with its schema."""
    path = write_parquet(tmp_path / "p.parquet", small_table(10))
    outcome = score_it(path, settings={"source.where": "id > 100"})
    assert outcome.rows().num_rows == 0
    assert books(outcome) == {"in": 10, "scored": 0, "filtered": 0, "rejected": 0, "left_out": 10}


def test_a_run_without_a_filter_has_the_books_that_it_had(score_it: Score, tmp_path: Path) -> None:
    outcome = score_it(write_parquet(tmp_path / "p.parquet"))
    assert outcome.manifest["rows"] == {"in": 4, "scored": 4, "filtered": 0, "rejected": 0}
    assert "pruned_files" not in outcome.manifest
    assert "left_out" not in outcome.manifest["units"][0]
    assert "left out rows" not in outcome.said


def test_a_dry_run_tells_what_is_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_days(tmp_path / "in")
    words = ["--config", str(write_job(tmp_path, make_model(tmp_path)))]
    words += ["--set", f"source.paths=[{folder}]", "--set", "source.partitions=hive", "--dry_run"]
    assert score.main([*words, "--set", "source.where=dt == '2026-01-02' and id != 4"]) == 0
    said = capsys.readouterr().out
    assert "rows where   dt == '2026-01-02' and id != 4" in said
    assert "pruned       2 files that can have no such row, not opened" in said
    assert ", 1 of which source.where leaves out" in said
    # Whether a missing value is that of a row that is read, no footer tells.
    assert "not told by 1 of 1 shards" in said
    assert score.main([*words, "--set", "source.where=dt == '2026-01-02' and id == 0"]) == 0
    assert "estimate" not in capsys.readouterr().out
