"""Rejected rows that were corrected in their shards: only what is needed is scored again, and the bytes are those of a clean run."""

from collections.abc import Callable
from pathlib import Path
import shutil

import numpy as np
import pyarrow as pa
import pytest

from pipelines import verify
from pipelines.cli.command_line import run_program
from tests.bad_rows.networks import installed
from tests.bad_rows.spoilt_job import write_shard
from tests.support.jobs import Outcome
from tests.support.runs import published

Run = Callable[..., Outcome]
ALLOW = ("--set", "errors.max_rejected_rows=10")


def write_shards(folder: Path, bad: dict[int, list[int]]) -> None:
    """Four shards of 100 rows; in those of `bad` some rows have a hole."""
    for shard in range(4):
        numbers = np.arange(100) + 100 * shard
        holes = np.where(np.isin(numbers, bad.get(shard, [])), np.nan, 0.5).astype(np.float32)
        write_shard(folder / f"shards/{shard}.parquet", numbers, b=pa.array(holes))


def correct(folder: Path, shard: int) -> None:
    """Write the shard again, now without holes."""
    write_shard(
        folder / f"shards/{shard}.parquet",
        np.arange(100) + 100 * shard,
        b=pa.array(np.full(100, 0.5, dtype=np.float32)),
    )


@pytest.mark.parametrize(
    "settings",
    [
        (),
        ("--set", "postprocess={where: probability > 0.5, sort_by: probability}"),
        ("--set", "sink.rows_per_file=30"),
        ("--set", "source.where=id != 'k5'"),
        ("--set", "monitor.summaries=[profile]"),
    ],
)
def test_the_bytes_are_those_of_a_clean_run(
    settings: tuple[str, ...], folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Units have a hundred rows: of these one in sixteen is counted.
    monkeypatch.setattr("transforms.summaries.profile.MOST_WHOLE_ROWS", 99)
    calls = installed(monkeypatch, lambda x, answer: answer)
    write_shards(folder, {1: [100, 150], 2: [299]})
    first = run(*ALLOW, *settings).run.name
    correct(folder, 1)
    correct(folder, 2)
    calls.clear()
    assert run(*ALLOW, *settings, "--reuse_from", first).status == 0
    assert len(calls) == 4, "two mini-batches for each of the two shards"
    assert run(*settings, output="clean").status == 0
    assert published(folder / "scores") == published(folder / "clean")
    assert (folder / "scores/CURRENT").read_text() == (folder / "clean/CURRENT").read_text()
    assert run_program(verify.main, [str(folder / "scores")]) == 0
    assert run_program(verify.main, [str(folder / "scores"), "--run", first]) == 0
    shutil.rmtree(folder / f"scores/runs/{first}")
    assert run_program(verify.main, [str(folder / "scores")]) == 0


def test_rows_that_were_not_corrected_are_rejected_again(
    folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(monkeypatch, lambda x, answer: answer)
    write_shards(folder, {1: [100], 2: [299]})
    assert run(*ALLOW).status == 0
    correct(folder, 1)
    outcome = run(*ALLOW, "--reuse_from", "current")
    assert outcome.status == 0
    assert outcome.manifest["rows"] == {"in": 400, "scored": 399, "filtered": 0, "rejected": 1}
    left = folder / "scores/_tmp" / outcome.run.name
    left.mkdir()  # as a kill would, once CURRENT named the run
    old_name = "--only_rejected"
    assert run(*ALLOW, old_name, "current").status == 0
    assert not left.exists()


def ends(outcome: Outcome, status: int, words: str) -> None:
    assert (outcome.status, words in outcome.error) == (status, True), outcome.error


def test_what_cannot_be_corrected_is_refused(
    folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(monkeypatch, lambda x, answer: answer)
    write_shards(folder, {1: [100]})
    ends(run(*ALLOW, "--reuse_from", "current"), 3, "nothing is published there")
    assert run(*ALLOW).status == 0
    ends(
        run(*ALLOW, "--reuse_from", "current"),
        2,
        "correct its rejected rows in their shards first",
    )
    correct(folder, 1)
    ends(
        run(*ALLOW, "--reuse_from", "current", "--set", "postprocess.threshold=0.4"),
        2,
        "that run had another job",
    )
    ends(run(*ALLOW, "--reuse_from", "0123"), 3, "0123")


def test_a_shard_that_is_new_is_scored_beside_a_run_without_rejected_rows(
    folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a folder to which each night adds a file."""
    calls = installed(monkeypatch, lambda x, answer: answer)
    write_shards(folder, {})
    assert run().manifest["rows"]["rejected"] == 0
    write_shard(folder / "shards/4.parquet", np.arange(400, 410))
    calls.clear()
    assert run("--reuse_from", "current").status == 0
    assert len(calls) == 1, "one mini-batch for the ten rows that are new"
    assert run(output="clean").status == 0
    assert published(folder / "scores") == published(folder / "clean")


def test_scores_of_another_schema_are_not_reused(
    folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One shard in another form changes the type that a carried column has in all of them."""
    installed(monkeypatch, lambda x, answer: answer)
    carry = ("--set", "source.passthrough=[id, s]")
    texts = pa.array(["x"] * 10)
    hole = pa.array([np.nan] + [0.5] * 9, pa.float32())
    write_shard(folder / "shards/0.parquet", np.arange(10), s=texts)
    write_shard(folder / "shards/1.parquet", np.arange(10, 20), s=texts, b=hole)
    assert run(*ALLOW, *carry).status == 0
    large = texts.cast(pa.large_string())
    write_shard(folder / "shards/1.parquet", np.arange(10, 20), s=large)
    ends(run(*ALLOW, *carry, "--reuse_from", "current"), 2, "that run had another schema")
    assert run(*carry).scored().schema.field("s").type == pa.large_string()


def test_a_file_that_was_altered_is_not_reused(
    folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(monkeypatch, lambda x, answer: answer)
    write_shards(folder, {1: [100]})
    assert run(*ALLOW).status == 0
    before = (folder / "scores/CURRENT").read_text()
    part = min((folder / "scores/current").iterdir())
    content = bytearray(part.read_bytes())
    content[100] ^= 1
    part.write_bytes(content)
    correct(folder, 1)
    ends(
        run(*ALLOW, "--reuse_from", "current"),
        3,
        "was altered (sha256 differs), so it is not reused",
    )
    assert (folder / "scores/CURRENT").read_text() == before
