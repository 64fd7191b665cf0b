"""Small shards that are put together, with what else jobs ask for: the rows and books are those of runs that put nothing together."""

from collections import Counter
from collections.abc import Callable
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines import verify
from pipelines.cli.command_line import run_program
from pipelines.planning import small_shards
from tests.support.builders import FEATURES, tiny_package
from tests.support.delta_tables import commit, write_vector
from tests.support.jobs import Outcome, run_job, small_table, write_job, write_parquet
from tests.support.without_beam import run_without_beam

SHARDS, ROWS = 80, 4
COLUMNS = [{"name": name, "type": "float", "missing": "reject"} for name in FEATURES]
TYPES = dict.fromkeys(FEATURES, "float") | {"id": "int64", "day": "string"}
Row = dict[str, Any]
Compare = Callable[..., Outcome]


@pytest.fixture(autouse=True)
def _without_beam(monkeypatch: pytest.MonkeyPatch) -> None:
    run_without_beam(monkeypatch)


def rows_of(shard: int, rows: int = ROWS) -> pa.Table:
    """The rows of a shard; of every tenth one row has no value."""
    b = [None if shard % 10 == 3 and row == 1 else shard + row / 7 for row in range(rows)]
    days = [f"d{(shard + row) % 3}" for row in range(rows)]
    columns = {"b": pa.array(b, type=pa.float32()), "day": pa.array(days, type=pa.string())}
    return small_table(rows, first=shard * ROWS, **columns)


def read_rows(outcome: Outcome) -> list[Row]:
    """Return the scored rows with the folders that they are in, in the order of their ids."""
    scored = outcome.run / "scored"
    rows = []
    for path in scored.rglob("*.parquet"):
        folder = str(path.parent.relative_to(scored))
        # Alone: a reader would take the names of folders for columns.
        for row in pq.ParquetFile(path).read().to_pylist():
            row["probability"] = pytest.approx(row["probability"], rel=1e-6)
            rows.append({**row, "folder": folder})
    return sorted(rows, key=lambda row: row["id"])


def count_by_shard(outcome: Outcome) -> dict[str, Counter[str]]:
    """Return what became of the rows of each shard, by the books of its units."""
    names = ("in", "scored", "filtered", "rejected", "left_out")
    urls = [entry["url"] for entry in outcome.manifest["inputs"]]
    found: dict[str, Counter[str]] = {url: Counter() for url in urls}
    for unit in outcome.manifest["units"]:
        alone = [urls.index(unit["shard"]), *(unit.get(name, 0) for name in names)]
        for number, *counts in unit.get("shards", [alone]):
            found[urls[number]].update(dict(zip(names, counts, strict=True)))
    return found


@pytest.fixture
def compare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Compare:
    """Run a job twice, and compare; returns what the run left that puts shards together."""

    def run(settings: dict[str, Any], **source: Any) -> Outcome:
        package = tiny_package(tmp_path / "model", columns=COLUMNS)
        source = {"passthrough": ["day"], **source}
        errors = {"max_rejected_rows": 50, "store_values": True}
        job = write_job(tmp_path, package, source=source, errors=errors)
        together = run_job(job, settings=settings, output=tmp_path / "together")
        assert together.status == 0, together.error
        monkeypatch.setattr(small_shards, "_FEW_SHARDS", SHARDS + 1)
        apart = run_job(job, settings=settings, output=tmp_path / "apart")
        assert apart.status == 0, apart.error
        assert len(together.manifest["units"]) < len(apart.manifest["units"])
        assert read_rows(together) == read_rows(apart)
        assert together.rejected() == apart.rejected()
        assert count_by_shard(together) == count_by_shard(apart)
        assert together.manifest["rows"] == apart.manifest["rows"]
        assert run_program(verify.main, [str(together.output)]) == 0
        return together

    return run


@pytest.mark.slow
def test_scores_in_folders_of_rows_that_a_filter_leaves(compare: Compare, tmp_path: Path) -> None:
    for shard in range(SHARDS):
        # Some have no row at all.
        rows = rows_of(shard, ROWS if shard % 20 else 0)
        write_parquet(tmp_path / f"shards/{shard:05d}.parquet", rows)
    settings = {
        "sink.partition_by": ["day"],
        "sink.source_columns": True,
        "source.where": "id >= 20 and b != 30.0",
        "postprocess.sort_by": "probability",
    }
    outcome = compare(settings)
    assert {row["folder"] for row in read_rows(outcome)} == {"day=d0", "day=d1", "day=d2"}
    for row in read_rows(outcome):
        shard, number = divmod(row["id"], ROWS)
        assert row["source_file"].endswith(f"/{shard:05d}.parquet")
        assert row["source_row"] == number


@pytest.mark.slow
def test_lines_that_are_no_json_and_files_without_a_byte(compare: Compare, tmp_path: Path) -> None:
    (tmp_path / "shards").mkdir()
    for shard in range(SHARDS):
        lines = [json.dumps(row) for row in rows_of(shard).to_pylist()]
        if shard % 30 == 4:
            lines[2] = "{bad"
        text = "" if shard % 40 == 7 else "\n".join([*lines, ""])
        (tmp_path / f"shards/{shard:05d}.jsonl").write_text(text)
    outcome = compare({"sink.source_columns": True}, format="jsonl", types=TYPES)
    bad = [(Path(row["source"]).stem, row["row"]) for row in outcome.rejected()]
    assert {("00004", 2), ("00034", 2), ("00064", 2), ("00003", 1)} <= set(bad)


@pytest.mark.slow
def test_files_of_a_delta_table_with_deleted_rows(compare: Compare, tmp_path: Path) -> None:
    """Each file has its own value of the partition, and deleted rows of its own: of one all are."""
    deltalake = pytest.importorskip("deltalake")
    table = tmp_path / "table"
    first = rows_of(0).append_column("p", pa.array(["p0"] * ROWS))
    vectors = {"delta.enableDeletionVectors": "true"}
    deltalake.write_deltalake(str(table), first, partition_by=["p"], configuration=vectors)
    deleted = {shard: [0, 2] for shard in range(10, SHARDS, 10)} | {21: list(range(ROWS))}
    adds = []
    for shard in range(1, SHARDS):
        value = f"p{shard % 5}"
        path = write_parquet(table / f"p={value}/f{shard:05d}.parquet", rows_of(shard))
        add = {
            "path": f"p={value}/{path.name}",
            "partitionValues": {"p": value},
            "size": path.stat().st_size,
            "modificationTime": 1,
            "dataChange": True,
            "stats": json.dumps({"numRecords": ROWS}),
        }
        if shard in deleted:
            add["deletionVector"] = write_vector(table, deleted[shard], inline=True)
        adds.append({"add": add})
    commit(table, *adds)
    outcome = compare(
        {"sink.partition_by": ["p"]}, format="delta", paths=str(table), passthrough=["p", "day"]
    )
    rejected = {row["key"] for row in outcome.rejected()}
    gone = {shard * ROWS + row for shard, rows in deleted.items() for row in rows}
    ids = [row["id"] for row in read_rows(outcome)]
    assert ids == [id_ for id_ in range(SHARDS * ROWS) if id_ not in gone | rejected]
    for row in read_rows(outcome):
        assert row["folder"] == f"p=p{row['id'] // ROWS % 5}"
