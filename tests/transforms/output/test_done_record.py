"""The record of a unit that is done: what it holds, and what it leaves out where a job asks for nothing more."""

import json
from pathlib import Path

import pytest

from storage import files
from storage.run_folder import RunFolder
from tests.support.builders import make_unit
from transforms.batches import WrittenFile, WrittenPart
from transforms.broken_shard import BrokenShard
from transforms.output.done_record import (
    finish_unit,
    is_done,
    read_done_record,
    remove_torn_records,
)

SUMMARY = WrittenFile("profile-1.parquet", 3, 100, "0" * 64)
LOST = BrokenShard("s.parquet", "read", 7, None, "is cut")


@pytest.mark.parametrize("summaries", [(), (SUMMARY,)])
@pytest.mark.parametrize("broken", [(), (LOST,)])
def test_a_record_holds_what_most_jobs_have_not_where_it_is_there_alone(
    summaries: tuple[WrittenFile, ...], broken: tuple[BrokenShard, ...], run: RunFolder
) -> None:
    part = WrittenPart(
        unit=0,
        attempt="a",
        first_row=0,
        rows_in=10,
        rows_scored=10,
        rows_filtered=0,
        rows_rejected=0,
        last=True,
        scored=(),
        rejected=(),
        summaries=summaries,
        broken=broken,
    )
    files.make_folder(run.attempts)
    assert not is_done(run, 0)
    assert finish_unit(run, make_unit(), part) == (part,)
    assert is_done(run, 0)
    stored = json.loads(files.read(run.done_record(0)) or b"")
    assert ("summaries" in stored) == bool(summaries)
    assert ("broken" in stored) == bool(broken)
    assert read_done_record(run, 0) == part


def test_torn_records_go_and_those_that_are_being_written_stay(tmp_path: Path) -> None:
    run = RunFolder(str(tmp_path), "run1")
    files.make_folder(run.done)
    contents = {"0.json": b"{}", "1.json": b"{", "2.json": b"", ".3.json": b"{"}
    # Nobody writes one so deep; Python gives up on it.
    contents["4.json"] = b"[" * 100_000
    for name, content in contents.items():
        (Path(run.done) / name).write_bytes(content)
    assert remove_torn_records(run) == 3
    assert sorted(path.name for path in Path(run.done).iterdir()) == [".3.json", "0.json"]


def test_the_first_attempt_to_be_recorded_stands_and_the_files_of_others_go(tmp_path: Path) -> None:
    run = RunFolder(str(tmp_path), "run1")
    files.make_folder(run.attempts)
    parts = []
    for attempt in ("a", "b"):
        written = WrittenFile(f"part-0-{attempt}.parquet", 10, 3, "0" * 64)
        files.put(f"{run.attempts}/{written.path}", b"abc")
        parts.append(WrittenPart(0, attempt, 0, 10, 10, 0, 0, True, (written,), ()))
    first, second = parts
    assert finish_unit(run, make_unit(), first) == (first,)
    # Asked again, as where a store's answer was lost: its own files stay.
    assert finish_unit(run, make_unit(), first) == (first,)
    assert finish_unit(run, make_unit(), second) == (first,)
    assert [path.name for path in Path(run.attempts).iterdir()] == ["part-0-a.parquet"]


def test_a_part_that_does_not_begin_with_its_unit_is_no_record(tmp_path: Path) -> None:
    run = RunFolder(str(tmp_path), "run1")
    files.make_folder(run.attempts)
    part = WrittenPart(0, "a", 5, 5, 5, 0, 0, True, (), ())
    assert finish_unit(run, make_unit(), part) == (part,)
    assert not is_done(run, 0)
