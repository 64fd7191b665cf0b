"""Runs that earlier versions published, or began to, in one output with those of today."""

import errno
import json
import os
from pathlib import Path
import shutil

import pandas as pd
import pyarrow as pa
import pytest

from pipelines import evaluate, path, prune, verify
from pipelines.cli.command_line import run_program
from tests.support.builders import FEATURES, tiny_package
from tests.support.former_layouts import FIRST, LAST, lay_out_as_before
from tests.support.jobs import Outcome, run_job, small_table, write_job, write_parquet
from tests.support.without_beam import run_without_beam
from transforms import publish
from transforms.output import part_writer

ALLOW = ("--set", "errors.max_rejected_rows=1")
VERSIONS = pytest.mark.parametrize("version", [LAST, FIRST])
MANIFEST = {LAST: "_manifest.json", FIRST: "manifest.json"}
REJECTED = {LAST: "_rejected", FIRST: "rejected"}
IDS = [0, 1, 2, 4, 5, 6, 7]


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Outcome:
    """A run of two shards, of which the row with key 3 was rejected."""
    run_without_beam(monkeypatch)
    columns = [{"name": name, "type": "float", "missing": "reject"} for name in FEATURES]
    package = tiny_package(tmp_path / "model", columns=columns)
    job = write_job(tmp_path, package, source={"passthrough": FEATURES})
    hole = pa.array([0.0, 1.0, 2.0, None], pa.float32())
    write_parquet(tmp_path / "shards/0.parquet", small_table(b=hole))
    write_parquet(tmp_path / "shards/1.parquet", small_table(first=4))
    outcome = run_job(job, *ALLOW)
    assert [row["row"] for row in outcome.rejected()] == [3]
    return outcome


def list_files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@VERSIONS
def test_it_is_verified_and_found_published(
    version: str, published: Outcome, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = published.run
    lay_out_as_before(run, version)
    before = list_files(run)
    assert run_program(verify.main, [str(published.output)]) == 0
    assert "7 scored + 0 filtered + 1 rejected" in capsys.readouterr().out

    # As a kill would leave it, once CURRENT named the run.
    for name in ("part-00009-0123456789ab.parquet", "scored/part-00009-0123456789ab.parquet"):
        stray = run / name
        stray.parent.mkdir(exist_ok=True)
        stray.write_bytes(b"stray")
    (run / REJECTED[version] / "part-00009-0123456789ab.parquet").write_bytes(b"stray")
    (published.output / "_tmp" / run.name).mkdir()
    assert run_job(tmp_path / "job.yaml", *ALLOW).status == 0
    (run / "scored").rmdir()
    assert list_files(run) == before
    assert os.readlink(published.output / "current") == f"runs/{run.name}"
    assert len(list((published.output / "runs").iterdir())) == 1
    assert run_program(verify.main, [str(published.output)]) == 0


@VERSIONS
def test_current_leads_to_where_the_parts_of_each_run_are(
    version: str, published: Outcome, tmp_path: Path
) -> None:
    former = published.run
    lay_out_as_before(former, version)
    current = published.output / "current"
    more = write_parquet(tmp_path / "shards/2.parquet", small_table(first=8))
    newer = run_job(tmp_path / "job.yaml", *ALLOW).run
    assert os.readlink(current) == f"runs/{newer.name}/scored"
    assert sorted(pd.read_parquet(current)["id"]) == [*IDS, 8, 9, 10, 11]
    more.unlink()
    again = run_job(tmp_path / "job.yaml", *ALLOW)
    assert again.run == former
    assert os.readlink(current) == f"runs/{former.name}"
    assert sorted(pd.read_parquet(sorted(current.glob("*.parquet")))["id"]) == IDS
    for run in (former, newer):
        flags = [str(published.output), "--run", run.name]
        assert run_program(verify.main, flags) == 0


@VERSIONS
def test_its_units_are_reused(version: str, published: Outcome, tmp_path: Path) -> None:
    first = published.run
    lay_out_as_before(first, version)
    before = list_files(first)
    write_parquet(tmp_path / "shards/0.parquet", small_table())
    outcome = run_job(tmp_path / "job.yaml", *ALLOW, "--reuse_from", "current")
    assert outcome.rows()["id"].to_pylist() == list(range(8))
    assert outcome.run != first
    assert list_files(first) == before


@VERSIONS
def test_old_ones_are_pruned(version: str, published: Outcome, tmp_path: Path) -> None:
    runs = [published.run]
    for number in (2, 3):
        write_parquet(tmp_path / f"shards/{number}.parquet", small_table(first=10 * number))
        runs.append(run_job(tmp_path / "job.yaml", *ALLOW).run)
    for day, run in enumerate(runs[:2], start=1):
        lay_out_as_before(run, version)
        place = run / MANIFEST[version]
        manifest = json.loads(place.read_text())
        manifest["published_at"] = f"2020-01-0{day}T00:00:00.000+00:00"
        place.write_text(json.dumps(manifest))
    assert run_program(prune.main, [str(published.output), "--older_than_days", "1"]) == 0
    assert [run.exists() for run in runs] == [False, True, True]


@VERSIONS
def test_what_was_altered_in_it_is_told(
    version: str, published: Outcome, capsys: pytest.CaptureFixture[str]
) -> None:
    run = published.run
    lay_out_as_before(run, version)
    (part,) = (run / REJECTED[version]).iterdir()
    part.write_bytes(part.read_bytes()[:-1])
    (run / "part-9.parquet").touch()
    assert run_program(verify.main, [str(published.output)]) == 3
    error = capsys.readouterr().err
    assert f"{REJECTED[version]}/{part.name}: its content was altered" in error
    assert "part-9.parquet: is not in the manifest" in error


@VERSIONS
def test_it_is_evaluated_and_its_places_are_named(
    version: str, published: Outcome, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = published.run
    labels = write_parquet(tmp_path / "labels.parquet", published.scored())
    words = ["--output", str(published.output), "--labels", str(labels)]
    words += ["--key", "id", "--label", "a", "--prediction", "b"]
    assert run_program(evaluate.main, words) == 0
    expected = capsys.readouterr().out
    lay_out_as_before(run, version)
    assert run_program(evaluate.main, words) == 0
    assert capsys.readouterr().out == expected
    for flags, folder in (((), run), (("--rejected",), run / REJECTED[version])):
        assert run_program(path.main, [str(published.output), *flags]) == 0
        assert capsys.readouterr().out == f"{folder}\n"


@pytest.mark.parametrize("version", [None, LAST])
@pytest.mark.parametrize("source", ["runs/RUN", "runs/RUN/", "current"])
def test_its_scored_rows_are_the_input_of_another_job(
    source: str, version: str | None, published: Outcome, tmp_path: Path
) -> None:
    """A run's of today, too, by the name of its whole folder."""
    run = published.run
    if version is not None:
        lay_out_as_before(run, version)
    paths = [f"{published.output}/{source.replace('RUN', run.name)}"]
    settings = {"source.paths": paths}
    outcome = run_job(tmp_path / "job.yaml", output=tmp_path / "second", settings=settings)
    assert outcome.rows()["id"].to_pylist() == IDS
    assert len(outcome.manifest["inputs"]) == 2


@pytest.mark.parametrize("version", [None, LAST, FIRST])
def test_an_output_with_all_its_runs_is_no_input(
    version: str | None, published: Outcome, tmp_path: Path
) -> None:
    if version is not None:
        lay_out_as_before(published.run, version)
    for settings in ({}, {"source.recursive": True}):
        settings["source.paths"] = [str(published.output)]
        outcome = run_job(tmp_path / "job.yaml", output=tmp_path / "second", settings=settings)
        outcome.refused("current: is a link to the folder")


@pytest.mark.parametrize("moved", ["scored", "rejected", "all"])
@VERSIONS
def test_a_publication_that_was_killed_half_way_is_completed(
    version: str, moved: str, published: Outcome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An earlier version has named files, and no manifest."""
    run = published.run
    before = {name: (run / name).read_bytes() for name in list_parts(run)}
    shutil.rmtree(published.output)

    def fail(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(publish, "_create_manifest", fail)
        assert run_job(tmp_path / "job.yaml", *ALLOW).status == 5
    assert {name: (run / name).read_bytes() for name in list_parts(run)} == before
    (run / REJECTED[version]).mkdir(exist_ok=True)
    for name in before:
        place = name.removeprefix("scored/").replace("_rejected", REJECTED[version])
        if moved in (name.partition("/")[0].removeprefix("_"), "all"):
            (run / name).rename(run / place)

    with monkeypatch.context() as patched:
        # Nothing is scored again.
        patched.setattr(part_writer, "PartWriter", fail)
        assert run_job(tmp_path / "job.yaml", *ALLOW).status == 0
    assert {name: (run / name).read_bytes() for name in list_parts(run)} == before
    assert run_program(verify.main, [str(published.output)]) == 0
    assert sorted(pd.read_parquet(published.output / "current")["id"]) == IDS


def list_parts(run: Path) -> list[str]:
    return sorted(str(path.relative_to(run)) for path in run.rglob("part-*"))
