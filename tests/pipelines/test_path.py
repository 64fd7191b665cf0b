"""What scripts are told of where to read, on a disk and on a store, while runs come and go."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
import sys
import uuid

import duckdb
import pytest

from pipelines import path
from pipelines.cli.command_line import run_program
from tests.support.builders import tiny_package
from tests.support.jobs import run_job, small_table, write_job, write_parquet
from tests.support.publishing import two_units
from transforms.publish import publish_run

HEAD = {"format": 1, "planned_at": "2024-01-01T00:00:00+00:00"}
LATER = {**HEAD, "planned_at": "2024-01-02T00:00:00+00:00"}


@pytest.fixture(params=["disk", "store"])
def output(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "a b") if request.param == "disk" else f"memory:///{uuid.uuid4().hex}"


def test_the_folder_is_that_of_the_current_run_or_of_the_one_asked_for(
    output: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for run_id, head in (("one", HEAD), ("two", LATER)):
        publish_run(two_units(output, run_id)[0], [], head, 1, 0.0)
    for flags, run_id in (((), "two"), (("--run", "one"), "one"), (("--run", "two"), "two")):
        assert run_program(path.main, [output, *flags]) == 0
        assert capsys.readouterr() == (f"{output}/runs/{run_id}/scored\n", "")
        assert run_program(path.main, [output, *flags, "--rejected"]) == 0
        assert capsys.readouterr() == (f"{output}/runs/{run_id}/_rejected\n", "")


def test_a_relative_output_gives_a_whole_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    publish_run(two_units(f"{tmp_path}/scores", "one")[0], [], HEAD, 1, 0.0)
    monkeypatch.chdir(tmp_path)
    assert run_program(path.main, ["scores/"]) == 0
    assert capsys.readouterr().out == f"{tmp_path}/scores/runs/one/scored\n"


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ((), "nothing is published there"),
        (("--rejected",), "nothing is published there"),
        (("--run", "0123456789abcdef"), "the command line names run 0123456789abcdef, but"),
        (("--run", "../../etc"), "cannot be the id of a run"),
    ],
)
def test_what_is_not_published_is_one_line_and_status_3(
    flags: tuple[str, ...], words: str, output: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_program(path.main, [output, *flags]) == 3
    said, error = capsys.readouterr()
    assert said == ""
    assert error.startswith("error: ")
    assert words in error
    assert error.count("\n") == 1


def test_without_a_rejected_row_there_is_no_folder_of_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_parquet(tmp_path / "job/shards/a.parquet")
    outcome = run_job(write_job(tmp_path / "job", tiny_package(tmp_path / "model")))
    assert run_program(path.main, [str(outcome.output), "--rejected"]) == 3
    told = f"error: {outcome.run}: no row was rejected in this run, so it has no such folder"
    said, error = capsys.readouterr()
    assert said == ""
    assert error.startswith(told)
    assert error.count("\n") == 1


def test_a_file_in_the_place_of_an_output_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert run_program(path.main, [f"{tmp_path}/file"]) == 3
    assert run_program(path.main, ["nowhere://x"]) == 3
    assert capsys.readouterr().err.count("\n") == 2


def test_it_reads_one_run_while_another_is_published(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Between looking for the folder and reading it, CURRENT and the link go elsewhere."""
    write_parquet(tmp_path / "job/shards/a.parquet", small_table(4))
    job = write_job(tmp_path / "job", tiny_package(tmp_path / "model"))
    assert run_job(job).status == 0
    assert run_program(path.main, [f"{tmp_path}/job/scores"]) == 0
    found = capsys.readouterr().out.strip()
    write_parquet(tmp_path / "job/shards/b.parquet", small_table(4, 4))
    assert run_job(job).status == 0
    count = f"SELECT count(*) FROM read_parquet('{found}/*.parquet')"
    assert duckdb.sql(count).fetchall() == [(4,)]


def test_a_path_that_cannot_be_written_is_a_failure(
    run_score: Callable[..., int],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert run_score() == 0
    # What it could not write it would try again when it is closed.
    with suppress(OSError), open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert run_program(path.main, [str(tmp_path / "scores")]) == 5
        monkeypatch.undo()
    error = capsys.readouterr().err
    assert error.startswith("error: stdout: the path cannot be written: No space left")
    assert error.count("\n") == 1
