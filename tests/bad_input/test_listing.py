"""What lies about an input and is none: every row is read once, or the run is refused before anything is written."""

from collections.abc import Callable
import json
import os
from pathlib import Path
import re
from typing import Any

import pytest

from pipelines import score
from pipelines.cli.command_line import run_program
from tests.support.jobs import Outcome, run_job, small_table, write_parquet

Score = Callable[..., Outcome]
RECURSIVE = {"source.recursive": True}


def ids(outcome: Outcome) -> list[int]:
    return outcome.rows()["id"].to_pylist()


def test_a_delta_table_is_refused(score_it: Score, tmp_path: Path) -> None:
    """Version 1 replaced the file of version 0, which still lies there."""
    for name in ("a", "b"):
        write_parquet(tmp_path / f"in/part-{name}.parquet")
    (tmp_path / "in/_delta_log").mkdir()
    (tmp_path / "in/_delta_log/0.json").write_text("{}")
    for path in ("in", "in/*.parquet", "in/part-b.parquet"):
        outcome = score_it(tmp_path / path, settings=RECURSIVE)
        outcome.refused("/in: is a Delta table, whose log", "/in/_delta_log alone tells")


def test_hidden_folders_are_left_out_and_said(score_it: Score, tmp_path: Path) -> None:
    places = ("dt=1/p", "dt=2/_temporary/0/p", "dt=1/.ipynb_checkpoints/p", "_day=3/p")
    for number, place in enumerate(places):
        write_parquet(tmp_path / f"in/{place}.parquet", small_table(first=4 * number))
    for path in ("in", "in/**/*.parquet"):
        outcome = score_it(tmp_path / path)
        assert ids(outcome) == [0, 1, 2, 3, 12, 13, 14, 15]
        assert outcome.manifest["ignored_inputs"] == [
            str(tmp_path / "in/dt=1/.ipynb_checkpoints"),
            str(tmp_path / "in/dt=2/_temporary"),
        ]
        assert outcome.manifest["ignored_counts"] == {"hidden": 2}


@pytest.mark.parametrize("path", ["in", "in/*", "in/*.parquet"])
def test_a_plain_folder_among_files_is_refused_or_read(
    path: str, score_it: Score, tmp_path: Path
) -> None:
    write_parquet(tmp_path / "in/1.parquet")
    write_parquet(tmp_path / "in/2.parquet/part-0.parquet", small_table(first=4))
    score_it(tmp_path / path).refused("/in/2.parquet: is a folder", "source.recursive=true")
    assert ids(score_it(tmp_path / path, settings=RECURSIVE)) == list(range(8))


def test_a_file_under_two_names_is_refused_by_both(score_it: Score, tmp_path: Path) -> None:
    first = write_parquet(tmp_path / "in/a.parquet")
    assert ids(score_it(first, tmp_path / "in/../in//a.parquet", tmp_path / "in")) == [0, 1, 2, 3]
    (tmp_path / "again").symlink_to("in")
    score_it(tmp_path / "in", tmp_path / "again/*").refused("same file", "/in/a.parquet")
    for make in (Path.symlink_to, Path.hardlink_to):
        second = tmp_path / "in/b.parquet"
        make(second, first)
        score_it(tmp_path / "in").refused("/in/b.parquet: is the same file as", "/in/a.parquet")
        assert ids(score_it(second)) == [0, 1, 2, 3]
        second.unlink()


@pytest.mark.parametrize(
    ("path", "output"),
    [
        ("in", "in/scores"),
        ("in", "in"),
        ("in/*", "in/scores"),
        ("in/**/*.parquet", "in/scores"),
        ("in/*/*.parquet", "in/scores"),
        ("in/a.parquet", "in"),
        ("in", "."),
        ("link", "in/scores"),
        ("in", "link/scores"),
        ("in/../in", "in/x/../scores"),
    ],
)
def test_an_output_and_an_input_in_each_other_are_refused_on_the_first_night(
    path: str, output: str, job: Path, tmp_path: Path
) -> None:
    write_parquet(tmp_path / "in/a.parquet")
    (tmp_path / "link").symlink_to("in")
    before = sorted(tmp_path.rglob("*"))
    settings = {"source.paths": [str(tmp_path / path)]}
    outcome = run_job(job, output=tmp_path / output, settings=settings)
    outcome.refused("choose an output folder beside the input", status=2)
    assert sorted(tmp_path.rglob("*")) == before


def test_an_output_where_no_pattern_leads_stays_none_of_the_input(
    job: Path, tmp_path: Path
) -> None:
    for night in range(2):
        write_parquet(tmp_path / f"in/{night}.parquet", small_table(first=4 * night))
        settings = {"source.paths": [str(tmp_path / "in/*.parquet")]}
        outcome = run_job(job, output=tmp_path / "in/scores", settings=settings)
        assert ids(outcome) == list(range(4 * night + 4))


def test_scores_of_one_job_are_the_input_of_another(job: Path, tmp_path: Path) -> None:
    """By the link `current`, which whoever names it wants to be followed."""
    write_parquet(tmp_path / "in/a.parquet")
    features = ["a", "b", "c"]
    settings = {"source.paths": [str(tmp_path / "in")], "source.passthrough": features}
    assert run_job(job, output=tmp_path / "first", settings=settings).status == 0
    settings["source.paths"] = [str(tmp_path / "first/current/*.parquet")]
    assert ids(run_job(job, output=tmp_path / "second", settings=settings)) == [0, 1, 2, 3]


def test_why_nothing_is_found_is_said(score_it: Score, tmp_path: Path) -> None:
    write_parquet(tmp_path / "in/_a.parquet")
    (tmp_path / "empty").mkdir()
    score_it(tmp_path / "in").refused("no file but 1 that are left out, ", "/in/_a.parquet first")
    score_it(tmp_path / "empty").refused("matches no file; it is a folder without a file")
    score_it(tmp_path / "in/b**").refused("must stand alone between slashes")
    assert ids(score_it(tmp_path / "in/_a.parquet")) == [0, 1, 2, 3]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody who may not look")
def test_a_folder_that_may_not_be_looked_into_is_named(
    job: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here by an error in place of a user without rights, who could not read the model either."""
    write_parquet(tmp_path / "in/a.parquet")
    closed = write_parquet(tmp_path / "in/dt=1/b.parquet").parent
    scandir = os.scandir

    def refuse(path: str) -> Any:
        if str(path) == str(closed):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    settings = {"source.paths": [str(tmp_path / "in")]}
    outcome = run_job(job, output=tmp_path / "out", settings=settings)
    outcome.refused(f"cannot be listed at {closed}: Permission denied")


def test_other_content_of_the_same_size_and_time_is_scored(job: Path, tmp_path: Path) -> None:
    plain = {"compression": "none", "use_dictionary": False}
    path = write_parquet(tmp_path / "in/a.parquet", **plain)
    settings = {"source.paths": [str(path)]}
    before = run_job(job, output=tmp_path / "out", settings=settings).run
    times = path.stat()
    changed = times.st_ctime_ns
    # The clock of a file system ticks every few milliseconds.
    while changed == times.st_ctime_ns:
        write_parquet(path, small_table(first=7), **plain)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
        changed = path.stat().st_ctime_ns
    after = path.stat()
    assert (after.st_size, after.st_mtime_ns, after.st_ino) == (
        times.st_size,
        times.st_mtime_ns,
        times.st_ino,
    )
    again = run_job(job, output=tmp_path / "out", settings=settings)
    assert ids(again) == [7, 8, 9, 10]
    assert again.run != before


def test_what_is_left_out_is_counted_in_the_table_and_in_the_log(
    job: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write_parquet(tmp_path / "in/a.parquet")
    for name in ("_SUCCESS", ".hidden", "a.parquet.crc"):
        (tmp_path / "in" / name).write_bytes(b"")
    words = ["--config", str(job), "--input", str(tmp_path / "in")]
    words += ["--output", str(tmp_path / "out")]
    assert run_program(score.main, [*words, "--dry_run"]) == 0
    line = r"left out +3 input paths \(1 checksum, 2 hidden\)\n"
    assert re.search(line, capfd.readouterr().out)
    assert run_program(score.main, words) == 0
    assert re.search(line, capfd.readouterr().out)
    for _ in range(2):
        assert run_program(score.main, [*words, "--log_format=json"]) == 0
        lines = [json.loads(text) for text in capfd.readouterr().err.splitlines()]
        told = {line["event"]: line.get("inputs_left_out") for line in lines}
        expected = {"checksum": 1, "hidden": 2}
        assert (told["planned"], told[lines[-1]["event"]]) == (expected, expected)
        words[-1] += "-anew"
