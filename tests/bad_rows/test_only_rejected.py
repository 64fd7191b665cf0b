"""Rejected rows that were corrected in their shards: only what is needed is scored again, and the bytes are those of a clean run."""

from collections.abc import Callable
import json
from pathlib import Path
import shutil

import numpy as np
import pyarrow as pa
import pytest

from pipelines import verify
from pipelines.command_line import run_program
from tests.bad_rows.conftest import write_shard
from tests.bad_rows.networks import installed

Run = Callable[..., int]
ALLOW = ("--set", "errors.max_rejected_rows=10")


def published(output: Path) -> dict[str, bytes]:
    run = output / "runs" / (output / "CURRENT").read_text().strip()
    return {str(p.relative_to(run)): p.read_bytes() for p in run.rglob("part-*")}


def write_shards(folder: Path, bad: dict[int, list[int]]) -> None:
    """Four shards of 100 rows; in those of `bad` some rows have a hole."""
    for shard in range(4):
        numbers = np.arange(100) + 100 * shard
        holes = np.where(np.isin(numbers, bad.get(shard, [])), np.nan, 0.5).astype(np.float32)
        write_shard(folder / f"shards/{shard}.parquet", numbers, b=pa.array(holes))


def correct(folder: Path, shard: int) -> None:
    """Write the shard again, now without holes."""
    write_shard(folder / f"shards/{shard}.parquet", np.arange(100) + 100 * shard, b=pa.array(np.full(100, 0.5, dtype=np.float32)))


@pytest.mark.parametrize(
    "settings", [(), ("--set", "postprocess={where: probability > 0.5, sort_by: probability}"), ("--set", "sink.rows_per_file=30")]
)
def test_the_bytes_are_those_of_a_clean_run(
    settings: tuple[str, ...], folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = installed(monkeypatch, lambda x, answer: answer)
    write_shards(folder, {1: [100, 150], 2: [299]})
    assert run(*ALLOW, *settings) == 0
    first = (folder / "scores/CURRENT").read_text().strip()
    correct(folder, 1)
    correct(folder, 2)
    calls.clear()
    assert run(*ALLOW, *settings, "--only_rejected", first) == 0
    assert len(calls) == 4, "two mini-batches for each of the two shards"
    assert run(*settings, output="clean") == 0
    assert published(folder / "scores") == published(folder / "clean")
    assert (folder / "scores/CURRENT").read_text() == (folder / "clean/CURRENT").read_text()
    assert run_program(verify.main, [str(folder / "scores")]) == 0
    assert run_program(verify.main, [str(folder / "scores"), "--run", first]) == 0
    shutil.rmtree(folder / f"scores/runs/{first}")
    assert run_program(verify.main, [str(folder / "scores")]) == 0


def test_rows_that_were_not_corrected_are_rejected_again(folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, lambda x, answer: answer)
    write_shards(folder, {1: [100], 2: [299]})
    assert run(*ALLOW) == 0
    correct(folder, 1)
    assert run(*ALLOW, "--only_rejected", "current") == 0
    rows = json.loads((folder / "scores/current/manifest.json").read_text())["rows"]
    assert rows == {"in": 400, "scored": 399, "filtered": 0, "rejected": 1}
    left = folder / "scores/_tmp" / (folder / "scores/CURRENT").read_text().strip()
    left.mkdir()  # as a kill would, once CURRENT named the run
    assert run(*ALLOW, "--only_rejected", "current") == 0
    assert not left.exists()


def error_of(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().err


def test_what_cannot_be_corrected_is_refused(
    folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    installed(monkeypatch, lambda x, answer: answer)
    write_shards(folder, {1: [100]})
    assert run(*ALLOW, "--only_rejected", "current") == 3
    assert "nothing is published there" in error_of(capsys)
    assert run(*ALLOW) == 0
    assert run(*ALLOW, "--only_rejected", "current") == 2
    assert "correct its rejected rows in their shards first" in error_of(capsys)
    correct(folder, 1)
    assert run(*ALLOW, "--only_rejected", "current", "--set", "postprocess.threshold=0.4") == 2
    assert "that run had another job" in error_of(capsys)
    assert run(*ALLOW, "--only_rejected", "0123") == 3
    assert "0123" in error_of(capsys)
    assert run(*ALLOW, "--only_rejected", "current") == 0
    write_shard(folder / "shards/4.parquet", np.arange(10))
    assert run(*ALLOW, "--only_rejected", "current") == 2
    assert "no row was rejected in that run" in error_of(capsys)


def test_a_file_that_was_altered_is_not_taken_over(
    folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    installed(monkeypatch, lambda x, answer: answer)
    write_shards(folder, {1: [100]})
    assert run(*ALLOW) == 0
    before = (folder / "scores/CURRENT").read_text()
    part = min((folder / "scores/current").glob("part-00000*"))
    content = bytearray(part.read_bytes())
    content[100] ^= 1
    part.write_bytes(content)
    correct(folder, 1)
    assert run(*ALLOW, "--only_rejected", "current") == 3
    assert "was altered (sha256 differs), so it is not taken over" in error_of(capsys)
    assert (folder / "scores/CURRENT").read_text() == before
