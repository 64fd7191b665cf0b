"""Deleted rows of Iceberg tables, which pyiceberg does not write: as its own scan reads them, and what is refused by name."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.support.iceberg_tables import (
    delete_by_positions,
    delete_by_values,
    delete_by_vectors,
    list_data_files,
    open_catalog,
    place,
)
from tests.support.jobs import Outcome, small_table

pytest.importorskip("pyiceberg")
pytest.importorskip("sqlalchemy")
Score = Callable[..., Outcome]
ICEBERG = {"source.format": "iceberg"}


@pytest.fixture
def table(tmp_path: Path) -> Iterator[Any]:
    """Two data files, of five rows each."""
    with open_catalog(tmp_path) as catalog:
        rows = small_table(10)
        made = catalog.create_table("db.t", rows.schema)
        made.append(rows.slice(0, 5))
        made.append(rows.slice(5))
        yield made


def scan(metadata: Path) -> list[int]:
    """Return the keys that pyiceberg's own scan gives."""
    from pyiceberg.table import StaticTable

    rows = StaticTable.from_metadata(str(metadata)).scan().to_arrow()
    return sorted(rows["id"].to_pylist())


def ids(outcome: Outcome) -> list[int]:
    return outcome.rows()["id"].to_pylist()


@pytest.mark.parametrize("write", [delete_by_positions, delete_by_vectors])
def test_deleted_rows_are_those_of_pyiceberg(
    write: Callable[..., Path], table: Any, score_it: Score
) -> None:
    second, first = sorted(list_data_files(table), key=lambda path: first_id(path), reverse=True)
    metadata = write(table, {first: [0, 4], second: [1, 2, 3]})
    outcome = score_it(metadata, settings=ICEBERG)
    assert ids(outcome) == scan(metadata) == [1, 2, 3, 5, 9]
    assert outcome.manifest["rows"]["in"] == 5
    # Of the snapshot before nothing is deleted.
    assert ids(score_it(place(table), settings=ICEBERG)) == list(range(10))
    filtered = score_it(metadata, settings=ICEBERG | {"source.where": "id >= 5"})
    assert ids(filtered) == [5, 9]
    assert filtered.manifest["pruned_files"] == 1


def test_a_file_of_deletions_may_name_no_row_of_a_data_file_that_it_is_for(
    table: Any, score_it: Score
) -> None:
    """It is for all data files of a partition that are older, of which it names some alone."""
    (first,) = [path for path in list_data_files(table) if first_id(path) == 0]
    metadata = delete_by_positions(table, {first: [0, 4]})
    outcome = score_it(metadata, settings=ICEBERG)
    assert ids(outcome) == scan(metadata) == [1, 2, 3, *range(5, 10)]


def first_id(path: str) -> int:
    import pyarrow.parquet as pq

    return int(pq.read_table(path.removeprefix("file://"))["id"][0].as_py())


def test_deletions_by_value_are_refused_by_name(table: Any, score_it: Score) -> None:
    metadata = delete_by_values(table, pa.table({"id": [3]}))
    refused = score_it(metadata, settings=ICEBERG)
    refused.refused("deletes rows by their values (equality deletes)", "rewrite_data_files")


def test_deletions_that_are_spoilt_are_told(table: Any, score_it: Score) -> None:
    first, *_ = list_data_files(table)
    behind = delete_by_positions(table, {first: [5]})
    score_it(behind, settings=ICEBERG).refused("names a row that the file does not have")
    less = delete_by_positions(table, {first: [1]}, columns=1)
    score_it(less, settings=ICEBERG).refused("has no columns file_path and pos")
    for told in (
        {"offset": -1},
        {"length": 10**12},
        {"offset": 10**12},
        {"compression-codec": "zstd"},
        {"properties": 3},
        {"length": "x"},
    ):
        metadata = delete_by_vectors(table, {first: [1]}, told)
        score_it(metadata, settings=ICEBERG).refused("")
    metadata = delete_by_vectors(table, {first: [1]})
    (puffin,) = [path for path in tables_puffins(metadata) if str(path) in all_text(metadata)]
    content = puffin.read_bytes()
    for spoilt in (b"", content[:-1], content[:9] + b"x" + content[10:], b"PFA1" * 5):
        puffin.write_bytes(spoilt)
        score_it(metadata, settings=ICEBERG).refused(str(puffin))
    puffin.unlink()
    score_it(metadata, settings=ICEBERG).refused(str(puffin))


def tables_puffins(metadata: Path) -> list[Path]:
    return sorted(
        metadata.parents[1].glob("data/*.puffin"), key=lambda path: path.stat().st_mtime_ns
    )[-1:]


def all_text(metadata: Path) -> str:
    return "".join(str(path) for path in tables_puffins(metadata))
