"""Which units of a published run stand for which of a new one, and when that run is of no use."""

from pathlib import Path
from typing import Any

import pytest

from configs.errors import JobError, VerifyError
from pipelines.scoring import reuse
from pipelines.scoring.reuse import (
    _find_unit_number,
    _list_shard_counts,
    _make_part,
    _match_units,
    find_run_to_reuse,
    reuse_units,
)
from storage import files
from storage.run_folder import RunFolder
from tests.support.builders import make_unit, planned_run
from transforms.batches import WorkUnit
from transforms.output.done_record import read_done_record

Fields = dict[str, Any]
FOLDER = "files=0123"


def books_of(shard: str = "s.parquet", first_row: int = 0, **changes: Any) -> Fields:
    """Return the books of a unit of ten rows."""
    counts = {"in": 10, "scored": 10, "filtered": 0, "rejected": 0}
    return {"shard": shard, "first_row": first_row, **counts, **changes}


def manifest_of(*units: Fields, versions: dict[str, str] | None = None) -> Fields:
    """Return a manifest, as far as units are matched by it."""
    versions = versions or {"s.parquet": "v", "t.parquet": "v"}
    inputs = [{"url": url, "version": version} for url, version in versions.items()]
    return {"inputs": inputs, "units": list(units), "computed_by": ["cpu"]}


def match(manifest: Fields, *units: WorkUnit) -> list[tuple[int, int]]:
    """Return pairs of a new unit and the one that it was."""
    return [(unit.index, number) for unit, number in _match_units(units, manifest)]


def test_units_are_matched_by_shard_and_first_row_in_whatever_order() -> None:
    manifest = manifest_of(books_of(), books_of(first_row=10), books_of("t.parquet"))
    new = [
        make_unit(0, shard="t.parquet"),
        make_unit(1, first_row=10),
        make_unit(2, first_row=20),
        make_unit(3, shard="u.parquet"),
        make_unit(4),
    ]
    assert match(manifest, *new) == [(0, 2), (1, 1), (4, 0)]


@pytest.mark.parametrize(
    ("unit", "books", "is_reused"),
    [
        ({}, {}, True),
        ({"rows": None}, {}, True),
        # Cut in other places.
        ({"rows": 9}, {}, False),
        ({}, {"in": 11}, False),
        ({}, {"rejected": 1}, False),
        ({"rows": 9}, {"rejected": 1}, False),
        ({"rows": None}, {"rejected": 1}, False),
        ({"version": "w"}, {}, False),
        ({"files": "d"}, {}, False),
        ({}, {"files": "d"}, False),
        ({"files": "d"}, {"files": "e"}, False),
        ({"files": "d"}, {"files": "d"}, True),
        # A table that changed, and names the same files.
        ({"files": "d", "version": "w"}, {"files": "d"}, False),
        # Of a folder of files those of the unit count, and not the others.
        ({"files": "d", "version": FOLDER}, {"files": "d"}, True),
        ({"files": "d", "version": FOLDER}, {"files": "e"}, False),
        # A folder that is read as a table has no files that rows name.
        ({"version": FOLDER}, {}, False),
    ],
)
def test_a_unit_is_reused_where_nothing_of_it_changed_and_no_row_was_rejected(
    unit: Fields, books: Fields, is_reused: bool
) -> None:
    found = match(manifest_of(books_of(**books)), make_unit(**unit))
    assert found == ([(0, 0)] if is_reused else [])


def join_shards(*names: str, version: str = "v", **changes: Any) -> WorkUnit:
    """Return a unit that several whole shards are put together in."""
    members = [make_unit(0, 5, name, version=version) for name in names]
    return make_unit(0, 10, members=tuple(members), **changes)


@pytest.mark.parametrize(
    ("names", "version", "is_reused"),
    [
        (("s.parquet", "t.parquet"), "v", True),
        (("t.parquet", "s.parquet"), "v", False),
        (("s.parquet",), "v", False),
        (("s.parquet", "u.parquet"), "v", False),
        (("s.parquet", "t.parquet"), "w", False),
    ],
)
def test_shards_that_are_put_together_are_reused_together(
    names: tuple[str, ...], version: str, is_reused: bool
) -> None:
    books = books_of(shards=[[0, 5, 5, 0, 0, 0], [1, 5, 5, 0, 0, 0]])
    found = match(manifest_of(books), join_shards(*names, version=version))
    assert found == ([(0, 0)] if is_reused else [])


def test_a_member_that_is_alone_has_all_rows_of_its_unit() -> None:
    books = books_of(filtered=2, scored=7, left_out=1)
    assert _list_shard_counts(join_shards("s.parquet"), books) == ((0, 10, 7, 2, 0, 1),)
    assert _list_shard_counts(join_shards("s.parquet"), books_of()) == ((0, 10, 10, 0, 0, 0),)
    assert _list_shard_counts(make_unit(), books) == ()


def test_numbers_of_shards_are_those_of_members() -> None:
    books = books_of(shards=[[7, 4, 3, 1, 0, 0], [9, 6, 5, 0, 0, 1]])
    counts = _list_shard_counts(join_shards("s.parquet", "t.parquet"), books)
    assert counts == ((0, 4, 3, 1, 0, 0), (1, 6, 5, 0, 0, 1))


@pytest.mark.parametrize(("books", "left_out"), [({}, 0), ({"left_out": 3}, 3)])
def test_a_reused_part_is_as_the_books_say(books: Fields, left_out: int) -> None:
    unit = make_unit(4, 10, first_row=20)
    of_unit = books_of(filtered=2, scored=8, **books)
    part = _make_part(unit, {"computed_by": ["cpu", "gpu"]}, of_unit, (), ())
    assert (part.unit, part.first_row, part.last) == (4, 20, True)
    counts = (part.rows_in, part.rows_scored, part.rows_filtered, part.rows_rejected)
    assert counts == (10, 8, 2, 0)
    assert part.rows_left_out == left_out
    assert part.placement == "cpu; gpu"


@pytest.mark.parametrize(
    ("path", "number"),
    [
        ("scored/part-0000012-000.parquet", 12),
        ("scored/k=part-3-/part-0000000-001.csv", 0),
        ("part-7.parquet", 7),
    ],
)
def test_a_published_file_tells_its_unit(path: str, number: int) -> None:
    assert _find_unit_number({"path": path}) == number


@pytest.mark.parametrize("path", ["scored/rows.parquet", "scored/part-x.parquet", "part-1/a"])
def test_another_name_is_refused(path: str) -> None:
    with pytest.raises(VerifyError, match="is not the name of a published file"):
        _find_unit_number({"path": path})


def make_published(tmp_path: Path, content: bytes) -> tuple[RunFolder, Fields]:
    """Return a published run of one file, and its manifest."""
    run = RunFolder(str(tmp_path / "scores"), "before")
    path = "scored/part-0000000-000.parquet"
    url = files.join(run.published, path)
    Path(url).parent.mkdir(parents=True)
    Path(url).write_bytes(content)
    digest = files.compute_sha256(url)
    entry = {"path": path, "rows": 10, "bytes": len(content), "sha256": digest}
    # Of the second unit all rows were filtered, and there is no file.
    empty = books_of("t.parquet", filtered=10, scored=0)
    return run, {**manifest_of(books_of(), empty), "files": [entry]}


def test_reused_units_are_recorded_with_a_link_to_what_was_published(tmp_path: Path) -> None:
    units = [make_unit(0), make_unit(1, shard="t.parquet"), make_unit(2, shard="u.parquet")]
    new = planned_run(str(tmp_path / "scores"), units, "now")
    run, manifest = make_published(tmp_path, b"rows")
    assert reuse_units(new, units, run, manifest) == 2
    first, second, third = (read_done_record(new, unit.index) for unit in units)
    assert first is not None
    (file,) = first.scored
    assert (file.rows, file.bytes) == (10, 4)
    assert files.read(files.join(new.attempts, file.path)) == b"rows"
    assert second is not None
    assert second.scored == ()
    assert third is None


def test_what_was_altered_since_is_not_reused(tmp_path: Path) -> None:
    units = [make_unit(0)]
    new = planned_run(str(tmp_path / "scores"), units, "now")
    run, manifest = make_published(tmp_path, b"rows")
    manifest["files"][0]["sha256"] = "0" * 64
    with pytest.raises(VerifyError, match="its content was altered"):
        reuse_units(new, units, run, manifest)
    assert read_done_record(new, 0) is None


def head_of(**changes: Any) -> Fields:
    """Return what is known of a run for its manifest."""
    head = {
        "model": {"digest": "d"},
        "job": {},
        "computing": {"dtype": "float32"},
        "libraries": {"torch": "2"},
        "schema": ["a"],
        "rows": {"rejected": 1},
    }
    return head | changes


def find(
    monkeypatch: pytest.MonkeyPatch, then: Fields, now: Fields, run_id: str, found: str
) -> list[str | None]:
    """Look for a run to reuse, and return which one was asked for."""
    asked: list[str | None] = []
    run = RunFolder("/out", found)

    def read(output: str, wanted: str | None) -> tuple[RunFolder, Fields]:
        asked.append(wanted)
        return run, then

    monkeypatch.setattr(reuse, "read_manifest", read)
    assert find_run_to_reuse(RunFolder("/out", "now"), now, run_id) == (run, then)
    return asked


@pytest.mark.parametrize(("run_id", "wanted"), [("current", None), ("r1", "r1")])
def test_the_current_run_or_the_one_that_is_named_is_reused(
    run_id: str, wanted: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find(monkeypatch, head_of(), head_of(), run_id, "r1") == [wanted]


@pytest.mark.parametrize(
    ("then", "found", "message"),
    [
        ({}, "now", "--reuse_from current: model, settings and shards are as they were"),
        ({"model": {"digest": "e"}}, "r1", "another model"),
        ({"job": {"source": {"a": 1}}}, "r1", "another job"),
        ({"computing": None}, "r1", "another setting of speed"),
        ({"libraries": {}}, "r1", "another libraries"),
        ({"schema": []}, "r1", "another schema"),
    ],
)
def test_a_run_that_is_of_no_use_is_refused(
    then: Fields, found: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(JobError, match=message):
        find(monkeypatch, head_of(**then), head_of(), "current", found)
