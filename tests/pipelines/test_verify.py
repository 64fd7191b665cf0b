"""Verifying with `--inputs`: a published run tells which of its input files are not what was scored."""

from collections.abc import Callable
import json
from pathlib import Path

import pytest

from pipelines import verify
from pipelines.cli.command_line import run_program
from tests.support.builders import tiny_package
from tests.support.jobs import Outcome, run_job, small_table, write_job, write_parquet
from tests.support.without_beam import run_without_beam


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Outcome:
    """A run of two shards, `shards/0.parquet` and `shards/1.parquet`."""
    run_without_beam(monkeypatch)
    job = write_job(tmp_path, tiny_package(tmp_path / "model"))
    for number in range(2):
        write_parquet(tmp_path / f"shards/{number}.parquet", small_table(first=4 * number))
    outcome = run_job(job)
    assert outcome.status == 0, outcome.error
    return outcome


def check(outcome: Outcome, *flags: str) -> int:
    return run_program(verify.main, [str(outcome.output), *flags])


def test_inputs_that_are_as_they_were_are_said_to_be(
    published: Outcome, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(published) == 0
    assert "inputs:" not in capsys.readouterr().out
    assert check(published, "--inputs") == 0
    said = capsys.readouterr().out
    assert "inputs: 2 files are of the size, times and inode" in said
    assert "their content was not read" in said


@pytest.mark.parametrize(
    "damage",
    [Path.unlink, lambda path: path.write_bytes(b"torn"), lambda path: path.rename(f"{path}.old")],
)
def test_what_it_advises_mends_a_run_that_was_damaged(
    damage: Callable[[Path], None],
    published: Outcome,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = published.run
    damage(published.parts[0])
    assert check(published) == 3
    assert f"; move {run} away, and score the input again to publish it anew" in (
        capsys.readouterr().err
    )
    # Without the move, the run stands as it is published, and the same work says so, too.
    assert run_job(tmp_path / "job.yaml").status == 3
    assert check(published) == 3
    run.rename(tmp_path / "away")
    assert run_job(tmp_path / "job.yaml").status == 0
    assert check(published) == 0


def test_a_link_that_leads_elsewhere_is_mended_by_the_same_command_alone(
    published: Outcome, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (published.output / "current").unlink()
    assert check(published) == 3
    told = capsys.readouterr().err
    assert "; score the input again" in told
    assert "away" not in told
    assert run_job(tmp_path / "job.yaml").status == 0
    assert check(published) == 0


def rewrite(path: Path) -> None:
    write_parquet(path, small_table(first=100))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (rewrite, "1.parquet: changed since it was scored"),
        (Path.unlink, "1.parquet: is gone"),
        (lambda path: path.chmod(0o600), "1.parquet: changed since it was scored"),
    ],
)
def test_an_input_that_changed_or_is_gone_is_named(
    change: Callable[[Path], None],
    words: str,
    published: Outcome,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "shards/1.parquet"
    before = path.stat().st_ctime_ns
    # The clock of a file system ticks every few milliseconds.
    while path.exists() and path.stat().st_ctime_ns == before:
        change(path)
    assert check(published) == 0
    capsys.readouterr()
    assert check(published, "--inputs") == 3
    said = capsys.readouterr().err
    assert words in said
    assert "0.parquet" not in said


def test_a_manifest_of_an_older_version_is_compared_by_what_it_holds(
    published: Outcome, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = published.run / "_manifest.json"
    manifest = json.loads(path.read_text())
    for entry in manifest["inputs"]:
        fields = entry["version"].split(",")
        entry["version"] = ",".join(field for field in fields if "ctime" not in field)
    path.write_text(json.dumps(manifest))
    assert check(published, "--inputs") == 0
    rewrite(tmp_path / "shards/0.parquet")
    assert check(published, "--inputs") == 3
    assert "0.parquet: changed since it was scored" in capsys.readouterr().err
