"""A filter of a table's rows, end to end: files that the log leaves out are not opened, and the books say how many."""

from collections.abc import Callable
import datetime as dt
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.support.delta_tables import actions_of, commit, delete_rows, read_with_deltalake
from tests.support.jobs import Outcome, small_table

deltalake = pytest.importorskip("deltalake")
Score = Callable[..., Outcome]
DELTA = {"source.format": "delta"}


def write_parts(table: Path, **options: Any) -> list[Path]:
    """Write three files of four rows each, and return them."""
    for number in range(3):
        day = pa.array([dt.date(2026, 1, number + 1)] * 4)
        rows = small_table(4, first=4 * number, day=day)
        deltalake.write_deltalake(str(table), rows, mode="append", **options)
    return [table / added["path"] for added in actions_of(table, "add")]


def ids(outcome: Outcome) -> list[int]:
    return outcome.rows()["id"].to_pylist()


@pytest.mark.parametrize("options", [{}, {"partition_by": ["day"]}])
@pytest.mark.parametrize("where", ["day == '2026-01-02' and id != 4", "id in [5, 6, 7]"])
def test_files_without_such_rows_are_not_opened(
    where: str, options: dict[str, Any], score_it: Score, tmp_path: Path
) -> None:
    first, second, third = write_parts(tmp_path / "t", **options)
    first.write_bytes(b"no parquet")
    third.unlink()
    outcome = score_it(tmp_path / "t", settings=DELTA | {"source.where": where})
    assert ids(outcome) == [5, 6, 7]
    assert outcome.manifest["pruned_files"] == 2
    assert outcome.manifest["rows"] == {
        "in": 4, "scored": 3, "filtered": 0, "rejected": 0, "left_out": 1
    }  # fmt: skip
    second.write_bytes(b"no parquet")
    score_it(tmp_path / "t", settings=DELTA | {"source.where": where}).refused(str(second))


def test_no_file_is_left(score_it: Score, tmp_path: Path) -> None:
    write_parts(tmp_path / "t")
    refused = score_it(tmp_path / "t", settings=DELTA | {"source.where": "id > 100"})
    refused.refused("no row of any of the 3 data files of", "as the table's log tells")


@pytest.mark.slow
def test_a_log_that_tells_nothing_leaves_nothing_out(score_it: Score, tmp_path: Path) -> None:
    table = tmp_path / "t"
    write_parts(table)
    spoilt = [
        "{", "[" * 10_000, "3", "[]", '{"numRecords": -1}', '{"minValues": 3, "maxValues": []}',
        '{"minValues": {"id": "x"}, "maxValues": {"id": "y"}}',
        '{"minValues": {"id": 1e999}, "maxValues": {"id": true}}',
        '{"minValues": {"id": 99999999999999999999}, "maxValues": {"id": 99999999999999999999}}',
        '{"numRecords": true, "nullCount": {"id": true}}', '{"numRecords": 4, "nullCount": 4}',
    ]  # fmt: skip
    (first, *_) = actions_of(table, "add")
    for text in spoilt:
        commit(table, {"add": {**first, "stats": text}})
        outcome = score_it(table, settings=DELTA | {"source.where": "id < 2"})
        assert (ids(outcome), outcome.manifest["pruned_files"]) == ([0, 1], 2)


@pytest.mark.parametrize(
    ("least", "most", "where", "is_opened"),
    [
        ("2026-01-01T00:00:00.000Z", "2026-01-01T00:00:00.123Z", "t > '2026-01-01T00:00:00.1235Z'", True),
        ("2026-01-01T00:00:00.000Z", "2026-01-01T00:00:00.123Z", "t > '2026-01-01T00:00:00.125Z'", False),
        ("2026-01-01T00:00:00.000+02:00", "2026-01-01T00:00:00.123Z", "t < '2025-12-31T22:30:00Z'", True),
        ("x" * 32, "y" * 32, f"s > '{'y' * 32}a'", True),
        ("x" * 32, "y" * 32, "s > 'z'", False),
        ("x" * 32, "y" * 32, f"s == '{'x' * 32}a'", True),
        ("NaN", "NaN", "f > 3", True),
        (-1.5, "NaN", "f > 3", True),
        (1, 2, "f != 1", True),
        (1, 2, "f > 2", False),
        (1, 2, "f < 0 or not f <= 2", True),
    ],
)  # fmt: skip
def test_what_a_log_cuts_off_is_not_taken_for_all(
    least: Any, most: Any, where: str, is_opened: bool, score_it: Score, tmp_path: Path
) -> None:
    """A text has 32 letters in a log of Spark, and a moment no microseconds; NaN may be there unseen."""
    table = tmp_path / "t"
    columns = {
        "t": pa.array([dt.datetime(2026, 1, 1, tzinfo=dt.UTC)] * 2, pa.timestamp("us", tz="UTC")),
        "s": pa.array(["x", "y"]),
        "f": pa.array([1.0, 2.0]),
    }
    deltalake.write_deltalake(str(table), small_table(2, **columns))
    (added,) = actions_of(table, "add")
    name = where[0]
    stats = {"numRecords": 2, "minValues": {name: least}, "maxValues": {name: most}}
    stats["nullCount"] = {name: 0}
    commit(table, {"add": {**added, "stats": json.dumps(stats)}})
    outcome = score_it(table, settings=DELTA | {"source.where": where})
    if is_opened:
        assert outcome.status == 0, outcome.error
    else:
        outcome.refused("no row of any of the 1 data files")


def test_a_widened_column_s_bounds_are_not_believed(score_it: Score, tmp_path: Path) -> None:
    """What was 0.1 of single precision is larger than 0.1 of double precision."""
    table = tmp_path / "t"
    rows = small_table(1, f=pa.array([0.1], pa.float32()))
    deltalake.write_deltalake(str(table), rows)
    (metadata,) = actions_of(table, "metaData")
    schema = json.loads(metadata["schemaString"])
    (field,) = [field for field in schema["fields"] if field["name"] == "f"]
    field["type"] = "double"
    field["metadata"] = {"delta.typeChanges": [{"fromType": "float", "toType": "double"}]}
    features = {"readerFeatures": ["typeWidening"], "writerFeatures": ["typeWidening"]}
    protocol = {"minReaderVersion": 3, "minWriterVersion": 7, **features}
    stats = {"numRecords": 1, "minValues": {"f": 0.1}, "maxValues": {"f": 0.1}}
    (added,) = actions_of(table, "add")
    widened = {**metadata, "schemaString": json.dumps(schema)}
    again = {**added, "stats": json.dumps(stats)}
    commit(table, {"protocol": protocol}, {"metaData": widened}, {"add": again})
    assert ids(score_it(table, settings=DELTA | {"source.where": "f > 0.1"})) == [0]


def test_deleted_rows_and_a_filter_go_together(score_it: Score, tmp_path: Path) -> None:
    table = tmp_path / "t"
    options = {"configuration": {"delta.enableDeletionVectors": "true"}}
    deltalake.write_deltalake(str(table), small_table(9), **options)
    delete_rows(table, [0, 3, 8])
    outcome = score_it(table, settings=DELTA | {"source.where": "id > 2"})
    expected = read_with_deltalake(table, "SELECT id FROM t WHERE id > 2 ORDER BY id")
    assert ids(outcome) == [row[0] for row in expected] == [4, 5, 6, 7]
    assert outcome.manifest["rows"]["left_out"] == 2


def test_one_file_under_two_spellings_is_scored_once(score_it: Score, tmp_path: Path) -> None:
    """Writers escape other letters, so a file that is added again may be spelt in another way."""
    table = tmp_path / "t"
    deltalake.write_deltalake(str(table), small_table(2))
    (added,) = actions_of(table, "add")
    commit(table, {"add": {**added, "path": added["path"].replace("-", "%2D")}})
    assert ids(score_it(table, settings=DELTA)) == [0, 1]


def test_one_file_with_two_sets_of_deleted_rows_is_refused(score_it: Score, tmp_path: Path) -> None:
    """Else its rows would be scored twice."""
    table = tmp_path / "t"
    options = {"configuration": {"delta.enableDeletionVectors": "true"}}
    deltalake.write_deltalake(str(table), small_table(9), **options)
    (added,) = actions_of(table, "add")
    delete_rows(table, [0, 3])
    commit(table, {"add": added})
    score_it(table, settings=DELTA).refused(f"names {table / added['path']} twice in version 2")
