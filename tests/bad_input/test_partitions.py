"""Folders called `column=value`, end to end: as key, carried and model columns, against DuckDB's reading of the same folders."""

from collections.abc import Callable
import datetime as dt
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from tests.support.builders import tiny_package
from tests.support.jobs import Outcome, run_job, small_table, write_job, write_parquet

Score = Callable[..., Outcome]
TYPES = {"dt": "date32", "region": "string"}
FOLDERS = ("dt=2026-01-01/region=north", "dt=2026-01-02/region=s%2Fe", "dt=2026-01-02/region=north")


def write_folders(folder: Path, format: str = "parquet") -> Path:
    for number, place in enumerate(FOLDERS):
        rows = small_table(4, first=4 * number)
        path = folder / place / f"p.{format}"
        path.parent.mkdir(parents=True)
        if format == "csv":
            pacsv.write_csv(rows, path)
        else:
            pq.write_table(rows, path)
    return folder


def make_model(folder: Path) -> Path:
    columns = [{"name": name, "type": "float", "missing": "reject"} for name in "abc"]
    return tiny_package(folder / "model", columns=columns)


def read_with_duckdb(folder: Path, format: str = "parquet") -> list[Any]:
    reader = {"parquet": "read_parquet", "csv": "read_csv"}[format]
    types = "hive_partitioning = true, hive_types = {dt: DATE, region: VARCHAR}"
    query = f"SELECT id, dt, region FROM {reader}('{folder}/**/*.{format}', {types}) ORDER BY id"
    return duckdb.sql(query).fetchall()


@pytest.mark.parametrize("format", ["parquet", "csv"])
@pytest.mark.parametrize("pattern", ["", "/**/*", "/*/*/*", "/dt=*"])
def test_values_of_folders_are_carried(
    pattern: str, format: str, score_it: Score, tmp_path: Path
) -> None:
    folder = write_folders(tmp_path / "in", format)
    settings = {
        "source.format": format,
        "source.passthrough": ["dt", "region"],
        "source.types": TYPES | {"id": "int64"},
    }
    outcome = score_it(f"{folder}{pattern}", settings=settings)
    rows = outcome.rows()
    assert rows.schema.names == ["id", "dt", "region", "probability"]
    assert rows.schema.types == [pa.int64(), pa.date32(), pa.string(), pa.float32()]
    columns = [rows[name].to_pylist() for name in ("id", "dt", "region")]
    expected = read_with_duckdb(folder, format)
    assert list(zip(*columns, strict=True)) == expected
    assert len(expected) == 12


@pytest.mark.beam
def test_a_folder_names_the_key_and_the_rejected_rows(score_it: Score, tmp_path: Path) -> None:
    """A date as the key, in scored and in rejected rows; the night's own folder named in full."""
    write_parquet(tmp_path / "in/dt=2026-01-01/p.parquet", small_table(4))
    bad = small_table(4, a=pa.array([1.0, 1e300, 1.0, float("nan")]))
    write_parquet(tmp_path / "in/dt=2026-01-02/p.parquet", bad)
    settings = {
        "source.key": "dt",
        "source.types": {"dt": "date32"},
        "errors.store_values": True,
    }
    config = write_job(tmp_path, make_model(tmp_path))
    outcome = score_it(tmp_path / "in", settings=settings, config=config)
    days = [str(day) for day in outcome.scored()["dt"].to_pylist()]
    assert sorted(days) == ["2026-01-01"] * 4 + ["2026-01-02"] * 2
    rejected = outcome.rejected()
    assert [(r["stage"], r["row"], str(r["key"])) for r in rejected] == [
        ("read", 1, "2026-01-02"),
        ("preprocess", 3, "2026-01-02"),
    ]
    assert [str(record["values"]["dt"]) for record in rejected] == ["2026-01-02"] * 2
    one_day = tmp_path / "in/dt=2026-01-01/*.parquet"
    night = score_it(one_day, settings=settings, config=config)
    assert [str(day) for day in night.scored()["dt"].to_pylist()] == ["2026-01-01"] * 4


def test_the_model_takes_a_column_of_folders_as_one_of_the_file(tmp_path: Path) -> None:
    """Scores are those of the same rows with the column inside."""
    job = write_job(tmp_path, make_model(tmp_path))
    for number in range(3):
        rows = small_table(4, first=4 * number)
        value = pa.array(np.full(4, number + 0.5, dtype=np.float32))
        write_parquet(tmp_path / f"in/a={number}.5/p.parquet", rows.drop_columns("a"))
        inside = rows.set_column(rows.schema.get_field_index("a"), "a", value)
        write_parquet(tmp_path / f"inside/{number}.parquet", inside)
    scored = []
    for name in ("in", "inside"):
        settings = {"source.paths": [str(tmp_path / name)]}
        scored.append(run_job(job, output=tmp_path / f"out-{name}", settings=settings).rows())
    assert scored[0].equals(scored[1])
    assert scored[0].num_rows == 12


def test_types_are_asked_for(score_it: Score, tmp_path: Path) -> None:
    folder = write_folders(tmp_path / "in")
    carried = {"source.passthrough": ["dt"]}
    score_it(folder, settings=carried).refused("source.types.dt=string", status=2)
    wrong = carried | {"source.types": {"dt": "int64"}}
    score_it(folder, settings=wrong).refused("dt=2026-01-01", "not of type int64")


@pytest.mark.parametrize("format", ["parquet", "csv"])
def test_declared_folders_need_no_types(format: str, score_it: Score, tmp_path: Path) -> None:
    """The same rows as with the types that somebody declared, a folder and a list of folders alike."""
    folder = write_folders(tmp_path / "in", format)
    settings = {
        "source.format": format,
        "source.passthrough": ["dt", "region"],
        "source.types": {"id": "int64"},
        "source.partitions": "hive",
    }
    outcome = score_it(folder, settings=settings)
    rows = outcome.rows()
    assert rows.schema.types == [pa.int64(), pa.date32(), pa.string(), pa.float32()]
    columns = [rows[name].to_pylist() for name in ("id", "dt", "region")]
    assert list(zip(*columns, strict=True)) == read_with_duckdb(folder, format)
    listed = score_it(folder / "dt=2026-01-01", folder / "dt=2026-01-02", settings=settings)
    assert listed.rows().equals(rows)


def write_twice(folder: Path, inside: list[Any]) -> Path:
    """Write four rows with a column `k`, in a folder that says it is 7."""
    return write_parquet(folder / "k=7/p.parquet", small_table(4, k=pa.array(inside)))


@pytest.mark.parametrize("carried", [["k"], []])
def test_a_column_in_folder_and_file_must_be_the_same(
    carried: list[str], score_it: Score, tmp_path: Path
) -> None:
    settings = {"source.passthrough": carried, "source.partitions": "hive"}
    write_twice(tmp_path / "same", [7] * 4)
    same = score_it(tmp_path / "same", settings=settings).rows()
    assert same.column_names == ["id", *carried, "probability"]
    write_twice(tmp_path / "other", [7, 7, 8, 7])
    other = score_it(tmp_path / "other", settings=settings)
    if carried:
        other.refused("k=7/p.parquet", "'k'", "row 2", "source.partitions")
    else:
        # What nobody reads cannot be wrong.
        assert other.status == 0


def test_a_missing_value_in_the_file_is_another_value(score_it: Score, tmp_path: Path) -> None:
    settings = {"source.passthrough": ["k"], "source.partitions": "hive"}
    write_twice(tmp_path / "in", [7, None, 7, 7])
    score_it(tmp_path / "in", settings=settings).refused("'k'", "row 1")
    as_text = write_twice(tmp_path / "text", ["7"] * 4)
    assert score_it(as_text, settings=settings).rows()["k"].to_pylist() == ["7"] * 4
    no_number = write_twice(tmp_path / "none", [dt.date(2026, 1, 1)] * 4)
    score_it(no_number, settings=settings).refused("k=7/p.parquet", "not of type date32")


def test_folders_that_do_not_agree_are_refused_by_name(score_it: Score, tmp_path: Path) -> None:
    settings = {"source.passthrough": ["dt"], "source.partitions": "hive"}
    write_parquet(tmp_path / "in/dt=2026-01-01/p.parquet", small_table(4))
    write_parquet(tmp_path / "in/dt=2026-01-02/late=1/p.parquet", small_table(4))
    score_it(tmp_path / "in", settings=settings).refused("late=1/p.parquet", "name dt, late")
    plain = write_parquet(tmp_path / "plain/p.parquet", small_table(4))
    score_it(plain, settings=settings).refused("source.partitions is hive", status=2)
