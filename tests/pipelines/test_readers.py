"""A published folder as other programs read it, and runs that an earlier version published."""

import hashlib
import json
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.parquet as pq
import pytest

from pipelines import prune, verify
from pipelines.cli.command_line import run_program
from tests.support.builders import FEATURES, tiny_package
from tests.support.jobs import Outcome, run_job, small_table, write_job, write_parquet
from tests.support.without_beam import run_without_beam

ALLOW = ("--set", "errors.max_rejected_rows=1")
IDS = [0, 1, 2, 4, 5, 6, 7]


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Outcome:
    """A run of two shards, of which the row with key 3 was rejected."""
    run_without_beam(monkeypatch)
    columns = [{"name": name, "type": "float", "missing": "reject"} for name in FEATURES]
    job = write_job(tmp_path, tiny_package(tmp_path / "model", columns=columns))
    hole = pa.array([0.0, 1.0, 2.0, None], pa.float32())
    write_parquet(tmp_path / "shards/0.parquet", small_table(b=hole))
    write_parquet(tmp_path / "shards/1.parquet", small_table(first=4))
    outcome = run_job(job, *ALLOW)
    assert [row["row"] for row in outcome.rejected()] == [3]
    return outcome


def test_readers_find_the_scored_rows_and_nothing_else(published: Outcome) -> None:
    current = str(published.output / "current")
    parts = f"{current}/*.parquet"
    keys = {
        "pandas": pd.read_parquet(current)["id"].tolist(),
        "pyarrow": pads.dataset(current).to_table()["id"].to_pylist(),
        "parquet": pq.read_table(current)["id"].to_pylist(),
        "duckdb": [row[0] for row in duckdb.execute(f"SELECT id FROM '{parts}'").fetchall()],
    }
    assert {name: sorted(found) for name, found in keys.items()} == dict.fromkeys(keys, IDS)


def test_polars_finds_the_scored_rows_by_their_pattern(published: Outcome) -> None:
    """It takes every file of a folder, whatever it is called."""
    polars = pytest.importorskip("polars")
    scored = polars.read_parquet(f"{published.output}/current/*.parquet")
    assert sorted(scored["id"].to_list()) == IDS


def test_rejected_rows_can_be_read_as_a_folder_too(published: Outcome) -> None:
    rejected = pd.read_parquet(published.run / "_rejected")
    assert rejected["row"].tolist() == [3]


def name_as_before(run: Path) -> None:
    """Give a run the names that earlier versions gave, in the manifest as well."""
    manifest = json.loads((run / "_manifest.json").read_text())
    for entry in manifest["rejected_files"]:
        entry["path"] = entry["path"].removeprefix("_")
    entries = manifest["files"] + manifest["rejected_files"]
    manifest["content_sha256"] = _digest(entries)
    (run / "_rejected").rename(run / "rejected")
    (run / "_manifest.json").unlink()
    (run / "manifest.json").write_text(json.dumps(manifest))


def _digest(entries: list[dict[str, object]]) -> str:
    lines = sorted(json.dumps(entry, sort_keys=True) for entry in entries)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def test_a_run_of_the_former_names_is_verified_and_found_published(
    published: Outcome, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name_as_before(published.run)
    names = sorted(path.name for path in published.run.rglob("*"))
    assert run_program(verify.main, [str(published.output)]) == 0
    assert "7 scored + 0 filtered + 1 rejected" in capsys.readouterr().out

    stray = published.run / "rejected/part-00009-0123456789ab.parquet"
    stray.write_bytes(b"stray")
    left = published.output / "_tmp" / published.run.name
    left.mkdir()  # as a kill would, once CURRENT named the run
    assert run_job(tmp_path / "job.yaml", *ALLOW).status == 0
    assert sorted(path.name for path in published.run.rglob("*")) == names
    assert len(list((published.output / "runs").iterdir())) == 1


def test_units_of_a_run_of_the_former_names_are_reused(published: Outcome, tmp_path: Path) -> None:
    first = published.run
    name_as_before(first)
    write_parquet(tmp_path / "shards/0.parquet", small_table())
    outcome = run_job(tmp_path / "job.yaml", *ALLOW, "--reuse_from", "current")
    assert outcome.rows()["id"].to_pylist() == list(range(8))
    assert outcome.run != first
    assert (first / "manifest.json").exists()


def test_runs_of_the_former_names_are_pruned(published: Outcome, tmp_path: Path) -> None:
    runs = [published.run]
    for number in (2, 3):
        write_parquet(tmp_path / f"shards/{number}.parquet", small_table(first=10 * number))
        runs.append(run_job(tmp_path / "job.yaml", *ALLOW).run)
    for day, run in enumerate(runs[:2], start=1):
        name_as_before(run)
        path = run / "manifest.json"
        manifest = json.loads(path.read_text())
        manifest["published_at"] = f"2020-01-0{day}T00:00:00.000+00:00"
        path.write_text(json.dumps(manifest))
    assert run_program(prune.main, [str(published.output), "--older_than_days", "1"]) == 0
    assert [run.exists() for run in runs] == [False, True, True]


def test_a_run_of_the_former_names_that_was_altered_is_told(
    published: Outcome, capsys: pytest.CaptureFixture[str]
) -> None:
    name_as_before(published.run)
    (part,) = (published.run / "rejected").iterdir()
    part.write_bytes(part.read_bytes()[:-1])
    assert run_program(verify.main, [str(published.output)]) == 3
    assert f"rejected/{part.name}: its content was altered" in capsys.readouterr().err
