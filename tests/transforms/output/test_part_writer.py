"""Attempts at a unit: one is recorded, the others leave nothing, and a late or failing one does no harm."""

from dataclasses import asdict, replace
import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from configs.errors import PublishError
from storage import files
from storage.run_folder import RunFolder
from tests.support.builders import make_unit, planned_run, scored_batch
from tests.transforms.written_units import file_format, whole_unit, write_units
from transforms.batches import ScoredBatch, WorkUnit
from transforms.output.done_record import finish_unit, read_done_record
from transforms.output.part_writer import PartWriter
from transforms.write import _WriteUnits


def test_of_two_attempts_the_first_recorded_stands_and_the_other_is_removed(run: RunFolder) -> None:
    unit = make_unit(0, 10)
    batch = scored_batch(unit, 0, list(range(8)), bad=(8, 9), last=True)
    (first,) = write_units(run, [batch])
    (second,) = write_units(run, [batch])
    assert second == first
    assert second.attempt == first.attempt
    assert files.list_names(run.attempts) == sorted(
        f.path for f in (*first.scored, *first.rejected)
    )


def test_two_attempts_at_the_same_time(run: RunFolder) -> None:
    unit = make_unit(0, 10)
    writers = [PartWriter(run, unit, 0, file_format()) for _ in range(2)]
    for writer in writers:
        writer.write(scored_batch(unit, 0, list(range(10)), last=True))
    parts = [writer.close(last=True) for writer in writers]
    assert parts[0].attempt != parts[1].attempt
    (kept,) = {p.attempt for part in reversed(parts) for p in finish_unit(run, unit, part)}
    assert kept == parts[1].attempt
    assert files.list_names(run.attempts) == [parts[1].scored[0].path]


def test_a_broken_done_record_is_refused(run: RunFolder) -> None:
    assert read_done_record(run, 0) is None
    for number, content in enumerate((b"[]", b'{"unit": 1}', b'"x"')):
        files.create(run.done_record(number), content)
        with pytest.raises(PublishError, match="is not a done-record"):
            read_done_record(run, number)


@pytest.mark.parametrize(
    "gone", [("stages", "began", "ended", "peak_memory"), ("stages",), ("worker", "peak_memory")]
)
def test_a_done_record_of_an_older_version_is_read(gone: tuple[str, ...], run: RunFolder) -> None:
    (part,) = write_units(run, whole_unit(make_unit(), [3]))
    older = {name: value for name, value in asdict(part).items() if name not in gone}
    files.replace(run.done_record(0), json.dumps(older).encode())
    recorded = read_done_record(run, 0)
    assert recorded == part
    assert recorded.stages == ({} if "stages" in gone else part.stages)


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "..", "a/b", ""])
@pytest.mark.parametrize("field", ["path", "sha256"])
def test_a_done_record_that_names_files_elsewhere_is_refused(
    field: str, name: str, run: RunFolder
) -> None:
    (part,) = write_units(run, whole_unit(make_unit(), [3]))
    record = asdict(replace(part, scored=(replace(part.scored[0], **{field: name}),)))
    files.replace(run.done_record(0), json.dumps(record).encode())
    with pytest.raises(PublishError, match="is not a done-record"):
        read_done_record(run, 0)


def test_a_record_of_another_unit_is_refused(run: RunFolder) -> None:
    write_units(run, whole_unit(make_unit(), [3]))
    files.create(run.done_record(1), files.read(run.done_record(0)) or b"")
    with pytest.raises(PublishError, match="is not a done-record"):
        read_done_record(run, 1)


def wake_up(run: RunFolder, unit: WorkUnit, writer: PartWriter | None, batch: ScoredBatch) -> None:
    writer = writer or PartWriter(run, unit, 0, file_format(rows_per_file=2))
    writer.write(batch)
    finish_unit(run, unit, writer.close(last=True))


def test_an_attempt_that_wakes_up_after_publishing_leaves_nothing(tmp_path: Path) -> None:
    """At each moment of its life the run's temporary folder goes: it fails, and does not make the folder again."""
    unit, batch = make_unit(0, 3), scored_batch(make_unit(0, 3), 0, [1, 2, 3], last=True)
    for moment in range(3):
        run = planned_run(str(tmp_path / str(moment)), [unit])
        writer = PartWriter(run, unit, 0, file_format(rows_per_file=2)) if moment else None
        if moment == 2:
            assert writer is not None
            writer.write(batch)
        files.remove(run.temporary)
        with pytest.raises((FileNotFoundError, PublishError)):
            wake_up(run, unit, writer, batch)
        assert files.list_names(f"{run.output}/_tmp") == []
        if writer is not None:
            writer.abandon()


def test_of_a_record_its_files_names_are_durable_and_it_need_not_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record that a crash takes is made again, with its unit; one that names files that a crash took would be believed."""
    unit, synced = make_unit(0, 3), list[str]()
    run = planned_run(str(tmp_path), [unit])
    writer = PartWriter(run, unit, 0, file_format())
    writer.write(scored_batch(unit, 0, [1, 2, 3], last=True))
    part = writer.close(last=True)
    monkeypatch.setattr(
        os, "fsync", lambda number: synced.append(Path(os.readlink(f"/proc/self/fd/{number}")).name)
    )
    assert finish_unit(run, unit, part) == (part,)
    assert synced == ["attempts", "run1"]  # the second for the folder of records


def test_an_attempt_that_is_late_by_a_moment_records_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder goes once its files are synced."""
    unit, sync = make_unit(0, 3), files.sync_folder
    run = planned_run(str(tmp_path), [unit])
    writer = PartWriter(run, unit, 0, file_format())
    writer.write(scored_batch(unit, 0, [1, 2, 3], last=True))
    part = writer.close(last=True)

    def sync_and_lose(url: str) -> None:
        sync(url)
        files.remove(run.temporary)

    monkeypatch.setattr(files, "sync_folder", sync_and_lose)
    with pytest.raises(FileNotFoundError):
        finish_unit(run, unit, part)
    assert files.list_names(f"{run.output}/_tmp") == []


@pytest.mark.parametrize("link", ["_tmp", "_tmp/run1", "_tmp/run1/attempts"])
def test_attempts_are_not_written_through_links_out_of_the_output(
    link: str, tmp_path: Path
) -> None:
    run = planned_run(str(tmp_path / "scores"), [])
    files.make_folder(run.attempts)
    (tmp_path / "scores" / link).rename(tmp_path / "elsewhere")
    (tmp_path / "scores" / link).symlink_to(tmp_path / "elsewhere")
    before = sorted((tmp_path / "elsewhere").rglob("*"))
    with pytest.raises(PublishError, match="leads out of"):
        PartWriter(run, make_unit(), 0, file_format())
    assert sorted((tmp_path / "elsewhere").rglob("*")) == before


def failing_at(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is full from the numbered opening of a file on."""
    opened, left = files.open_synced, iter(range(step))

    def full(url: str) -> Any:
        if next(left, None) is None:
            raise OSError(errno.ENOSPC, "No space left on device", url)
        return opened(url)

    monkeypatch.setattr(files, "open_synced", full)


@pytest.mark.parametrize("last", [True, False])
def test_an_attempt_that_fails_leaves_the_room_to_others_and_says_where(
    last: bool, tmp_path: Path, monkeypatch
) -> None:
    """Two files are stored, the third is not: in the middle of the unit, or where its bundle ends early."""
    unit = make_unit(0, 6)
    run = planned_run(str(tmp_path / "scores"), [unit])
    failing_at(2, monkeypatch)
    with pytest.raises(PublishError, match=r"s.parquet cannot be stored there: .*No space left"):
        write_units(
            run, [scored_batch(unit, 0, [0, 1, 2, 3, 4], last=last)], file_format(rows_per_file=2)
        )
    assert files.list_names(run.attempts) == []


def test_parts_of_a_bundle_that_ended_early_stay(tmp_path: Path) -> None:
    unit = make_unit(0, 6)
    run = planned_run(str(tmp_path / "scores"), [unit])
    verb = _WriteUnits(run, file_format(rows_per_file=2))
    verb.setup()
    assert list(verb.process(scored_batch(unit, 0, [0, 1, 2]))) == []
    (part,) = [v.value for v in verb.finish_bundle()]
    verb.start_bundle()
    verb.teardown()
    assert sorted(files.list_names(run.attempts)) == sorted(file.path for file in part.scored)
