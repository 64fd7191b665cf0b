"""A run that is held back: released with a reason, or dropped; and what is refused."""

import json
import os
from pathlib import Path
import shutil
from typing import Any

import pytest

from pipelines import prune, release, verify
from pipelines.cli.command_line import run_program
from tests.support.builders import tiny_package
from tests.support.jobs import Outcome, run_job, small_table, write_job, write_parquet
from tests.support.without_beam import run_without_beam

WHY = ("--reason", "the campaign began")


@pytest.fixture(scope="module")
def held_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a job whose last run is held back, for its many rows."""
    folder = tmp_path_factory.mktemp("held")
    monitor = {"reference": "previous", "rows": {"more_than": 2.0}}
    job = write_job(folder, tiny_package(folder / "model"), monitor=monitor)
    with pytest.MonkeyPatch.context() as patch:
        run_without_beam(patch)
        write_parquet(folder / "shards/0.parquet", small_table(4))
        assert run_job(job).status == 0
        write_parquet(folder / "shards/1.parquet", small_table(8, first=4))
        assert run_job(job).status == 6
    return folder


@pytest.fixture
def output(held_once: Path, tmp_path: Path) -> Path:
    """A copy of its output for one test."""
    return shutil.copytree(held_once / "scores", tmp_path / "scores", symlinks=True)


def find_held(output: Path) -> str:
    (held,) = output.glob("runs/*/_held.json")
    return held.parent.name


def decide(output: Path, run_id: str, *flags: str) -> int:
    return run_program(release.main, [str(output), run_id, *flags])


def read_current(output: Path) -> dict[str, Any]:
    run_id = (output / "CURRENT").read_text().strip()
    return json.loads((output / "runs" / run_id / "_manifest.json").read_text())


def test_a_released_run_is_published_as_it_was_scored(
    output: Path, held_once: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_id = find_held(output)
    document = json.loads((output / f"runs/{run_id}/_held.json").read_text())
    assert decide(output, run_id, *WHY, "--by", "ann") == 0
    assert "released: run" in capsys.readouterr().out
    manifest = read_current(output)
    released = manifest.pop("released")
    assert (released["by"], released["reason"]) == ("ann", "the campaign began")
    assert released["at"] > manifest["published_at"][:19]
    assert manifest == document
    assert not (output / f"runs/{run_id}/_held.json").exists()
    assert not (output / f"_tmp/{run_id}").exists()
    assert run_program(verify.main, [str(output)]) == 0
    # Each unit on a line of its own, as in every manifest.
    text = (output / f"runs/{run_id}/_manifest.json").read_text()
    assert text.count('\n  {"shard"') == len(manifest["units"])


def test_a_release_that_was_killed_is_ended_by_the_same_command(
    output: Path, tmp_path: Path
) -> None:
    run_id = find_held(output)
    # With its time, which says when it was decided.
    shutil.copy2(output / "CURRENT", tmp_path / "CURRENT")
    held = (output / f"runs/{run_id}/_held.json").read_bytes()
    assert decide(output, run_id, *WHY) == 0
    released = read_current(output)["released"]
    # As it was when the manifest stood, and nothing after it was done.
    shutil.copy2(tmp_path / "CURRENT", output / "CURRENT")
    (output / f"runs/{run_id}/_held.json").write_bytes(held)
    (output / f"_tmp/{run_id}").mkdir(parents=True)
    assert decide(output, run_id, "--reason", "another") == 0
    assert read_current(output)["run_id"] == run_id
    assert read_current(output)["released"] == released
    assert not (output / f"runs/{run_id}/_held.json").exists()
    assert not (output / f"_tmp/{run_id}").exists()


def test_the_same_job_finds_its_released_run(held_once: Path, output: Path) -> None:
    run_id = find_held(output)
    assert decide(output, run_id, *WHY) == 0
    with pytest.MonkeyPatch.context() as patch:
        run_without_beam(patch)
        again: Outcome = run_job(held_once / "job.yaml", output=output)
    assert again.status == 0, again.error
    assert again.manifest["run_id"] == run_id
    assert "released" in again.manifest


def test_a_discarded_run_is_gone_and_scored_anew(
    output: Path, held_once: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_id, current = find_held(output), read_current(output)
    assert decide(output, run_id, "--discard", "--reason", "a broken export") == 0
    assert f"discarded: run {run_id}: a broken export" in capsys.readouterr().out
    assert not (output / "runs" / run_id).exists()
    assert read_current(output) == current
    with pytest.MonkeyPatch.context() as patch:
        run_without_beam(patch)
        assert run_job(held_once / "job.yaml", output=output).status == 6
    assert find_held(output) == run_id
    # One that was killed once nothing held it any more.
    (output / f"runs/{run_id}/_held.json").unlink()
    assert decide(output, run_id, "--discard", *WHY) == 0
    assert not (output / "runs" / run_id).exists()


def test_what_is_not_held_is_not_decided_of(
    output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    current = read_current(output)["run_id"]
    assert decide(output, current, *WHY) == 3
    assert "was not held back" in capsys.readouterr().err
    assert decide(output, current, "--discard", *WHY) == 3
    assert decide(output, "0123456789abcdef", *WHY) == 3
    assert decide(output, "0123456789abcdef", "--discard", *WHY) == 3
    assert decide(output, "../x", *WHY) == 2
    assert decide(output, find_held(output)) == 2
    assert decide(output, find_held(output), "--reason", " ") == 2
    assert read_current(output)["run_id"] == current


def test_a_run_that_was_altered_is_not_released(
    output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_id = find_held(output)
    part = next((output / f"runs/{run_id}/scored").iterdir())
    part.write_bytes(part.read_bytes()[:-1] + b"x")
    assert decide(output, run_id, *WHY) == 3
    assert "sha256 differs" in capsys.readouterr().err
    assert find_held(output) == run_id


def test_readers_stay_with_a_run_that_was_planned_later(
    held_once: Path, output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_id = find_held(output)
    with pytest.MonkeyPatch.context() as patch:
        run_without_beam(patch)
        other = {"postprocess.threshold": 0.4, "monitor.rows": {}}
        assert run_job(held_once / "job.yaml", output=output, settings=other).status == 0
    later = read_current(output)["run_id"]
    assert decide(output, run_id, *WHY) == 5
    assert "run its pipelines.score again" in capsys.readouterr().err
    assert read_current(output)["run_id"] == later
    assert (output / f"runs/{run_id}/_manifest.json").exists()


def test_pruning_keeps_what_is_held_unless_it_is_asked(
    output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_id = find_held(output)
    for path in output.rglob("*"):
        os.utime(path, (1, 1))
    assert run_program(prune.main, [str(output), "--older_than_days", "1"]) == 0
    assert f"keeping: {output}/runs/{run_id}, which is held back" in capsys.readouterr().out
    assert find_held(output) == run_id
    assert run_program(prune.main, [str(output), "--older_than_days", "1", "--held"]) == 0
    assert not (output / "runs" / run_id).exists()
