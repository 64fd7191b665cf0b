from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import partial
import json
import os
from pathlib import Path
from typing import Any
import uuid

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from configs.errors import BudgetError, PublishError, SupersededError
from storage import disk, files
from storage.layout import find_current_run, read_manifest, remove_temporary
from storage.run_folder import RunFolder
from tests.support.builders import make_unit, planned_run, scored_batch
from tests.support.publishing import tree, two_units, write
from transforms.announce import Published, announce
from transforms.batches import WrittenPart
from transforms.output.books import balance, choose_parts
from transforms.output.done_record import read_done_record
from transforms.output.manifest import content_sha256, describe_run
from transforms.output.published_files import Move, _give_name, move_files
from transforms.publish import publish_run
from transforms.publish_errors import storage_errors
from transforms.timing import STAGES

# Of two launches that were planned at one moment the last one moves CURRENT.
HEAD = {"format": 1, "job": {"name": "demo"}, "planned_at": "2100-01-01T00:00:00.000000+00:00"}


def planned(year: int) -> dict[str, Any]:
    """Return the head of a launch that was planned in that year."""
    return {**HEAD, "planned_at": f"{year}-01-01T00:00:00.000000+00:00"}


@pytest.fixture(params=["local", "memory"])
def output(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "local":
        yield str(tmp_path / "scores")
        return
    name = uuid.uuid4().hex
    yield f"memory:///{name}"
    if fsspec.filesystem("memory").exists(f"/{name}"):
        fsspec.filesystem("memory").rm(f"/{name}", recursive=True)


def publish_two(output: str) -> tuple[RunFolder, Published]:
    run, parts = two_units(output)
    return run, publish_run(run, parts, HEAD, 1, 0.0)


def check_published(output: str, run: RunFolder) -> dict[str, Any]:
    """What a reader finds by CURRENT -> manifest -> files."""
    assert find_current_run(output) == run.run_id
    manifest: dict[str, Any] = json.loads(files.read(run.manifest) or b"")
    listed = manifest["files"] + manifest["rejected_files"]
    for entry in listed:
        url = f"{run.published}/{entry['path']}"
        assert files.compute_sha256(url) == entry["sha256"]
        content = files.read(url) or b""
        assert len(content) == entry["bytes"]
        assert pq.read_metadata(pa.BufferReader(content)).num_rows == entry["rows"]
        assert entry["sha256"][:12] in entry["path"]
    assert set(tree(run.published)) == {e["path"] for e in listed} | {"_manifest.json"}
    assert not files.exists(run.temporary)
    if files.is_local(output):
        assert os.readlink(f"{output}/current") == f"runs/{run.run_id}/scored"
        assert os.listdir(f"{output}/current") == os.listdir(run.scored)
    return manifest


def test_a_run_is_published_whole(output: str) -> None:
    run, published = publish_two(output)
    assert published == Published("run1", 10, 8, 1, 1)
    manifest = check_published(output, run)
    assert manifest["rows"] == {"in": 10, "scored": 8, "filtered": 1, "rejected": 1}
    assert [e["rows"] for e in manifest["files"]] == [3, 1, 4]
    names = [e["path"].rsplit("-", 1)[0] for e in manifest["files"] + manifest["rejected_files"]]
    scored = [f"scored/part-{place}" for place in ("00000-000", "00000-001", "00001")]
    assert names == [*scored, "_rejected/part-00001"]
    digests = [e["sha256"][:12] for e in manifest["files"] + manifest["rejected_files"]]
    assert [
        e["path"].removeprefix(f"{name}-")
        for e, name in zip(manifest["files"] + manifest["rejected_files"], names, strict=True)
    ] == [f"{digest}.parquet" for digest in digests]
    assert manifest["job"] == {"name": "demo"}
    assert manifest["computed_by"] == ["cpu float32"]
    assert manifest["run_id"] == "run1"


def test_a_unit_that_was_done_before_needs_no_part(output: str) -> None:
    run, _ = two_units(output)
    assert publish_run(run, [], HEAD, 1, 0.0).rows_in == 10
    check_published(output, run)


def test_publishing_twice_changes_nothing(output: str) -> None:
    run, parts = two_units(output)
    first = publish_run(run, parts, HEAD, 1, 0.0)
    before = tree(output)
    assert publish_run(run, parts, HEAD, 1, 0.0) == first
    assert publish_run(run, [], {**HEAD, "other": "head"}, 0, 0.0) == first
    assert tree(output) == before


def test_the_next_run_leaves_the_old_one_as_it_was(output: str) -> None:
    run, _ = publish_two(output)
    before = tree(run.published)
    other, parts = two_units(output, "run2")
    publish_run(other, parts, HEAD, 1, 0.0)
    check_published(output, other)
    assert tree(run.published) == before


def test_a_late_attempt_does_not_lead_readers_back_to_an_older_run(output: str) -> None:
    run, parts = publish_two(output)
    newer, its_parts = two_units(output, "run2")
    publish_run(newer, its_parts, planned(2101), 1, 0.0)
    published = tree(output)
    for _ in range(2):
        with pytest.raises(SupersededError, match="readers stay with run run2"):
            publish_run(run, parts, HEAD, 1, 0.0)
        assert tree(output) == published
    announce(run, datetime(2102, 1, 1, tzinfo=UTC))  # its command was given again
    assert find_current_run(output) == "run1"


def published_at(run: RunFolder, time: str) -> None:
    """Let the manifest say that the run was published at another time."""
    manifest = json.loads(files.read(run.manifest) or b"")
    files.replace(run.manifest, json.dumps({**manifest, "published_at": time}).encode())


def test_a_new_run_leads_whatever_the_clock_of_the_last_one_said(output: str) -> None:
    run, _ = publish_two(output)
    published_at(run, "2999-01-01T00:00:00.000+00:00")
    newer, its_parts = two_units(output, "run2")
    publish_run(newer, its_parts, HEAD, 1, 0.0)
    assert find_current_run(output) == "run2"


def test_a_run_that_was_planned_first_and_ends_last_is_published_and_not_current(
    output: str,
) -> None:
    """Its files are there for whoever asks for them, and its temporary ones are gone."""
    newer, its_parts = two_units(output, "run2")
    publish_run(newer, its_parts, planned(2101), 1, 0.0)
    run, parts = two_units(output)
    with pytest.raises(
        SupersededError, match=r"run1: is published, but readers stay with run run2"
    ):
        publish_run(run, parts, HEAD, 1, 0.0)
    assert find_current_run(output) == "run2"
    assert read_manifest(output, "run1")[1]["rows"]["in"] == 10
    assert not files.exists(run.temporary)
    announce(run, datetime(2102, 1, 1, tzinfo=UTC))
    check_published(output, run)


def test_a_late_attempt_completes_what_was_killed_once_the_manifest_stood(output: str) -> None:
    publish_two(output)
    newer, its_parts = two_units(output, "run2")
    publish_run(newer, its_parts, HEAD, 1, 0.0)
    files.replace(f"{output}/CURRENT", b"run1\n")
    publish_run(newer, [], HEAD, 1, 0.0)
    assert find_current_run(output) == "run2"


def test_a_unit_whose_files_somebody_removed_is_written_again_by_the_next_run(output: str) -> None:
    run, parts = two_units(output)
    for file in parts[0].scored:
        files.remove(files.join(run.attempts, file.path))
    with pytest.raises(PublishError, match="run again to resume"):
        publish_run(run, [], HEAD, 1, 0.0)
    assert read_done_record(run, 0) is None
    assert read_done_record(run, 1) is not None


@pytest.mark.parametrize("killed_after", range(20))
def test_a_removal_that_is_killed_leaves_no_record_without_its_files(
    killed_after: int, tmp_path: Path, monkeypatch
) -> None:
    run, _ = two_units(str(tmp_path / "out"))
    allowed = iter(range(killed_after))

    def strike(step: Callable[..., None], *arguments: Any) -> None:
        if next(allowed, None) is None:
            raise KeyboardInterrupt
        step(*arguments)

    with monkeypatch.context() as patched, suppress(KeyboardInterrupt):
        for name in ("_drop", "_drop_folder"):
            patched.setattr(disk, name, partial(strike, getattr(disk, name)))
        remove_temporary(run)
    records = [record for unit in (0, 1) if (record := read_done_record(run, unit)) is not None]
    for file in (file for record in records for file in (*record.scored, *record.rejected)):
        assert files.exists(files.join(run.attempts, file.path))


def steps_until(run: RunFolder, parts: list[WrittenPart], stop: int) -> None:
    """The steps of publishing, one by one, up to the `stop`-th: where a crash may be."""
    chosen = choose_parts(run, [make_unit(0, 5, "a.parquet"), make_unit(1, 5, "b.parquet")], parts)
    if stop == 0:
        files.make_folder(run.scored)
        file = chosen[0].scored[0]
        name = f"part-00000-000-{file.sha256[:12]}.parquet"
        _give_name(run, Move(file, f"scored/{name}", name))
        return
    entries = move_files(run, chosen)
    if stop == 1:
        return
    content = {**HEAD, **describe_run(run, chosen, balance(chosen), entries)}
    files.create(run.manifest, json.dumps(content).encode())
    if stop >= 3:
        files.replace(f"{run.output}/CURRENT", b"run1\n")
    if stop >= 4:
        files.remove(run.attempts)


@pytest.mark.parametrize("stop", range(5))
def test_publishing_goes_on_after_a_crash_between_any_two_steps(output: str, stop: int) -> None:
    run, parts = two_units(output)
    steps_until(run, parts, stop)
    assert publish_run(run, parts if stop % 2 else [], HEAD, 1, 0.0) == Published(
        "run1", 10, 8, 1, 1
    )
    check_published(output, run)


def test_strays_of_an_interrupted_publication_are_removed(output: str) -> None:
    run, parts = two_units(output)
    for folder in ("", "/scored", "/_rejected"):
        files.put(f"{run.published}{folder}/part-00009-0123456789ab.parquet", b"stray")
    publish_run(run, parts, HEAD, 1, 0.0)
    check_published(output, run)


def test_strays_of_a_publication_that_was_killed_once_its_manifest_stood_are_removed(
    output: str,
) -> None:
    run, _ = publish_two(output)
    files.put(f"{run.scored}/part-00009-0123456789ab.parquet", b"stray")
    assert publish_run(run, [], HEAD, 1, 0.0).rows_in == 10
    check_published(output, run)


def test_another_content_first_is_refused_and_stands(output: str) -> None:
    """Another launcher creates the manifest after our look at it: while our parts are still coming in."""
    run, parts = two_units(output)
    other = b'{"content_sha256": "other", "files": [], "rejected_files": []}'

    def late() -> Iterator[WrittenPart]:
        yield from parts
        assert files.create(run.manifest, other)

    with pytest.raises(
        PublishError, match="another launcher published this run first, with other content"
    ):
        publish_run(run, late(), HEAD, 1, 0.0)
    assert files.read(run.manifest) == other
    assert files.list_names(run.scored) == []
    assert find_current_run(output) is None


@pytest.mark.parametrize("standing", [b"[1]", b"[" * 100_000], ids=["a list", "deep"])
def test_what_stands_there_first_and_is_no_manifest_is_told(standing: bytes, output: str) -> None:
    run, parts = two_units(output)

    def late() -> Iterator[WrittenPart]:
        yield from parts
        assert files.create(run.manifest, standing)

    with pytest.raises(PublishError, match=r"_manifest\.json: is no manifest; move it away"):
        publish_run(run, late(), HEAD, 1, 0.0)
    assert files.read(run.manifest) == standing
    assert find_current_run(output) is None


def test_the_same_content_first_is_no_matter(output: str) -> None:
    run, parts = two_units(output)

    def late() -> Iterator[WrittenPart]:
        yield from parts
        publish_run(run, parts, {**HEAD, "who": "the other"}, 1, 0.0)

    assert publish_run(run, late(), HEAD, 1, 0.0).rows_in == 10
    assert check_published(output, run)["who"] == "the other"


def timed(parts: list[WrittenPart], seconds: float, began: float = 1_000.0) -> list[WrittenPart]:
    """The parts as workers side by side made them, each in `seconds`, half of which it read and a quarter each predicted and waited."""
    stages = {"read": seconds / 2, "model": seconds / 4, "wait": seconds / 4}
    memory = {"peak_memory": round(seconds)}
    return [replace(p, stages=stages, began=began, ended=began + seconds, **memory) for p in parts]


def test_the_manifest_tells_where_the_time_went(output: str) -> None:
    run, parts = two_units(output)
    for unit in (0, 1):
        files.remove(run.done_record(unit))
    publish_run(run, [*timed(parts[:1], 8.0), *timed(parts[1:], 4.0, 1_006.0)], HEAD, 1, 0.0)
    manifest = check_published(output, run)
    assert list(manifest["stages"]) == list(STAGES)
    assert manifest["stages"]["read"] == {"seconds": 6.0, "share": 0.5}
    assert manifest["stages"]["wait"] == {"seconds": 3.0, "share": 0.25}
    assert manifest["stages"]["decode"] == {"seconds": 0.0, "share": 0.0}
    assert (manifest["seconds"], manifest["rows_per_second"], manifest["peak_memory_bytes"]) == (
        10.0,
        1,
        8,
    )


def test_parts_whose_time_nobody_knows_are_left_out_of_it(output: str) -> None:
    run, parts = two_units(output)
    for unit, part in enumerate(
        (replace(parts[0], stages={}, began=0.0, ended=0.0, peak_memory=0), *timed(parts[1:], 1.0))
    ):
        files.replace(run.done_record(unit), json.dumps(asdict(part)).encode())
    publish_run(run, [], HEAD, 1, 0.0)
    manifest = check_published(output, run)
    assert (manifest["seconds"], manifest["rows_per_second"], manifest["peak_memory_bytes"]) == (
        1.0,
        5,
        1,
    )
    assert sum(entry["share"] for entry in manifest["stages"].values()) == 1


def test_other_times_are_no_other_content(output: str) -> None:
    run, parts = two_units(output)
    for unit in (0, 1):
        files.remove(run.done_record(unit))

    def late() -> Iterator[WrittenPart]:
        yield from timed(parts, 2.0)
        publish_run(run, timed(parts, 8.0), HEAD, 1, 0.0)

    assert publish_run(run, late(), HEAD, 1, 0.0).rows_in == 10
    assert check_published(output, run)["stages"]["read"]["seconds"] == 8.0


def test_where_the_temporary_folder_went_and_no_manifest_came_nothing_is_published(
    tmp_path: Path, monkeypatch
) -> None:
    run, parts = two_units(str(tmp_path / "scores"))
    create = files.create

    def too_late(*arguments: Any, **flags: Any) -> bool:
        files.remove(run.temporary)
        return create(*arguments, **flags)

    monkeypatch.setattr(files, "create", too_late)
    with pytest.raises(PublishError, match="somebody removed the folder"):
        publish_run(run, parts, HEAD, 1, 0.0)
    assert files.read(run.manifest) is None
    assert find_current_run(run.output) is None


def nothing_published(run: RunFolder) -> None:
    assert find_current_run(run.output) is None
    assert files.read(run.manifest) is None
    assert files.list_names(run.published) == []


def test_a_missing_unit_is_refused(output: str) -> None:
    run, parts = two_units(output)
    files.remove(run.done_record(1))
    with pytest.raises(PublishError, match=r"b.parquet: unit 1 was not written whole"):
        publish_run(run, parts[:1], HEAD, 1, 0.0)
    nothing_published(run)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(28, "No space left on device"), "No space left on device"),
        (PermissionError(13, "Permission denied", "/a/b"), "/a/b: Permission denied"),
        (OSError("refused by the store"), "refused by the store"),
    ],
)
def test_an_error_of_the_storage_is_told_with_what_to_do(
    error: OSError, reason: str, output: str
) -> None:
    run, _ = two_units(output)
    with pytest.raises(PublishError) as refused, storage_errors(run):
        raise error
    todo = "make room or mend the folder, and run again to resume"
    assert str(refused.value) == f"{run.published}: cannot be published: {reason}; {todo}"


def test_a_file_that_is_gone_is_refused(output: str) -> None:
    run, parts = two_units(output)
    files.remove(f"{run.attempts}/{parts[1].scored[0].path}")
    with pytest.raises(PublishError, match="cannot be published"):
        publish_run(run, parts, HEAD, 1, 0.0)
    assert find_current_run(output) is None
    assert files.read(run.manifest) is None


def test_books_that_do_not_balance_are_refused(output: str) -> None:
    run, parts = two_units(output)
    for change in ({"rows_scored": 3}, {"rows_filtered": 0}, {"rows_rejected": 7}):
        files.remove(run.done_record(0))
        files.create(run.done_record(0), json.dumps(asdict(replace(parts[0], **change))).encode())
        with pytest.raises(PublishError, match="unit 0: 5 rows in, but"):
            publish_run(run, [], HEAD, 10, 0.0)
        nothing_published(run)


def test_a_unit_of_other_length_than_planned_is_refused(output: str) -> None:
    run, parts = two_units(output)
    files.remove(run.done_record(0))
    files.create(
        run.done_record(0),
        json.dumps(asdict(replace(parts[0], rows_in=4, rows_filtered=0))).encode(),
    )
    with pytest.raises(PublishError, match="unit 0 was not written whole"):
        publish_run(run, [], HEAD, 1, 0.0)


def test_over_budget_nothing_is_published_and_the_rejected_rows_can_be_read(output: str) -> None:
    run, parts = two_units(output)
    with pytest.raises(
        BudgetError, match=r"1 of 10 rows were rejected, .*attempts/\*-rejected.parquet"
    ):
        publish_run(run, parts, HEAD, 0, 9.9)
    nothing_published(run)
    assert any(name.endswith("-rejected.parquet") for name in files.list_names(run.attempts))
    assert publish_run(run, [], HEAD, 0, 10.0).rows_rejected == 1


def test_the_recorded_attempt_goes_before_the_parts(output: str) -> None:
    run, parts = two_units(output)
    units = [make_unit(0, 5, "a.parquet"), make_unit(1, 5, "b.parquet")]
    zombies = [replace(p, attempt="zombie", scored=()) for p in parts]
    assert choose_parts(run, units, zombies) == parts


def test_pieces_are_published_in_row_order(output: str) -> None:
    unit = make_unit(0, 6)
    run = planned_run(output, [unit])
    late = write(run, unit, scored_batch(unit, 3, [3, 4, 5], last=True))
    early = write(run, unit, scored_batch(unit, 0, [0, 1, 2]))
    publish_run(run, [late, early], HEAD, 0, 0.0)
    manifest = check_published(output, run)
    ids = [
        i
        for e in manifest["files"]
        for i in pq.read_table(pa.BufferReader(files.read(f"{run.published}/{e['path']}") or b""))[
            "id"
        ].to_pylist()
    ]
    assert ids == list(range(6))


def test_the_digest_of_the_content_does_not_depend_on_order_and_sees_every_field() -> None:
    entries = [
        {"path": "a", "rows": 1, "bytes": 2, "sha256": "x"},
        {"path": "b", "rows": 3, "bytes": 4, "sha256": "y"},
    ]
    digest = content_sha256(entries)
    assert content_sha256(entries[::-1]) == digest
    for field in ("path", "rows", "bytes", "sha256"):
        assert content_sha256([{**entries[0], field: 9}, entries[1]]) != digest


@pytest.mark.parametrize(
    "link", ["runs", "runs/run1", "runs/run1/scored", "_tmp/run1/attempts", "attempt"]
)
def test_nothing_is_published_through_links_out_of_the_output(link: str, tmp_path: Path) -> None:
    output, elsewhere = tmp_path / "scores", tmp_path / "elsewhere"
    run, parts = two_units(str(output))
    files.make_folder(run.scored)
    place = Path(run.attempts, parts[1].scored[0].path) if link == "attempt" else output / link
    place.rename(elsewhere)
    place.symlink_to(elsewhere)
    before = tree(str(elsewhere)) if elsewhere.is_dir() else {}
    with pytest.raises(PublishError, match="leads out of"):
        publish_run(run, parts, HEAD, 1, 0.0)
    assert not (output / "CURRENT").exists()
    assert elsewhere.is_file() or tree(str(elsewhere)) == before
    assert not list(output.glob("runs/run1/**/part-*")), "refused before anything is moved"


def test_published_files_and_folders_are_for_owner_and_group(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        publish_two(str(tmp_path / "scores"))
    finally:
        os.umask(before)
    modes = {p.lstat().st_mode & 0o7777 for p in (tmp_path / "scores").rglob("*") if p.is_file()}
    folders = {
        p.lstat().st_mode & 0o7777
        for p in (tmp_path / "scores").rglob("*")
        if p.is_dir() and not p.is_symlink()
    }
    assert (modes, folders) == ({0o640}, {0o750})
