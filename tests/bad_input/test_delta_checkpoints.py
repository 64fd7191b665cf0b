"""Checkpoints of Delta logs in every form, most of which deltalake does not write: the rows are those of the commits."""

from collections.abc import Callable
import datetime as dt
import json
import os
from pathlib import Path
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.delta_tables import (
    V2,
    actions_of,
    commit,
    read_with_deltalake,
    write_rows,
    write_v2_checkpoint,
)
from tests.support.jobs import Outcome, small_table

deltalake = pytest.importorskip("deltalake")
Score = Callable[..., Outcome]
DELTA = {"source.format": "delta"}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four commits of two rows each, numbered from 0."""
    made = tmp_path_factory.mktemp("written") / "t"
    for number in range(4):
        deltalake.write_deltalake(str(made), small_table(2, first=2 * number), mode="append")
    return made


@pytest.fixture
def table(written: Path, tmp_path: Path) -> Path:
    """The same commits, for this test alone."""
    return shutil.copytree(written, tmp_path / "t")


def ids(outcome: Outcome) -> list[int]:
    return outcome.rows()["id"].to_pylist()


def forget_commits(table: Path, before: int) -> None:
    for number in range(before):
        (table / f"_delta_log/{number:020}.json").unlink()


@pytest.mark.parametrize("form", ["json", "parquet"])
def test_sidecars_hold_the_files(form: str, table: Path, score_it: Score) -> None:
    commit(table, {"protocol": V2})
    path = write_v2_checkpoint(table, form)
    forget_commits(table, 5)
    assert ids(score_it(table, settings=DELTA)) == list(range(8))
    filtered = score_it(table, settings=DELTA | {"source.where": "id > 4"})
    assert ids(filtered) == [5, 6, 7]
    assert filtered.manifest["pruned_files"] == 2
    assert path.exists()


@pytest.mark.parametrize("form", ["json", "parquet"])
def test_deltalake_reads_the_same(form: str, table: Path, score_it: Score) -> None:
    """What is written here by hand is such a checkpoint: the library reads it, too."""
    commit(table, {"protocol": V2})
    write_v2_checkpoint(table, form)
    forget_commits(table, 5)
    expected = read_with_deltalake(table, "SELECT id FROM t ORDER BY id")
    assert ids(score_it(table, settings=DELTA)) == [row[0] for row in expected]


def test_sidecars_that_are_gone_or_elsewhere_are_told(table: Path, score_it: Score) -> None:
    commit(table, {"protocol": V2})
    path = write_v2_checkpoint(table, "json")
    forget_commits(table, 5)
    text = path.read_text()
    (sidecar, *_) = (table / "_delta_log/_sidecars").glob("*.parquet")
    content = sidecar.read_bytes()
    for spoilt in (content[:-9], b"", b"PAR1PAR1"):
        sidecar.write_bytes(spoilt)
        score_it(table, settings=DELTA).refused(str(sidecar), "write the checkpoint again")
    sidecar.unlink()
    score_it(table, settings=DELTA).refused(str(sidecar), "cannot be read")
    for name in ("../../x.parquet", "/etc/passwd", "a/b.parquet", "x.json", "..\\x"):
        path.write_text(text.replace(sidecar.name, json.dumps(name)[1:-1]))
        score_it(table, settings=DELTA).refused("which is no file of _delta_log/_sidecars")
    path.write_text('{"sidecar": 3}\n')
    score_it(table, settings=DELTA).refused("is no action of a Delta log")


def write_parts(table: Path, version: int, count: int) -> list[Path]:
    adds = [{"add": added} for added in actions_of(table, "add")]
    heads = [{kind: actions_of(table, kind)[-1]} for kind in ("protocol", "metaData")]
    actions = [*heads, *adds]
    paths = []
    for number in range(count):
        name = f"{version:020}.checkpoint.{number + 1:010}.{count:010}.parquet"
        paths.append(write_rows(table / "_delta_log" / name, actions[number::count]))
    return paths


def test_parts_count_once_all_are_there(table: Path, score_it: Score) -> None:
    paths = write_parts(table, 3, 3)
    commits = {path: path.read_text() for path in (table / "_delta_log").glob("*.json")}
    forget_commits(table, 4)
    assert ids(score_it(table, settings=DELTA)) == list(range(8))
    assert [row[0] for row in read_with_deltalake(table, "SELECT id FROM t ORDER BY id")] == list(
        range(8)
    )
    # One is missing: the commits hold, where they are, and nobody reads the other two.
    for path, text in commits.items():
        path.write_text(text)
    paths[1].unlink()
    paths[0].write_bytes(b"no checkpoint")
    assert ids(score_it(table, settings=DELTA)) == list(range(8))
    forget_commits(table, 2)
    score_it(table, settings=DELTA).refused("its log lacks 00000000000000000000.json")


@pytest.mark.parametrize(
    "hint", [None, "", "{", '{"version": 99, "size": 1}', '{"version": 0, "size": 1, "parts": 9}']
)
def test_the_hint_of_the_newest_checkpoint_is_not_needed(
    hint: str | None, table: Path, score_it: Score
) -> None:
    deltalake.DeltaTable(str(table)).create_checkpoint()
    forget_commits(table, 4)
    path = table / "_delta_log/_last_checkpoint"
    path.unlink()
    if hint is not None:
        path.write_text(hint)
    assert ids(score_it(table, settings=DELTA)) == list(range(8))


def test_compacted_commits_change_nothing(table: Path, score_it: Score) -> None:
    log = table / "_delta_log"
    whole = "".join((log / f"{number:020}.json").read_text() for number in range(4))
    (log / f"{0:020}.{3:020}.compacted.json").write_text(whole)
    assert ids(score_it(table, settings=DELTA)) == list(range(8))


def test_files_that_are_of_no_version_are_not_read(table: Path, score_it: Score) -> None:
    log = table / "_delta_log"
    for name in ("5.json", "x.json", f"{4:020}.json.tmp", f"{4:020}.crc", f".{4:020}.json.crc"):
        (log / name).write_text("no action")
    (log / f"{9:020}.checkpoint.parquet").write_bytes(b"")
    (log / "_staged_commits").mkdir()
    assert ids(score_it(table, settings=DELTA)) == list(range(8))


def set_times(table: Path, seconds: list[int]) -> None:
    for number, time in enumerate(seconds):
        os.utime(table / f"_delta_log/{number:020}.json", (time, time))


def at(seconds: float) -> dict[str, str]:
    moment = dt.datetime.fromtimestamp(seconds, dt.UTC)
    return DELTA | {"source.timestamp": moment.isoformat()}


def test_times_of_commits_never_go_back(table: Path, score_it: Score) -> None:
    """A log that was copied has times in any order: a version is never older than the one before."""
    set_times(table, [1_000, 3_000, 2_000, 4_000])
    assert ids(score_it(table, settings=at(1_500))) == [0, 1]
    assert ids(score_it(table, settings=at(2_500))) == [0, 1]
    assert ids(score_it(table, settings=at(3_500))) == list(range(6))
    assert ids(score_it(table, settings=at(5_000))) == list(range(8))
    score_it(table, settings=at(999)).refused("has no version of that time", status=2)


def test_times_in_commits_count_where_the_table_says_so(table: Path, score_it: Score) -> None:
    """From the version on that says so; those before have the times of their files."""
    (metadata,) = actions_of(table, "metaData")
    configuration = {
        "delta.enableInCommitTimestamps": "true",
        "delta.inCommitTimestampEnablementVersion": "4",
        "delta.inCommitTimestampEnablementTimestamp": "10000000",
    }
    (added, *_) = actions_of(table, "add")
    told = {"commitInfo": {"inCommitTimestamp": 10_000_000}}
    commit(table, told, {"metaData": {**metadata, "configuration": configuration}})
    later = {"commitInfo": {"inCommitTimestamp": 20_000_000}}
    commit(table, later, {"remove": {"path": added["path"], "dataChange": True}})
    set_times(table, [1_000, 2_000, 3_000, 4_000, 90_000, 90_000])
    assert ids(score_it(table, settings=at(9_999))) == list(range(8))
    assert ids(score_it(table, settings=at(19_999))) == list(range(8))
    assert ids(score_it(table, settings=at(20_000))) == list(range(2, 8))
    assert ids(score_it(table, settings=at(2_000))) == list(range(4))


@pytest.mark.parametrize("kind", ["add", "metaData", "protocol", "sidecar"])
@pytest.mark.parametrize("value", [3, "x", [1], {"y": 1}, {"path": 3}, {"path": None}])
def test_columns_of_other_types_are_told(
    kind: str, value: object, table: Path, score_it: Score
) -> None:
    columns = {"txn": [None], kind: [value]}
    path = table / f"_delta_log/{3:020}.checkpoint.parquet"
    pq.write_table(pa.table(columns), path)
    forget_commits(table, 4)
    outcome = score_it(table, settings=DELTA)
    outcome.refused(str(table))
    assert "internal" not in outcome.error
