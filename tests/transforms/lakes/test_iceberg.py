"""Which metadata file, snapshot and files of an Iceberg table a job means, by what pyiceberg says of it."""

import datetime as dt
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

pytest.importorskip("pyiceberg")

from pyiceberg.manifest import ManifestContent

from configs.errors import InputError, JobError
from transforms.lakes.choice import Choice
from transforms.lakes.iceberg import (
    _choose_snapshot,
    _count_files,
    _find_metadata,
    _list_partition_values,
    _read_name_mapping,
)
from transforms.lakes.snapshot import TableColumn


@pytest.mark.parametrize("hint", ["7", " 7\n"])
def test_a_folder_says_which_of_its_metadata_files_is_the_newest(tmp_path: Path, hint: str) -> None:
    (tmp_path / "metadata").mkdir()
    (tmp_path / "metadata/version-hint.text").write_text(hint)
    newest = f"{tmp_path}/metadata/v7.metadata.json"
    assert _find_metadata(str(tmp_path)) == newest
    assert _find_metadata(newest) == newest


@pytest.mark.parametrize(
    ("hint", "why"), [(None, "does not say which"), ("", "no version"), ("v7", "no version")]
)
def test_a_folder_without_a_hint_is_refused(tmp_path: Path, hint: str | None, why: str) -> None:
    (tmp_path / "metadata").mkdir()
    if hint is not None:
        (tmp_path / "metadata/version-hint.text").write_text(hint)
    with pytest.raises(InputError, match=why):
        _find_metadata(str(tmp_path))


MOMENT = dt.datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=dt.UTC)


def make_table(newest: str | None = "newest") -> Any:
    """Stands in for pyiceberg's table, which has a snapshot of each kind."""
    return SimpleNamespace(
        snapshot_by_id={7: "by number"}.get,
        snapshot_by_name={"main": "by name"}.get,
        snapshot_as_of_timestamp={1_767_323_045_678: "by time"}.get,
        current_snapshot=lambda: newest,
        metadata=SimpleNamespace(snapshots=[1, 2, 3]),
    )


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (Choice(), "newest"),
        (Choice(version=7), "by number"),
        (Choice(ref="main"), "by name"),
        (Choice(moment=MOMENT), "by time"),
    ],
)
def test_a_job_means_one_snapshot(choice: Choice, expected: str) -> None:
    assert _choose_snapshot("/t", make_table(), choice) == expected


@pytest.mark.parametrize(
    ("choice", "what"),
    [
        (Choice(version=0), "source.snapshot 0"),
        (Choice(ref="other"), "source.ref other"),
        (Choice(moment=MOMENT.replace(microsecond=677_000)), "source.timestamp 2026-01-02"),
    ],
)
def test_a_snapshot_that_there_is_not_is_refused(choice: Choice, what: str) -> None:
    with pytest.raises(JobError, match=rf"{what}.*: /t has no such snapshot; .* one of 3 that"):
        _choose_snapshot("/t", make_table(), choice)


def test_a_table_without_a_snapshot_has_nothing_to_score() -> None:
    with pytest.raises(InputError, match="has no snapshot yet"):
        _choose_snapshot("/t", make_table(newest=None), Choice())


def manifest(added: int | None, existing: int | None, is_of_data: bool = True) -> Any:
    content = ManifestContent.DATA if is_of_data else ManifestContent.DELETES
    return SimpleNamespace(content=content, added_files_count=added, existing_files_count=existing)


def test_data_files_are_counted_where_manifests_tell() -> None:
    deletes = manifest(None, None, is_of_data=False)
    assert _count_files([manifest(2, 3), deletes, manifest(0, 1)]) == 6
    assert _count_files([]) == 0
    assert _count_files([manifest(2, 3), manifest(None, 1)]) is None
    assert _count_files([manifest(1, None)]) is None


def test_names_of_files_without_numbers_are_those_that_the_table_maps() -> None:
    entries = [{"field-id": 7, "names": ["a", "old"]}, {"names": ["gone"]}]
    properties = {"schema.name-mapping.default": json.dumps(entries)}
    metadata = SimpleNamespace(properties=properties)
    assert _read_name_mapping(metadata) == {7: ["a", "old"]}
    assert _read_name_mapping(SimpleNamespace(properties={})) == {}


def test_a_file_tells_the_values_of_the_columns_that_part_the_table_as_they_are() -> None:
    columns = [
        TableColumn("region", pa.string(), "string", "region", field_id=1),
        TableColumn("count", pa.int32(), "int", "count", field_id=2),
        TableColumn("day", pa.date32(), "date", "day", field_id=3),
    ]
    # The last column is one that the table has no more.
    parted = [(1, "identity"), (3, "month"), (2, "identity"), (9, "identity")]
    fields = [SimpleNamespace(source_id=number, transform=how) for number, how in parted]
    today = SimpleNamespace(spec_id=1, fields=[])
    before = SimpleNamespace(spec_id=0, fields=fields)
    metadata = SimpleNamespace(partition_specs=[before, today])
    file = SimpleNamespace(spec_id=0, partition=["north", 672, None, "x"])
    values = _list_partition_values(file, metadata, columns)
    assert values == {"region": "north", "count": None}
    assert _list_partition_values(SimpleNamespace(spec_id=1), metadata, columns) == {}
