"""Delta tables, end to end: rows of a version against the library's own reader, and what is refused by name."""

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
VECTORS = {"delta.enableDeletionVectors": "true"}


def write(table: Path, rows: pa.Table, **options: Any) -> Path:
    deltalake.write_deltalake(str(table), rows, **options)
    return table


def ids(outcome: Outcome) -> list[int]:
    return outcome.rows()["id"].to_pylist()


@pytest.mark.slow
@pytest.mark.beam
def test_a_version_is_scored_and_told(score_it: Score, tmp_path: Path) -> None:
    """Appends, an overwrite, a delete: each version as the library reads it, and the newest by default."""
    table = write(tmp_path / "t", small_table(6))
    write(table, small_table(4, first=6), mode="append")
    deltalake.DeltaTable(str(table)).delete("id < 2 OR id = 7")
    write(table, small_table(3, first=50), mode="overwrite")
    for version in (None, 0, 1, 2, 3):
        chosen = {} if version is None else {"source.version": version}
        outcome = score_it(table, settings=DELTA | chosen)
        expected = read_with_deltalake(table, "SELECT id FROM t ORDER BY id", version)
        assert ids(outcome) == [row[0] for row in expected]
        assert outcome.manifest["table"] == {
            "format": "delta",
            "url": str(table),
            "version": 3 if version is None else version,
        }


def test_values_of_partitions_are_carried(score_it: Score, tmp_path: Path) -> None:
    """Of every type that names a folder, with nulls, and letters that are escaped there."""
    columns = {
        "s": pa.array(["a/b é%", None, "x=1", "a/b é%"]),
        "d": pa.array([dt.date(2026, 1, 1), None, dt.date(1969, 2, 3), dt.date(2026, 1, 1)]),
        "t": pa.array([dt.datetime(2026, 1, 1, 2, 3, 4, 5, dt.UTC), None] * 2),
        "yes": pa.array([True, False, None, True]),
        "n": pa.array([1, -2, None, 1], type=pa.int16()),
        "f": pa.array([0.1, -2.5, None, 0.1]),
    }
    names = list(columns)
    table = write(tmp_path / "t", small_table(4, **columns), partition_by=names)
    outcome = score_it(table, settings=DELTA | {"source.passthrough": names})
    rows = outcome.rows()
    expected = read_with_deltalake(table, f"SELECT id, {', '.join(names)} FROM t ORDER BY id")
    found = [rows[name].to_pylist() for name in ("id", *names)]
    assert list(zip(*found, strict=True)) == expected
    assert rows.schema.field("t").type == pa.timestamp("us", tz="UTC")
    assert rows.schema.field("n").type == pa.int16()


def test_a_partition_is_the_key_and_a_row_without_values_is_counted(
    score_it: Score, tmp_path: Path
) -> None:
    rows = small_table(4, day=pa.array([1, 1, 2, 2]), a=pa.array([1.0, 1e300, 1.0, 1.0]))
    table = write(tmp_path / "t", rows, partition_by=["day"])
    settings = {"source.key": "day", "errors.store_values": True}
    outcome = score_it(table, settings=DELTA | settings)
    assert sorted(outcome.scored()["day"].to_pylist()) == [1, 2, 2]
    (record,) = outcome.rejected()
    assert (record["key"], record["values"]["day"], record["values"]["b"]) == (1, 1, 2.0)


def test_a_column_that_was_added_is_null_in_older_files(score_it: Score, tmp_path: Path) -> None:
    table = write(tmp_path / "t", small_table(2))
    newer = small_table(2, first=2, note=pa.array(["x", None]))
    write(table, newer, mode="append", schema_mode="merge")
    settings = DELTA | {"source.passthrough": ["note"]}
    rows = score_it(table, settings=settings).rows()
    assert rows["note"].to_pylist() == [None, None, "x", None]
    older = score_it(table, settings=settings | {"source.version": 0})
    older.refused("/t/", "has no column 'note'")


def test_a_version_by_its_time(score_it: Score, tmp_path: Path) -> None:
    table = write(tmp_path / "t", small_table(2))
    write(table, small_table(3, first=2), mode="append")
    times = [entry["timestamp"] / 1000 for entry in deltalake.DeltaTable(str(table)).history()]
    between = dt.datetime.fromtimestamp(times[1] + (times[0] - times[1]) / 2, dt.UTC)
    log = table / "_delta_log"
    import os

    for number, seconds in enumerate(reversed(times)):
        os.utime(log / f"{number:020}.json", (seconds, seconds))
    outcome = score_it(table, settings=DELTA | {"source.timestamp": between.isoformat()})
    assert ids(outcome) == [0, 1]
    before = dt.datetime(2001, 1, 1, tzinfo=dt.UTC).isoformat()
    refused = score_it(table, settings=DELTA | {"source.timestamp": before})
    refused.refused("source.timestamp 2001-01-01", "has no version of that time", status=2)


@pytest.mark.parametrize("inline", [False, True])
def test_deletion_vectors_are_honoured(inline: bool, score_it: Score, tmp_path: Path) -> None:
    table = write(tmp_path / "t", small_table(9), configuration=VECTORS)
    delete_rows(table, [0, 3, 8], inline)
    outcome = score_it(table, settings=DELTA)
    expected = read_with_deltalake(table, "SELECT id FROM t ORDER BY id")
    assert ids(outcome) == [row[0] for row in expected] == [1, 2, 4, 5, 6, 7]
    assert outcome.manifest["rows"]["in"] == 6


def test_deletion_vectors_hold_for_a_file_that_several_units_share(
    score_it: Score, tmp_path: Path
) -> None:
    """The vector counts rows of the whole file, a unit those of its row groups; a bad row is named among those left."""
    count = 6_000
    values = [1.0] * count
    values[4_000] = 1e300
    rows = small_table(count, a=pa.array(values))
    groups = deltalake.WriterProperties(max_row_group_size=1_000)
    table = write(tmp_path / "t", rows, configuration=VECTORS, writer_properties=groups)
    deleted = [*range(0, count, 7), *range(2_000, 3_000)]
    delete_rows(table, sorted(set(deleted)))
    expected = [row[0] for row in read_with_deltalake(table, "SELECT id FROM t ORDER BY id")]
    outcome = score_it(table, settings=DELTA | {"sink.rows_per_file": 1_000})
    assert len(outcome.manifest["units"]) > 3
    assert ids(outcome) == [key for key in expected if key != 4_000]
    assert outcome.manifest["rows"]["in"] == len(expected)
    (record,) = outcome.rejected()
    assert (record["row"], record["key"]) == (expected.index(4_000), 4_000)


def test_a_deleted_row_is_neither_rejected_nor_counted(score_it: Score, tmp_path: Path) -> None:
    """Of bad rows one is deleted; the other one's number is that among the rows that are left."""
    rows = small_table(6, a=pa.array([1.0, 1e300, 1.0, 1.0, 1e300, 1.0]))
    table = write(tmp_path / "t", rows, configuration=VECTORS)
    delete_rows(table, [0, 1])
    outcome = score_it(table, settings=DELTA)
    assert ids(outcome) == [2, 3, 5]
    assert [(record["row"], record["key"]) for record in outcome.rejected()] == [(2, 4)]


def test_a_file_of_which_nothing_is_left_has_no_rows(score_it: Score, tmp_path: Path) -> None:
    table = write(tmp_path / "t", small_table(3), configuration=VECTORS)
    delete_rows(table, [0, 1, 2])
    outcome = score_it(table, settings=DELTA)
    assert outcome.scored().num_rows == 0


def test_checkpoints_are_read(score_it: Score, tmp_path: Path) -> None:
    table = tmp_path / "t"
    for number in range(4):
        write(table, small_table(2, first=2 * number), mode="append")
    known = deltalake.DeltaTable(str(table))
    known.create_checkpoint()
    write(table, small_table(2, first=8), mode="append")
    for number in range(3):
        (table / f"_delta_log/{number:020}.json").unlink()
    assert ids(score_it(table, settings=DELTA)) == list(range(10))
    older = score_it(table, settings=DELTA | {"source.version": 2})
    older.refused("its log lacks 00000000000000000000.json")


def rename(table: Path, mode: str) -> None:
    """Map columns by name or by number, and call `note` otherwise, as Spark does: in the log alone."""
    (metadata,) = actions_of(table, "metaData")
    schema = json.loads(metadata["schemaString"])
    for number, entry in enumerate(schema["fields"]):
        entry["metadata"] = {
            "delta.columnMapping.id": number + 1,
            "delta.columnMapping.physicalName": entry["name"],
        }
        if entry["name"] == "note":
            entry["name"] = "remark"
    metadata["schemaString"] = json.dumps(schema)
    metadata["configuration"] = {"delta.columnMapping.mode": mode}
    protocol = {"minReaderVersion": 2, "minWriterVersion": 5}
    commit(table, {"protocol": protocol}, {"metaData": metadata})


def test_a_renamed_column_has_its_new_name(score_it: Score, tmp_path: Path) -> None:
    rows = small_table(3, note=pa.array(["x", "y", "z"]), a=pa.array([1.0, 1e300, 1.0]))
    table = write(tmp_path / "t", rows)
    rename(table, "name")
    settings = {"source.passthrough": ["remark"], "errors.store_values": True}
    outcome = score_it(table, settings=DELTA | settings)
    assert outcome.rows()["remark"].to_pylist() == ["x", "z"]
    assert [record["values"]["remark"] for record in outcome.rejected()] == ["y"]
    old = score_it(table, settings=DELTA | {"source.passthrough": ["note"]})
    old.refused("has no column 'note'")


def test_a_widened_type_is_read_as_the_tables(score_it: Score, tmp_path: Path) -> None:
    table = write(tmp_path / "t", small_table(2, n=pa.array([1, 2], type=pa.int32())))
    (metadata,) = actions_of(table, "metaData")
    metadata["schemaString"] = metadata["schemaString"].replace('"integer"', '"long"')
    features = {"readerFeatures": ["typeWidening"], "writerFeatures": ["typeWidening"]}
    protocol = {"minReaderVersion": 3, "minWriterVersion": 7, **features}
    commit(table, {"protocol": protocol}, {"metaData": metadata})
    rows = score_it(table, settings=DELTA | {"source.passthrough": ["n"]}).rows()
    assert (rows["n"].type, rows["n"].to_pylist()) == (pa.int64(), [1, 2])
    narrower = metadata["schemaString"].replace('"n","type":"long"', '"n","type":"short"')
    commit(table, {"metaData": {**metadata, "schemaString": narrower}})
    refused = score_it(table, settings=DELTA | {"source.passthrough": ["n"]})
    refused.refused("column 'n' is int32, and int16 in its table")


def test_features_that_are_not_known_are_refused_by_name(score_it: Score, tmp_path: Path) -> None:
    table = write(tmp_path / "t", small_table(2))
    features = {"readerFeatures": ["timeTravel9", "deletionVectors", "other"]}
    commit(table, {"protocol": {"minReaderVersion": 3, "minWriterVersion": 7, **features}})
    score_it(table, settings=DELTA).refused("needs what is not read here: other, timeTravel9;")
    commit(table, {"protocol": {"minReaderVersion": 4, "minWriterVersion": 7}})
    score_it(table, settings=DELTA).refused("reader version 4")


def test_a_vacuumed_file_is_told_by_name(score_it: Score, tmp_path: Path) -> None:
    table = write(tmp_path / "t", small_table(2))
    (file,) = table.glob("*.parquet")
    file.unlink()
    score_it(table, settings=DELTA).refused(f"{file}: is gone, though version 0", "vacuumed")


def add_file(table: Path, path: str) -> None:
    (added, *_) = actions_of(table, "add")
    commit(table, {"add": {**added, "path": path}})


def test_files_outside_are_read_only_where_the_job_allows_it(
    score_it: Score, tmp_path: Path
) -> None:
    table = write(tmp_path / "t", small_table(2))
    other = write(tmp_path / "a place/other", small_table(2, first=2))
    (file,) = other.glob("*.parquet")
    add_file(table, file.as_uri())
    refused = score_it(table, settings=DELTA)
    refused.refused(f"names {file}, which is outside of the table", "source.outside")
    allowed = score_it(table, settings=DELTA | {"source.outside": [str(other.parent)]})
    assert ids(allowed) == [0, 1, 2, 3]


@pytest.mark.parametrize("path", ["../o/x.parquet", "a/../../o", "./x", "a//x", "%2e%2e/x", "a::b"])
def test_paths_that_lead_elsewhere_are_refused(path: str, score_it: Score, tmp_path: Path) -> None:
    table = write(tmp_path / "t", small_table(2))
    add_file(table, path)
    score_it(table, settings=DELTA).refused(f"{table}: its log names")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ('{"add": ', "line 1 is no action"),
        ('{"add": 3}', "not built as the protocol says"),
        ('{"add": {"path": "x", "deletionVector": {"a": 1}}}', "not built as the protocol says"),
        ("[" * 100_000, "nested too deeply"),
        ('["add"]', "it is no object"),
        ('{"metaData": {"schemaString": "{}"}}', "no readable schema"),
        ('{"metaData": {"schemaString": 3}}', "no readable schema"),
        ('{"add": {"path": "x", "deletionVector": {"storageType": "u", "pathOrInlineDv": "~"}}}', "deletion vector"),
        ('{"add": {"path": "x", "partitionValues": 3}}', "not built as the protocol says"),
        ('{"protocol": 3}', "not built as the protocol says"),
    ],
)  # fmt: skip
def test_a_broken_log_ends_in_one_line(
    text: str, word: str, score_it: Score, tmp_path: Path
) -> None:
    table = write(tmp_path / "t", small_table(2))
    (table / "_delta_log/00000000000000000001.json").write_text(text)
    score_it(table, settings=DELTA).refused(str(table), word)


def test_a_table_is_read_by_its_log_alone(score_it: Score, tmp_path: Path) -> None:
    table = write(tmp_path / "t", small_table(2))
    score_it(table).refused("is a Delta table", f"set source.format=delta and name {table}")
    (tmp_path / "plain").mkdir()
    score_it(tmp_path / "plain", settings=DELTA).refused("it is no Delta table")
    score_it(table, settings=DELTA | {"source.version": 9}).refused("its newest is 0", status=2)


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"source.version": 1}, "version: a source of format parquet has none"),
        (DELTA | {"source.snapshot": 1}, "snapshot: a source of format delta has none"),
        (DELTA | {"source.version": 0, "source.timestamp": "2026-01-01T00:00:00Z"}, "version and timestamp"),
        (DELTA | {"source.timestamp": "2026-01-01T00:00:00"}, "timezone"),
        (DELTA | {"source.partitions": "hive"}, "a table's log tells them"),
    ],
)  # fmt: skip
def test_fields_that_do_not_go_together(
    settings: dict[str, Any], word: str, score_it: Score, tmp_path: Path
) -> None:
    score_it(tmp_path, settings=settings).refused(word, status=2)
