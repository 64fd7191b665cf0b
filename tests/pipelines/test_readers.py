"""A published folder as it stands, read by other programs: the scored rows, and nothing else."""

from collections.abc import Callable, Iterator
import os
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.parquet as pq
import pytest

from tests.support.builders import FEATURES, tiny_package
from tests.support.jobs import Outcome, run_job, small_table, write_job, write_parquet
from tests.support.without_beam import run_without_beam

# What a reader makes of a folder: its keys.
Read = Callable[[str], list[int]]
ALLOW = ("--set", "errors.max_rejected_rows=9")


def duckdb_keys(function: str, pattern: str) -> Read:
    def read(folder: str) -> list[int]:
        query = f"SELECT id FROM {function}('{folder}{pattern}')"
        return [key for (key,) in duckdb.execute(query).fetchall()]

    return read


def polars_keys(function: str, slash: str) -> Read:
    def read(folder: str) -> list[int]:
        polars = pytest.importorskip("polars")
        rows = getattr(polars, function)(f"{folder}{slash}").lazy().collect()
        return rows["id"].to_list()

    return read


def pyarrow_keys(format: str) -> Read:
    return lambda folder: pads.dataset(folder, format=format).to_table()["id"].to_pylist()


PATTERNS = {"duckdb *": "/*.{}", "duckdb **": "/**", "duckdb **/*": "/**/*.{}", "duckdb": ""}
PARQUET: dict[str, Read] = {
    "pandas": lambda folder: pd.read_parquet(folder)["id"].tolist(),
    "pyarrow": pyarrow_keys("parquet"),
    "pyarrow.parquet": lambda folder: pq.read_table(folder)["id"].to_pylist(),
    "polars": polars_keys("read_parquet", ""),
    "polars /": polars_keys("read_parquet", "/"),
    "polars lazy": polars_keys("scan_parquet", ""),
    "polars lazy /": polars_keys("scan_parquet", "/"),
    **{
        name: duckdb_keys("read_parquet", pattern.format("parquet"))
        for name, pattern in PATTERNS.items()
    },
}
CSV: dict[str, Read] = {
    "pyarrow": pyarrow_keys("csv"),
    "polars": polars_keys("read_csv", ""),
    "polars lazy": polars_keys("scan_csv", ""),
    "polars lazy /": polars_keys("scan_csv", "/"),
    **{name: duckdb_keys("read_csv", pattern.format("csv")) for name, pattern in PATTERNS.items()},
}


def publish(folder: Path, kind: str, value: float | None) -> Outcome:
    """Publish two shards of four rows, of which the fourth is rejected; without a value all of them are."""
    columns = [{"name": name, "type": "float", "missing": "reject"} for name in FEATURES]
    job = write_job(folder, tiny_package(folder / "model", columns=columns), sink={"format": kind})
    values = pa.array([value, value, value, None], pa.float32())
    write_parquet(folder / "shards/0.parquet", small_table(b=values))
    write_parquet(folder / "shards/1.parquet", small_table(first=4, b=values))
    outcome = run_job(job, *ALLOW)
    assert outcome.status == 0, outcome.error
    return outcome


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str, bool], Outcome]]:
    """Outputs by format and by whether any row was scored; of each, some rows were rejected."""
    outcomes = dict[tuple[str, bool], Outcome]()

    def find(kind: str, with_rows: bool) -> Outcome:
        if (kind, with_rows) not in outcomes:
            folder = tmp_path_factory.mktemp(kind)
            outcomes[kind, with_rows] = publish(folder, kind, 1.0 if with_rows else None)
        return outcomes[kind, with_rows]

    with pytest.MonkeyPatch.context() as patched:
        run_without_beam(patched)
        yield find


@pytest.mark.parametrize("with_rows", [True, False], ids=["rows", "no row"])
@pytest.mark.parametrize(
    ("kind", "name"),
    [*(("parquet", name) for name in PARQUET), *(("csv", name) for name in CSV)],
)
def test_a_reader_of_the_folder_finds_the_scored_rows_and_nothing_else(
    kind: str, name: str, with_rows: bool, published: Callable[[str, bool], Outcome]
) -> None:
    outcome = published(kind, with_rows)
    read = {"parquet": PARQUET, "csv": CSV}[kind][name]
    expected = [0, 1, 2, 4, 5, 6] if with_rows else []
    for folder in (outcome.output / "current", outcome.run / "scored"):
        assert sorted(read(str(folder))) == expected


def test_without_a_scored_row_the_columns_are_there(
    published: Callable[[str, bool], Outcome],
) -> None:
    full, empty = published("parquet", True), published("parquet", False)
    assert pads.dataset(empty.run / "scored").schema == pads.dataset(full.run / "scored").schema
    assert pd.read_parquet(empty.output / "current").columns.tolist()[0] == "id"


@pytest.mark.program
def test_spark_finds_the_scored_rows_and_nothing_else(
    published: Callable[[str, bool], Outcome],
) -> None:
    sql = pytest.importorskip("pyspark.sql")
    outcome = published("parquet", True)
    session = sql.SparkSession.builder.master("local[1]").getOrCreate()
    try:
        rows = session.read.parquet(str(outcome.output / "current")).collect()
    finally:
        session.stop()
    assert sorted(row["id"] for row in rows) == [0, 1, 2, 4, 5, 6]


def test_rejected_rows_can_be_read_as_a_folder_too(
    published: Callable[[str, bool], Outcome],
) -> None:
    folder = str(published("parquet", True).run / "_rejected")
    assert sorted(pd.read_parquet(folder)["row"]) == [3, 3]
    assert os.listdir(folder) == [name for name in os.listdir(folder) if name.startswith("part-")]
