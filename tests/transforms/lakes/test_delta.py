"""Which version of a Delta table a job means, and how its log names files: of logs that are written here."""

import datetime as dt
import json
import os
from pathlib import Path
from typing import Any

import pytest

from configs.errors import InputError, JobError
from tests.support.delta_tables import commit
from transforms.lakes.choice import Choice
from transforms.lakes.delta import read_delta
from transforms.lakes.snapshot import DataFile, Deletions

NEVER = "no version of that time; the oldest that its log tells the time of is 0"
LETTERS = "vBn[lx{q8@P<9BNH/isA"


def write_table(table: Path, *commits: list[dict[str, Any]], **configuration: str) -> Path:
    """Write a table without columns."""
    schema = json.dumps({"type": "struct", "fields": []})
    metadata = {"schemaString": schema, "configuration": configuration}
    heads: list[dict[str, Any]] = [{"protocol": {"minReaderVersion": 1}}, {"metaData": metadata}]
    first, *others = commits
    commit(table, *heads, *first)
    for actions in others:
        commit(table, *actions)
    return table


def set_times(table: Path, *seconds: float) -> None:
    for number, moment in enumerate(seconds):
        os.utime(table / "_delta_log" / f"{number:020}.json", (moment, moment))


def version_at(table: Path, seconds: float) -> int:
    moment = dt.datetime.fromtimestamp(seconds, dt.UTC)
    return read_delta(str(table), Choice(moment=moment)).version


@pytest.mark.parametrize("version", [0, 1, 2])
def test_a_version_is_one_that_there_is(tmp_path: Path, version: int) -> None:
    write_table(tmp_path, [], [], [])
    assert read_delta(str(tmp_path), Choice(version=version)).version == version
    assert read_delta(str(tmp_path), Choice()).version == 2
    for other in (-1, 3):
        with pytest.raises(JobError, match="has no such version; its newest is 2"):
            read_delta(str(tmp_path), Choice(version=other))


def test_a_moment_means_the_newest_version_whose_file_is_no_younger(tmp_path: Path) -> None:
    """Of a log that was copied, a file may be older than the one before it: its version is not."""
    write_table(tmp_path, [], [], [])
    set_times(tmp_path, 100, 300, 200)
    found = [version_at(tmp_path, seconds) for seconds in (100, 299.5, 300, 1e9)]
    assert found == [0, 0, 2, 2]
    with pytest.raises(JobError, match=NEVER):
        version_at(tmp_path, 99.5)


def test_files_that_were_unpacked_without_times_are_of_the_first_second(tmp_path: Path) -> None:
    write_table(tmp_path, [], [])
    set_times(tmp_path, 0, 0.5)
    assert [version_at(tmp_path, seconds) for seconds in (0, 0.25, 0.5)] == [0, 0, 1]


def stamp(milliseconds: Any) -> list[dict[str, Any]]:
    return [{"commitInfo": {"inCommitTimestamp": milliseconds}}]


IN_COMMITS = {"delta.enableInCommitTimestamps": "true"}


def test_times_in_commits_count_where_the_table_has_them(tmp_path: Path) -> None:
    write_table(tmp_path, stamp(1_000), stamp(2_000), stamp(3_000), **IN_COMMITS)
    set_times(tmp_path, 7, 8, 9)
    found = [version_at(tmp_path, seconds) for seconds in (1, 1.999, 2, 2.001, 3, 50)]
    assert found == [0, 0, 1, 1, 2, 2]
    with pytest.raises(JobError, match=NEVER):
        version_at(tmp_path, 0.999)


@pytest.mark.parametrize("before", [[], [{"commitInfo": {"timestamp": 9}}], stamp("1000")])
def test_commits_of_before_that_are_as_old_as_their_files(
    tmp_path: Path, before: list[dict[str, Any]]
) -> None:
    write_table(tmp_path, before, before, stamp(3_000), **IN_COMMITS)
    set_times(tmp_path, 0.5, 1.5, 99)
    assert [version_at(tmp_path, seconds) for seconds in (0.5, 1.25, 1.5, 3)] == [0, 0, 1, 2]


def test_times_in_commits_of_a_table_that_does_not_say_so_count_nothing(tmp_path: Path) -> None:
    write_table(tmp_path, stamp(1_000), stamp(2_000))
    set_times(tmp_path, 7, 8)
    assert [version_at(tmp_path, seconds) for seconds in (7, 8)] == [0, 1]


def added(path: str, **more: Any) -> list[dict[str, Any]]:
    return [{"add": {"path": path, **more}}]


def test_values_of_partitions_are_texts_and_an_empty_one_is_null(tmp_path: Path) -> None:
    values = {"a": "", "b": None, "c": "x", "d": 0}
    write_table(tmp_path, added("a%20b", partitionValues=values))
    expected = {"a": None, "b": None, "c": "x", "d": "0"}
    assert read_delta(str(tmp_path), Choice()).files == (DataFile(f"{tmp_path}/a b", expected),)


@pytest.mark.parametrize(
    ("told", "deletions"),
    [
        (
            {"storageType": "i", "pathOrInlineDv": "abc", "offset": 5},
            Deletions("delta", bytes=7, inline="abc", rows=2),
        ),
        (
            {"storageType": "p", "pathOrInlineDv": "file:{0}/d%20e.bin"},
            Deletions("delta", url="{0}/d e.bin", bytes=7, rows=2),
        ),
        (
            {"storageType": "u", "pathOrInlineDv": f"ab{LETTERS}", "offset": 5},
            Deletions("delta", url="{0}/ab/deletion_vector_", offset=5, bytes=7, rows=2),
        ),
        (
            {"storageType": "u", "pathOrInlineDv": LETTERS},
            Deletions("delta", url="{0}/deletion_vector_", bytes=7, rows=2),
        ),
    ],
)
def test_deleted_rows_are_told_where_the_log_says(
    tmp_path: Path, told: dict[str, Any], deletions: Deletions
) -> None:
    place = told["pathOrInlineDv"].replace("{0}", str(tmp_path))
    vector = {**told, "pathOrInlineDv": place, "sizeInBytes": 7, "cardinality": 2}
    write_table(tmp_path, added("a", deletionVector=vector))
    (file,) = read_delta(str(tmp_path), Choice()).files
    (found,) = file.deletions
    url = deletions.url.replace("{0}", str(tmp_path))
    assert found.url.startswith(url)
    assert (found.offset, found.bytes, found.rows) == (deletions.offset, 7, 2)
    assert found.inline == deletions.inline


@pytest.mark.parametrize(
    "changes",
    [
        {"sizeInBytes": -1},
        {"cardinality": None},
        {"offset": -1},
        {"storageType": "x"},
        {"storageType": "u", "pathOrInlineDv": f"../{LETTERS}"},
        {"storageType": "u", "pathOrInlineDv": LETTERS[1:]},
    ],
)
def test_a_vector_that_is_not_readable_is_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    vector = {"storageType": "i", "pathOrInlineDv": "abc", "sizeInBytes": 7, "cardinality": 2}
    write_table(tmp_path, added("a", deletionVector=vector | changes))
    with pytest.raises(InputError, match="names a deletion vector that is not readable"):
        read_delta(str(tmp_path), Choice())


def test_a_file_has_one_entry(tmp_path: Path) -> None:
    write_table(tmp_path, added("a"), added("a", partitionValues={"x": "1"}))
    assert len(read_delta(str(tmp_path), Choice()).files) == 1
    commit(tmp_path, *added(f"file:{tmp_path}/a"))
    with pytest.raises(InputError, match=r"names .*/a twice in version 2; restore the log"):
        read_delta(str(tmp_path), Choice())
