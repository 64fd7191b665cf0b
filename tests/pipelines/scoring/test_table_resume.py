"""A killed run of a table goes on with its version; whatever does not fit it is scored anew, from the newest."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.cli.run_log import RunLog
from pipelines.planning.jobs import ScoringJob
from pipelines.planning.make_plan import make_plan
from pipelines.planning.plan import Plan, store_plan
from pipelines.scoring.table_resume import plan_or_resume
from storage.lock import hold
from tests.support.builders import tiny_package
from tests.support.jobs import run_job, small_table, write_job
from tests.support.without_beam import run_without_beam

deltalake = pytest.importorskip("deltalake")


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    run_without_beam(monkeypatch)
    deltalake.write_deltalake(str(tmp_path / "t"), small_table(3))
    source = {"paths": f"{tmp_path}/t", "format": "delta"}
    return write_job(tmp_path, tiny_package(tmp_path / "model"), source=source)


def begin_and_kill(job: Path) -> Plan:
    """Leave what a launcher leaves that was killed once its plan was stored."""

    plan = make_plan(ScoringJob(**json.loads(job.read_text())))
    with hold(plan.run, "tiny"):
        return store_plan(plan)


def append(job: Path, rows: int = 2) -> None:
    deltalake.write_deltalake(str(job.parent / "t"), small_table(rows, first=50), mode="append")


def versions_scored(job: Path, **settings: Any) -> tuple[int, int]:
    outcome = run_job(job, "--direct_running_mode=in_memory", settings=settings)
    return outcome.manifest["table"]["version"], outcome.scored().num_rows


def test_a_killed_run_goes_on_with_its_version(job: Path) -> None:
    plan = begin_and_kill(job)
    append(job)
    assert versions_scored(job) == (0, 3)
    assert (job.parent / "scores/CURRENT").read_text().strip() == plan.run.run_id
    # It is published: the next one is of the newest.
    assert versions_scored(job) == (1, 5)


def test_a_version_that_is_chosen_is_scored(job: Path) -> None:
    begin_and_kill(job)
    append(job)
    assert versions_scored(job, **{"source.version": 1}) == (1, 5)


def test_another_job_is_scored_from_the_newest_version(job: Path) -> None:
    begin_and_kill(job)
    append(job)
    assert versions_scored(job, **{"postprocess.threshold": 0.4}) == (1, 5)


def test_for_a_run_of_another_table_nothing_is_planned(job: Path, tmp_path: Path) -> None:
    begin_and_kill(job)
    deltalake.write_deltalake(str(tmp_path / "other"), small_table(4))
    fields = json.loads(job.read_text())
    other = ScoringJob(**{**fields, "source": {**fields["source"], "paths": f"{tmp_path}/other"}})
    asked: list[int | None] = []

    def plan_noted(version: int | None) -> Plan:
        asked.append(version)
        return make_plan(other, version=version)

    plan = plan_or_resume(other, plan_noted, RunLog(quiet=True))
    assert plan.table is not None
    assert asked == [None]


def test_a_run_whose_launcher_lives_is_left_alone(job: Path) -> None:
    plan = begin_and_kill(job)
    append(job)
    with hold(plan.run, "tiny"):
        assert versions_scored(job) == (1, 5)


def test_a_version_that_was_vacuumed_is_told(job: Path) -> None:
    begin_and_kill(job)
    table = deltalake.DeltaTable(str(job.parent / "t"))
    for file in (job.parent / "t").glob("*.parquet"):
        gone = file
    deltalake.write_deltalake(str(job.parent / "t"), small_table(4), mode="overwrite")
    assert table.version() == 0
    gone.unlink()
    outcome = run_job(job, "--direct_running_mode=in_memory", "--log_format=json")
    assert outcome.manifest["table"]["version"] == 1
    assert "of version 0, cannot go on" in outcome.error + outcome.said
