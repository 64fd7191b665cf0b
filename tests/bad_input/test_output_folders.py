"""Scores in folders called `column=value`: what readers of such folders make of them, and what is refused."""

from collections.abc import Callable
import datetime as dt
import os
from pathlib import Path
import shutil
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from pipelines import verify
from pipelines.cli.command_line import run_program
from tests.support.jobs import Outcome, small_table, write_parquet
from tests.support.runs import published

Score = Callable[..., Outcome]
DAY = dt.date(2026, 1, 1)
REGIONS = ["north", "s/e", None, "größe 100%", "a=b", "north"]


def write_rows(folder: Path, shards: int = 2) -> Path:
    for shard in range(shards):
        numbers = range(12 * shard, 12 * shard + 12)
        rows = small_table(
            12,
            first=12 * shard,
            dt=pa.array([DAY + dt.timedelta(n % 2) for n in numbers], pa.date32()),
            region=pa.array([REGIONS[n % 6] for n in numbers]),
            store=pa.array([n % 3 for n in numbers], pa.int16()),
        )
        write_parquet(folder / f"{shard}.parquet", rows)
    return folder


def settings_for(*names: str, **more: Any) -> dict[str, Any]:
    return {
        "source.passthrough": ["dt", "region", "store"],
        "sink.partition_by": list(names),
        **more,
    }


def expected(folder: Path) -> list[tuple[Any, ...]]:
    query = f"SELECT id, dt, region, store FROM '{folder}/*.parquet' ORDER BY id"
    return duckdb.sql(query).fetchall()


def test_readers_find_all_columns(score_it: Score, tmp_path: Path) -> None:
    folder = write_rows(tmp_path / "in")
    outcome = score_it(folder, settings=settings_for("dt", "region"))
    assert outcome.status == 0, outcome.error
    current = outcome.output / "current"
    types = "hive_partitioning = true, hive_types = {dt: DATE, region: VARCHAR}"
    names = "id, dt, region, store"
    query = f"SELECT {names} FROM read_parquet('{current}/**/*.parquet', {types}) ORDER BY id"
    rows = expected(folder)
    assert duckdb.sql(query).fetchall() == rows

    schema = pa.schema([("dt", pa.date32()), ("region", pa.string())])
    hive = ds.partitioning(schema, flavor="hive")
    table = ds.dataset(current, partitioning=hive).to_table().sort_by("id")
    assert list(zip(*(table[name].to_pylist() for name in names.split(", ")), strict=True)) == rows

    (file, *_) = current.rglob("*.parquet")
    assert ds.dataset(file).schema.names == ["id", "store", "probability"]
    assert outcome.manifest["partition_by"] == [
        {"name": "dt", "type": "date32[day]"},
        {"name": "region", "type": "string"},
    ]
    assert run_program(verify.main, [str(outcome.output), "--inputs"]) == 0


def test_pandas_finds_all_columns(score_it: Score, tmp_path: Path) -> None:
    """Without nulls: of them in folders' names pandas itself makes no frame."""
    folder = write_rows(tmp_path / "in")
    outcome = score_it(folder, settings=settings_for("dt", "store"))
    frame = pd.read_parquet(outcome.output / "current").sort_values("id")
    rows = expected(folder)
    assert frame["id"].tolist() == [row[0] for row in rows]
    assert frame["dt"].astype(str).tolist() == [str(row[1]) for row in rows]
    assert frame["store"].astype(int).tolist() == [row[3] for row in rows]


def test_polars_finds_all_columns(score_it: Score, tmp_path: Path) -> None:
    polars = pytest.importorskip("polars")
    folder = write_rows(tmp_path / "in")
    outcome = score_it(folder, settings=settings_for("dt", "region"))
    hive = {"dt": polars.Date, "region": polars.String}
    frame = polars.read_parquet(
        f"{outcome.output}/current/**/*.parquet", hive_partitioning=True, hive_schema=hive
    )
    rows = frame.select("id", "dt", "region", "store").sort("id").rows()
    assert rows == expected(folder)


def test_what_was_written_is_input_again(score_it: Score, tmp_path: Path) -> None:
    folder = write_rows(tmp_path / "in")
    carried = settings_for("region", "dt")
    carried["source.passthrough"] += list("abc")
    first = score_it(folder, settings=carried)
    again = {"source.passthrough": ["dt", "region", "store"], "source.partitions": "hive"}
    second = score_it(first.output / "current", settings=again)
    rows = second.rows().sort_by("id")
    found = [rows[name].to_pylist() for name in ("id", "dt", "region", "store")]
    assert list(zip(*found, strict=True)) == expected(folder)


@pytest.mark.parametrize("format", ["parquet", "csv"])
def test_files_are_those_of_each_folder_s_rows_in_their_order(
    format: str, score_it: Score, tmp_path: Path
) -> None:
    """The same rows as without folders, sorted within each file, and no file has too many."""
    folder = write_rows(tmp_path / "in", shards=1)
    more = {"sink.format": format, "sink.rows_per_file": 3, "postprocess.sort_by": "id desc"}
    outcome = score_it(folder, settings=settings_for("store", **more))
    assert outcome.status == 0, outcome.error
    files = sorted((outcome.output / "current").rglob("part-*"))
    tables = [ds.dataset(file, format=format).to_table() for file in files]
    assert {file.parent.name for file in files} == {"store=0", "store=1", "store=2"}
    assert [len(table) for table in tables] == [3, 1] * 3
    found = []
    for file, table in zip(files, tables, strict=True):
        ids = table["id"].to_pylist()
        assert ids == sorted(ids, reverse=True)
        assert {number % 3 for number in ids} == {int(file.parent.name[-1])}
        found += ids
    assert sorted(found) == list(range(12))


@pytest.mark.slow
@pytest.mark.beam
@pytest.mark.parametrize("name", ["dt", "region"])
def test_a_run_gives_the_same_bytes_again(name: str, score_it: Score, tmp_path: Path) -> None:
    folder = write_rows(tmp_path / "in", shards=3)
    first = score_it(folder, settings=settings_for(name))
    second = score_it(folder, settings=settings_for(name, **{"source.rows_per_batch": 5}))
    plain = {path.partition("-")[0] for path in published(first.output)}
    assert plain == {path.partition("-")[0] for path in published(second.output)}
    assert sorted(published(first.output).values()) == sorted(published(second.output).values())


def test_a_value_that_names_no_folder_costs_its_row(score_it: Score, tmp_path: Path) -> None:
    bad = ["", "__HIVE_DEFAULT_PARTITION__", "x" * 250, "ü" * 125]
    good = ["x" * 200, ".", "..", "\x00", "\n", "a/../../b"]
    rows = small_table(10, region=pa.array([*bad, *good]))
    settings = {"source.passthrough": ["region"], "sink.partition_by": ["region"]}
    outcome = score_it(write_parquet(tmp_path / "p.parquet", rows), settings=settings)
    assert outcome.status == 0, outcome.error
    rejected = outcome.rejected()
    assert [(row["stage"], row["row"]) for row in rejected] == [
        ("postprocess", number) for number in range(4)
    ]
    assert all("'region'" in row["message"] for row in rejected)
    hive = ds.partitioning(pa.schema([("region", pa.string())]), flavor="hive")
    table = ds.dataset(outcome.run / "scored", partitioning=hive).to_table().sort_by("id")
    assert table["region"].to_pylist() == good
    assert run_program(verify.main, [str(outcome.output)]) == 0


def test_no_row_is_left_for_any_folder(score_it: Score, tmp_path: Path) -> None:
    folder = write_rows(tmp_path / "in")
    more = {"postprocess.where": "id >= 12"}
    outcome = score_it(folder, settings=settings_for("dt", **more))
    # Of the first unit nothing is left, and no file beside folders that readers would refuse.
    assert {file["path"].split("/")[1] for file in outcome.manifest["files"]} == {
        "dt=2026-01-01",
        "dt=2026-01-02",
    }
    nothing = score_it(folder, settings=settings_for("dt", **{"postprocess.where": "id > 99"}))
    assert nothing.status == 0, nothing.error
    assert nothing.manifest["files"] == []
    assert run_program(verify.main, [str(nothing.output)]) == 0


def test_a_stray_in_a_folder_is_found(
    score_it: Score, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = score_it(write_rows(tmp_path / "in"), settings=settings_for("dt"))
    folder = outcome.run / "scored/dt=2026-01-01"
    (file, *_) = folder.iterdir()
    stray = folder / "part-99999-0123456789ab.parquet"
    shutil.copy(file, stray)
    assert run_program(verify.main, [str(outcome.output)]) == 3
    assert "scored/dt=2026-01-01/part-99999" in capsys.readouterr().err
    stray.unlink()
    file.rename(outcome.run / "scored/dt=2026-01-02" / file.name)
    assert run_program(verify.main, [str(outcome.output)]) == 3
    assert "is missing" in capsys.readouterr().err


def test_a_folder_that_leads_elsewhere_is_refused(score_it: Score, tmp_path: Path) -> None:
    folder = write_rows(tmp_path / "in")
    outcome = score_it(folder, settings=settings_for("dt"))
    manifest = outcome.run / "_manifest.json"
    text = manifest.read_text()
    manifest.write_text(text.replace("scored/dt=2026-01-01/", "scored/dt=2026-01-01/../../x=1/"))
    assert run_program(verify.main, [str(outcome.output)]) == 3
    manifest.write_text(text)
    elsewhere = tmp_path / "elsewhere"
    (outcome.run / "scored/dt=2026-01-01").rename(elsewhere)
    os.symlink(elsewhere, outcome.run / "scored/dt=2026-01-01")
    assert run_program(verify.main, [str(outcome.output)]) == 3


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"sink.partition_by": ["dt"], "source.passthrough": []}, "'dt', which is not carried"),
        ({"sink.partition_by": ["id"]}, "'id' is the key"),
        ({"sink.partition_by": ["dt", "dt"]}, "names 'dt' twice"),
        ({"sink.partition_by": ["a"], "source.passthrough": ["a"]}, "'a' is float"),
        ({"sink.partition_by": ["probability"]}, "'probability', which is not carried"),
    ],
)
def test_columns_that_name_no_folders_are_refused(
    settings: dict[str, Any], words: str, score_it: Score, tmp_path: Path
) -> None:
    folder = write_rows(tmp_path / "in")
    carried = {"source.passthrough": ["dt"]}
    score_it(folder, settings=carried | settings).refused("sink.partition_by", words, status=2)


def test_a_column_of_too_many_values_is_refused(
    score_it: Score, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transforms.output.partitioned_rows._MOST_FOLDERS", 3)
    folder = write_rows(tmp_path / "in")
    score_it(folder, settings=settings_for("region")).refused("more than 3 folders", status=2)
    assert score_it(folder, settings=settings_for("store")).status == 0
