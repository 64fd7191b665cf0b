"""Iceberg tables, end to end: rows of a snapshot against pyiceberg's own reader, and what is refused by name."""

from collections.abc import Callable
import datetime as dt
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.support.jobs import Outcome, small_table, write_parquet

pytest.importorskip("pyiceberg")
pytest.importorskip("sqlalchemy")
Score = Callable[..., Outcome]
ICEBERG = {"source.format": "iceberg"}


@pytest.fixture
def catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    from pyiceberg.catalog.sql import SqlCatalog
    from pyiceberg.utils.config import Config

    uri = f"sqlite:///{tmp_path}/catalog.db"
    monkeypatch.setenv("PYICEBERG_CATALOG__MINE__URI", uri)
    monkeypatch.setenv("PYICEBERG_CATALOG__MINE__TYPE", "sql")
    # The library reads its settings when it is imported.
    monkeypatch.setattr("pyiceberg.catalog._ENV_CONFIG", Config())
    made = SqlCatalog("mine", uri=uri, warehouse=str(tmp_path / "warehouse"))
    made.create_namespace("db")
    yield made
    made.close()


def create(catalog: Any, rows: pa.Table, name: str = "db.t", **options: Any) -> Any:
    table = catalog.create_table(name, rows.schema, **options)
    table.append(rows)
    return table


def place(table: Any) -> str:
    return str(table.metadata_location).removeprefix("file://")


def expected(table: Any, **scan: Any) -> list[int]:
    return sorted(table.scan(**scan).to_arrow()["id"].to_pylist())


def ids(outcome: Outcome) -> list[int]:
    return outcome.rows()["id"].to_pylist()


def test_a_snapshot_is_scored_and_told(catalog: Any, score_it: Score, tmp_path: Path) -> None:
    table = create(catalog, small_table(6))
    first = table.current_snapshot().snapshot_id
    table.append(small_table(4, first=6))
    table.manage_snapshots().create_tag(table.current_snapshot().snapshot_id, "night").commit()
    table.delete("id < 2")
    outcome = score_it(place(table), settings=ICEBERG)
    assert ids(outcome) == expected(table) == list(range(2, 10))
    told = outcome.manifest["table"]
    assert told["version"] == table.current_snapshot().snapshot_id
    assert told["format"] == "iceberg"
    older = score_it(place(table), settings=ICEBERG | {"source.snapshot": first})
    assert ids(older) == expected(table, snapshot_id=first) == list(range(6))
    tagged = score_it(place(table), settings=ICEBERG | {"source.ref": "night"})
    assert ids(tagged) == list(range(10))
    moment = dt.datetime.fromtimestamp(table.history()[1].timestamp_ms / 1000, dt.UTC)
    then = score_it(place(table), settings=ICEBERG | {"source.timestamp": moment.isoformat()})
    assert ids(then) == list(range(10))
    by_name = score_it("db.t", settings=ICEBERG | {"source.catalog": "mine"})
    assert by_name.rows().equals(outcome.rows())


def test_columns_keep_their_values_when_the_schema_changes(catalog: Any, score_it: Score) -> None:
    """Renamed, added, widened and swapped columns are found by their numbers."""
    rows = small_table(3, n=pa.array([1, 2, 3], type=pa.int32()), s=pa.array(["x", "y", "z"]))
    table = create(catalog, rows)
    with table.update_schema() as change:
        from pyiceberg.types import DoubleType, LongType

        change.rename_column("s", "text")
        change.update_column("n", LongType())
        change.add_column("more", DoubleType())
    with table.update_schema() as change:
        change.rename_column("a", "was_a")
    with table.update_schema() as change:
        change.rename_column("b", "a")
        change.rename_column("was_a", "b")
    settings = ICEBERG | {"source.passthrough": ["text", "n", "more", "a", "b"]}
    found = score_it(place(table), settings=settings).rows()
    own = table.scan().to_arrow().sort_by("id")
    for name in ("text", "n", "more", "a", "b"):
        assert found[name].to_pylist() == own[name].to_pylist()
    assert found["n"].type == pa.int64()
    assert found["a"].to_pylist() == rows["b"].to_pylist()


def test_partitions_are_read(catalog: Any, score_it: Score) -> None:
    from pyiceberg.transforms import IdentityTransform

    days = [dt.date(2026, 1, 1), None, dt.date(2026, 1, 2), dt.date(2026, 1, 1)]
    rows = small_table(4, day=pa.array(days))
    table = catalog.create_table("db.t", rows.schema)
    with table.update_spec() as change:
        change.add_field("day", IdentityTransform(), "day")
    table.append(rows)
    found = score_it(place(table), settings=ICEBERG | {"source.passthrough": ["day"]}).rows()
    assert found["day"].to_pylist() == days


def test_files_that_were_added_as_they_were_are_read_by_name(
    catalog: Any, score_it: Score, tmp_path: Path
) -> None:
    rows = small_table(3)
    table = catalog.create_table("db.t", rows.schema)
    file = write_parquet(tmp_path / "elsewhere/p.parquet", rows)
    table.add_files([str(file)])
    refused = score_it(place(table), settings=ICEBERG)
    refused.refused("outside of the table", "source.outside")
    settings = ICEBERG | {"source.outside": [str(file.parent)]}
    assert ids(score_it(place(table), settings=settings)) == [0, 1, 2]


def test_what_a_table_names_is_not_imported(
    catalog: Any, score_it: Score, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "stranger.py").write_text(f"import os; os.mkdir({str(tmp_path / 'ran')!r})")
    monkeypatch.syspath_prepend(tmp_path)
    table = create(catalog, small_table(2))
    metadata = json.loads(Path(place(table)).read_text())
    metadata["properties"]["py-io-impl"] = "stranger.Io"
    Path(place(table)).write_text(json.dumps(metadata))
    assert ids(score_it(place(table), settings=ICEBERG)) == [0, 1]
    assert ids(score_it("db.t", settings=ICEBERG | {"source.catalog": "mine"})) == [0, 1]
    assert not (tmp_path / "ran").exists()


def test_what_is_no_table_or_not_there_is_told_in_one_line(
    catalog: Any, score_it: Score, tmp_path: Path
) -> None:
    table = create(catalog, small_table(2))
    root = place(table).rpartition("/metadata/")[0]
    score_it(root, settings=ICEBERG).refused("which of its metadata files is the newest")
    score_it(f"{root}/data/*.parquet").refused("is an Iceberg table", "source.format=iceberg")
    no_snapshot = score_it(place(table), settings=ICEBERG | {"source.snapshot": 5})
    no_snapshot.refused("source.snapshot 5", "no such snapshot", status=2)
    no_catalog = score_it("db.t", settings=ICEBERG | {"source.catalog": "other"})
    no_catalog.refused("source.catalog other: does not give the table db.t", status=2)
    no_table = score_it("db.x", settings=ICEBERG | {"source.catalog": "mine"})
    no_table.refused("does not give the table db.x", status=2)
    broken = tmp_path / "b/metadata/1.metadata.json"
    broken.parent.mkdir(parents=True)
    for text in ("{", "[" * 100_000, "{}", "[]"):
        broken.write_text(text)
        score_it(broken, settings=ICEBERG).refused(f"{broken}: is not readable as an Iceberg table")
    score_it(broken.parent / "2.metadata.json", settings=ICEBERG).refused("does not exist")
    for file in Path(root).glob("data/*.parquet"):
        file.unlink()
    score_it(place(table), settings=ICEBERG).refused("is gone, though version")
