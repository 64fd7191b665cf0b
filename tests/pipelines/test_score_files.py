"""Pictures from a folder, and by the paths of a table: the same scores as Pillow and torch give; what fails costs its row."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest

from pipelines import score, verify
from pipelines.cli.command_line import run_program
from pipelines.scoring import launch as launching
from tests.support.jobs import Outcome, run_job, write_job
from tests.support.pictures import (
    find_scores,
    load_step,
    make_picture_package,
    make_png,
    write_paths,
    write_pictures,
)
from tests.support.runs import published


def write_folder_job(tmp_path: Path, **sections: Any) -> Path:
    """A job that scores the pictures of the folder `photos`."""
    package = make_picture_package(tmp_path / "model")
    source = {"paths": f"{tmp_path}/photos", "format": "files", "key": "path", "recursive": True}
    files = {"content": "photo", **sections.pop("files", {})}
    source |= {"files": files, **sections.pop("source", {})}
    errors = {"max_rejected_percent": 100.0}
    return write_job(tmp_path, package, source=source, errors=errors, **sections)


def write_table_job(tmp_path: Path, paths: list[str | None], **changes: Any) -> Path:
    """A job that scores the pictures which a table names."""
    package = make_picture_package(tmp_path / "model")
    write_paths(tmp_path / "shards/a.parquet", paths)
    steps = [load_step(tmp_path / "photos", **changes)]
    errors = {"max_rejected_percent": 100.0}
    return write_job(tmp_path, package, preprocess={"steps": steps}, errors=errors)


def scores_of(outcome: Outcome, key: str) -> dict[Any, float]:
    rows = outcome.scored().to_pylist()
    return {row[key]: row["probability"] for row in rows}


def messages(outcome: Outcome) -> dict[Any, str]:
    return {row["key"]: row["message"] for row in outcome.rejected()}


def check_scores(actual: dict[Any, float], expected: dict[Any, bytes]) -> None:
    assert list(actual) == list(expected)
    wanted = find_scores(list(expected.values()))
    np.testing.assert_allclose(list(actual.values()), wanted, atol=1e-6)


@pytest.mark.beam
def test_a_folder_of_pictures_is_scored_a_row_for_each(tmp_path: Path) -> None:
    pictures = write_pictures(tmp_path / "photos")
    (tmp_path / "photos/notes.txt").write_text("no picture")
    (tmp_path / "photos/.hidden.png").write_bytes(b"")
    outcome = run_job(write_folder_job(tmp_path))
    assert outcome.status == 0, outcome.error
    check_scores(scores_of(outcome, "path"), pictures)
    assert outcome.manifest["ignored_counts"] == {"hidden": 1, "other suffix": 1}
    assert run_program(verify.main, [str(tmp_path / "scores"), "--inputs"]) == 0
    # As the last line of a run says.
    read = duckdb.sql(f"SELECT path FROM read_parquet('{outcome.run}/scored/*.parquet')").fetchall()
    assert [path for (path,) in read] == list(pictures)


@pytest.mark.beam
def test_the_pictures_that_a_table_names_are_scored(tmp_path: Path) -> None:
    pictures = write_pictures(tmp_path / "photos")
    outcome = run_job(write_table_job(tmp_path, list(pictures)))
    assert outcome.status == 0, outcome.error
    by_id = dict(enumerate(pictures.values()))
    check_scores(scores_of(outcome, "id"), by_id)
    assert run_program(verify.main, [str(tmp_path / "scores"), "--inputs"]) == 0


def test_a_file_that_cannot_be_taken_costs_its_row_and_its_message_leads_to_it(
    tmp_path: Path,
) -> None:
    pictures = write_pictures(tmp_path / "photos", 3)
    (tmp_path / "secret.png").write_bytes(make_png(1))
    (tmp_path / "photos/out.png").symlink_to(tmp_path / "secret.png")
    (tmp_path / "photos/in.png").symlink_to(tmp_path / "photos/odd/001.png")
    (tmp_path / "photos/large.png").write_bytes(b"x" * 2_000)
    (tmp_path / "photos/empty.png").touch()
    (tmp_path / "photos/broken.png").write_bytes(b"no picture")
    paths = {
        "even/000.png": None,
        "odd/001.png": None,
        "in.png": None,
        "./even/002.png": None,
        f"{tmp_path}/photos/even/000.png": None,
        "gone.png": "'path': gone.png: [Errno 2] No such file or directory",
        "out.png": "'path': out.png: is, or is below, a link that leads out of the root",
        "../secret.png": "'path': the path holds .., which leads out of a folder",
        f"{tmp_path}/secret.png": "'path': the path is absolute, and not below the root",
        "s3://other/secret.png": "'path': the path names another place than the root",
        "large.png": "'path': large.png: has 2,000 bytes, more than max_bytes 1,000",
        "empty.png": "no image",
        "even": "'path': even: is a folder",
        None: "column 'photo': missing value",
    }
    outcome = run_job(write_table_job(tmp_path, list(paths), max_bytes=1_000))
    assert outcome.status == 0, outcome.error
    expected = {n: message for n, message in enumerate(paths.values()) if message}
    assert messages(outcome) == expected
    names = ["even/000.png", "odd/001.png", "odd/001.png", "even/002.png", "even/000.png"]
    check_scores(scores_of(outcome, "id"), {n: pictures[name] for n, name in enumerate(names)})


def test_in_a_folder_too(tmp_path: Path) -> None:
    pictures = write_pictures(tmp_path / "photos", 3)
    (tmp_path / "secret.png").write_bytes(make_png(1))
    (tmp_path / "photos/out.png").symlink_to(tmp_path / "secret.png")
    (tmp_path / "photos/large.png").write_bytes(b"x" * 2_000)
    (tmp_path / "photos/empty.png").touch()
    outcome = run_job(write_folder_job(tmp_path, files={"max_bytes": 1_000}))
    assert outcome.status == 0, outcome.error
    assert messages(outcome) == {
        "empty.png": "no image",
        "large.png": "'path': large.png: has 2,000 bytes, more than max_bytes 1,000",
        "out.png": "'path': out.png: is, or is below, a link that leads out of the root",
    }
    check_scores(scores_of(outcome, "path"), pictures)


@pytest.mark.parametrize("kind", ["folder", "table"])
def test_a_replaced_picture_is_another_run_and_the_same_ones_are_not(
    kind: str, tmp_path: Path
) -> None:
    pictures = write_pictures(tmp_path / "photos", 4)
    if kind == "folder":
        job = write_folder_job(tmp_path)
    else:
        job = write_table_job(tmp_path, list(pictures))
    first = run_job(job).run
    assert run_job(job).run == first
    (tmp_path / "photos/odd/001.png").write_bytes(make_png(7))
    problems = run_program(verify.main, [str(tmp_path / "scores"), "--inputs"])
    assert problems == 3
    second = run_job(job)
    assert second.status == 0, second.error
    assert second.run != first


@pytest.mark.parametrize("kind", ["folder", "table"])
def test_a_file_that_changes_under_the_run_is_refused_by_its_name(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = write_pictures(tmp_path / "photos", 4)
    if kind == "folder":
        job = write_folder_job(tmp_path)
    else:
        job = write_table_job(tmp_path, list(pictures))
    launch = launching.launch

    def grow_first(*args: Any) -> int:
        with (tmp_path / "photos/odd/001.png").open("ab") as file:
            file.write(b"more")
        return launch(*args)

    monkeypatch.setattr(launching, "launch", grow_first)
    outcome = run_job(job)
    outcome.refused("odd/001.png: changed after the run was planned", "start the run again")


def test_units_of_files_are_few_and_of_one_content_whoever_reads_them(tmp_path: Path) -> None:
    write_pictures(tmp_path / "photos", 40)
    job = write_folder_job(tmp_path)
    digests = []
    for rows in (40, 7):
        output = tmp_path / f"scores-{rows}"
        outcome = run_job(job, output=output, settings={"source.rows_per_batch": rows})
        assert outcome.status == 0, outcome.error
        assert len(outcome.manifest["units"]) == 1
        contents = published(output).items()
        parts = [content for name, content in contents if "part-" in name]
        digests.append(hashlib.sha256(b"".join(parts)).hexdigest())
    assert digests[0] == digests[1]
    outcome = run_job(job, settings={"sink.rows_per_file": 16})
    assert [unit["in"] for unit in outcome.manifest["units"]] == [16, 16, 8]


def test_units_whose_files_are_as_they_were_are_reused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_pictures(tmp_path / "photos", 8)
    (tmp_path / "photos/odd/001.png").write_bytes(b"broken")
    job = write_folder_job(tmp_path, sink={"rows_per_file": 2})
    assert run_job(job).status == 0
    (tmp_path / "photos/odd/001.png").write_bytes(make_png(7))
    assert run_program(score.main, ["--config", str(job), "--reuse_from", "current"]) == 0
    assert "reused from run current: 3 of 4 units" in capsys.readouterr().out


def test_the_list_is_published_and_verified(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures = write_pictures(tmp_path / "photos", 4)
    outcome = run_job(write_table_job(tmp_path, [*pictures, "gone.png"]))
    listed = outcome.run / "_files/files.parquet"
    assert pq.read_table(listed)["name"].to_pylist() == [*pictures, None]
    assert outcome.manifest["listed_files"]["files"] == 4
    (tmp_path / "photos/odd/001.png").unlink()
    assert run_program(verify.main, [str(tmp_path / "scores"), "--inputs"]) == 3
    assert "odd/001.png: is gone" in capsys.readouterr().err
    listed.write_bytes(listed.read_bytes()[:-1] + b"x")
    assert run_program(verify.main, [str(tmp_path / "scores")]) == 3
    assert "_files/files.parquet: its content was altered" in capsys.readouterr().err


REFUSED = {
    "no picture": ({"source.files.suffixes": [".jpg"]}, "end otherwise than in .jpg"),
    "other contents": (
        {"source.files.content": "content"},
        "has no column 'photo', as files have path, size, content; if the contents are meant, "
        "say source.files.content=photo",
    ),
    "step on files": (
        {"preprocess.steps": [load_step("photos", into="other")]},
        "a source of files has their contents already",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_makes_no_sense_is_refused(case: str, tmp_path: Path) -> None:
    settings, words = REFUSED[case]
    write_pictures(tmp_path / "photos", 2)
    outcome = run_job(write_folder_job(tmp_path), settings=settings)
    assert outcome.status in (2, 3)
    assert words in outcome.error
    assert outcome.error.count("\n") == 1


@pytest.mark.parametrize(
    ("root", "words", "status"),
    [
        ("zip://x::a.zip", "root zip://x::a.zip: a chain of addresses", 2),
        ("nosuch://photos", "root nosuch://photos: Protocol not known", 2),
        ("/nowhere", "root /nowhere: there is no such folder", 3),
    ],
)
def test_what_is_no_root_is_refused(root: str, words: str, status: int, tmp_path: Path) -> None:
    job = write_table_job(tmp_path, ["even/000.png"])
    fields = json.loads(job.read_text())
    fields["preprocess"]["steps"][0]["root"] = root
    job.write_text(json.dumps(fields))
    run_job(job).refused(words, status=status)


def test_an_unreadable_file_costs_its_row(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root reads everything")
    write_pictures(tmp_path / "photos", 2)
    (tmp_path / "photos/odd/001.png").chmod(0)
    outcome = run_job(write_folder_job(tmp_path))
    assert messages(outcome) == {"odd/001.png": "'path': odd/001.png: [Errno 13] Permission denied"}
