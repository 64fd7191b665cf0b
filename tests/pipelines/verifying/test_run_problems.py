"""What verifying finds in a published run: each way in which its folder, or its books, may differ from its manifest."""

from collections.abc import Callable
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines import verify
from pipelines.cli.command_line import run_program
from pipelines.verifying.changed_inputs import _find_change_below
from pipelines.verifying.run_problems import find_problems
from storage import files
from storage.layout import read_manifest
from storage.run_folder import RunFolder
from tests.support.publishing import SCHEMA, two_units
from transforms.output.manifest import content_sha256, describe_schema
from transforms.publish import publish_run

HEAD = {"format": 1, "planned_at": "2024-01-01T00:00:00+00:00", "schema": describe_schema(SCHEMA)}
Change = Callable[[dict[str, Any]], object]


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """A published run of 10 rows: of unit 0 four were scored and one filtered, of unit 1 four scored and one rejected."""
    run, _ = two_units(str(tmp_path / "scores"))
    publish_run(run, [], HEAD, 1, 0.0)
    return run


def problems(run: RunFolder, change: Change | None = None, is_current: bool = True) -> list[str]:
    _, manifest = read_manifest(run.output)
    manifest = json.loads(json.dumps(manifest))
    if change is not None:
        change(manifest)
        everything = manifest["files"] + manifest["rejected_files"]
        manifest["content_sha256"] = content_sha256(everything)
    return list(find_problems(run, manifest, is_current))


def add(*path: str | int, by: int) -> Change:
    """Return what adds to a number of a manifest."""

    def change(manifest: Any) -> None:
        for key in path[:-1]:
            manifest = manifest[key]
        manifest[path[-1]] += by

    return change


def test_a_run_that_is_as_published_has_no_problem_and_is_said_to_have_none(
    run: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert problems(run) == []
    assert run_program(verify.main, [run.output]) == 0
    said = capsys.readouterr().out
    assert "verified: run run1, 3 files, 10 rows in = 8 scored + 1 filtered + 1 rejected" in said


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (add("rows", "in", by=1), ["the books do not balance: ", "the units come to 10 rows in, but the manifest's total is 11"]),
        (add("rows", "filtered", by=-1), ["the books do not balance: ", "the units come to 1 rows filtered, but the manifest's total is 0"]),
        (add("units", 1, "in", by=1), ["b.parquet from row 0: the books of this unit do not balance", "the units come to 11 rows in"]),
        (add("files", 0, "rows", by=1), ["the files hold 9 scored rows, but the manifest's total is 8", "scored/part-00000-000-"]),
        (add("rejected_files", 0, "rows", by=-1), ["the files hold 0 rejected rows, but the manifest's total is 1", "_rejected/part-00001-"]),
        (lambda m: m["files"][0].update(sha256="0" * 64), ["scored/part-00000-000-"]),
        (lambda m: m["schema"].reverse(), ["scored/part-00000-000-", "scored/part-00000-001-", "scored/part-00001-"]),
        (lambda m: m["files"].pop(), ["the files hold 4 scored rows", "scored/part-00001-"]),
        (lambda m: m.pop("units"), ["_manifest.json is not a manifest: KeyError: 'units'"]),
        (lambda m: m.update(rows=[]), ["_manifest.json is not a manifest: TypeError: "]),
    ],
)  # fmt: skip
def test_books_that_do_not_come_to_what_they_say_are_told(
    change: Change, expected: list[str], run: RunFolder
) -> None:
    found = problems(run, change)
    assert len(found) == len(expected)
    for text, beginning in zip(found, expected, strict=True):
        assert text.startswith(beginning)


def test_a_list_of_files_that_was_altered_is_told(run: RunFolder) -> None:
    path = Path(run.manifest)
    manifest = json.loads(path.read_text())
    manifest["files"][0]["bytes"] += 1
    path.write_text(json.dumps(manifest))
    assert problems(run) == ["the manifest's list of files was altered (content_sha256 differs)"]


def first_part(run: RunFolder) -> Path:
    return min(Path(run.scored).iterdir())


def test_what_became_of_a_file_is_told(run: RunFolder) -> None:
    part = first_part(run)
    content = part.read_bytes()
    part.write_bytes(content[:-1] + b"x")
    assert problems(run) == [f"scored/{part.name}: its content was altered (sha256 differs)"]
    part.unlink()
    assert problems(run) == [f"scored/{part.name}: is missing"]
    part.write_bytes(content)
    assert problems(run) == []


def test_a_file_of_other_rows_than_its_digest_stands_for_is_told(run: RunFolder) -> None:
    """As a faulty disk would leave it, whose digest was taken of what it kept."""
    part = first_part(run)
    pq.write_table(pq.read_table(part).slice(0, 2), part)

    def trust(manifest: dict[str, Any]) -> None:
        (entry,) = (e for e in manifest["files"] if e["path"] == f"scored/{part.name}")
        entry["sha256"] = files.compute_sha256(str(part))

    assert problems(run, trust) == [f"scored/{part.name}: does not hold 3 rows"]


def test_a_stranger_that_readers_would_take_is_told(run: RunFolder) -> None:
    for name in ("part-9.parquet", "notes.txt", "_SUCCESS"):
        pq.write_table(pa.table({"id": [1]}), Path(run.published) / name)
    told = "part-9.parquet: is not in the manifest, but a reader of part-* would take it"
    assert problems(run) == [told]


@pytest.mark.parametrize("name", ["part-9.parquet", "notes.txt", "_SUCCESS", ".DS_Store", "more/x"])
def test_whatever_is_beside_the_scored_rows_is_told(name: str, run: RunFolder) -> None:
    files.create(f"{run.scored}/{name}", b"x")
    path = f"scored/{name.partition('/')[0]}"
    told = f"{path}: is not in the manifest, but a reader of the folder would take it"
    assert problems(run) == [told]


def test_a_link_that_leads_elsewhere_is_a_problem_of_the_current_run_alone(run: RunFolder) -> None:
    link = Path(run.output) / "current"
    link.unlink()
    link.symlink_to("runs")
    told = "the link `current` does not lead to the run that CURRENT names"
    assert problems(run) == [told]
    assert problems(run, is_current=False) == []
    assert run_program(verify.main, [run.output]) == 3
    other, _ = two_units(run.output, "run2")
    publish_run(other, [], {**HEAD, "planned_at": "2024-01-02T00:00:00+00:00"}, 1, 0.0)
    link.unlink()
    link.symlink_to("runs")
    assert run_program(verify.main, [run.output, "--run", "run1"]) == 0
    assert run_program(verify.main, [run.output]) == 3


def test_a_store_has_no_link_that_could_lead_elsewhere() -> None:
    run, _ = two_units("memory://verify_problems")
    publish_run(run, [], HEAD, 1, 0.0)
    assert problems(run) == []


def raise_error(error: Exception) -> str:
    raise error


@pytest.mark.parametrize(
    ("look", "told"),
    [
        (lambda: "1", None),
        (lambda: "2", "file /files/a.png: changed since it was scored"),
        (lambda: raise_error(FileNotFoundError()), "file /files/a.png: is gone"),
        (
            lambda: raise_error(PermissionError(13, "Permission denied")),
            "file /files/a.png: cannot be looked at: Permission denied",
        ),
        (
            lambda: raise_error(OSError("no answer")),
            "file /files/a.png: cannot be looked at: no answer",
        ),
    ],
)
def test_a_file_that_a_row_named_is_what_it_was(look: Callable[[], str], told: str | None) -> None:
    def describe(name: str) -> Any:
        assert name == "a.png"
        return SimpleNamespace(version=look())

    root: Any = SimpleNamespace(url="/files", describe=describe)
    file: Any = SimpleNamespace(name="a.png", version="1")
    assert _find_change_below(root, file) == told
