"""A launch that fails though its work stands, and one that resumes what a crashed machine left."""

from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow.parquet as pq
import pytest

from configs.errors import BudgetError, InputError, JobError, ModelError, Refusal
from model_zoo.engines.settings import Settings
from pipelines import score
from pipelines.cli.command_line import run_program
from pipelines.cli.run_log import RunLog
from pipelines.planning import cut_shards, shards
from pipelines.planning.inference_settings import InferenceSettings
from pipelines.runners.options import runner_options
from pipelines.scoring import graph, launch, plan_job
from storage import files
from storage.layout import read_manifest
from storage.run_folder import RunFolder
from tests.support.builders import tiny_package
from tests.support.jobs import Outcome, run_job, small_table, write_job, write_parquet
from tests.support.runs import published
from transforms import announce, publish
from transforms.formats import parquet_split

Meanwhile = Callable[[Any], None]


@pytest.fixture
def job(tmp_path: Path) -> Path:
    for shard in range(3):
        write_parquet(tmp_path / f"job/shards/{shard}.parquet", small_table(4, 4 * shard))
    return write_job(tmp_path / "job", tiny_package(tmp_path / "model"))


def run_and(monkeypatch: pytest.MonkeyPatch, job: Path, meanwhile: Meanwhile) -> Outcome:
    """Run a launcher that, before it builds its graph, comes by what happened meanwhile."""
    build = graph.build

    def build_later(root: Any, plan: Any, workers: Any) -> Any:
        monkeypatch.setattr(graph, "build", build)
        meanwhile(plan)
        return build(root, plan, workers)

    monkeypatch.setattr(graph, "build", build_later)
    return run_job(job)


def publish_same(job: Path) -> None:
    assert run_job(job).status == 0


@pytest.mark.parametrize(
    ("refusal", "status"),
    [
        (BudgetError("7 of 9 rows were rejected"), 4),
        (InputError("/data/a.parquet: changed since the run was planned"), 3),
        (ModelError("the network fails on every row"), 3),
        (Refusal("the runner lost its workers"), 1),
    ],
)
def test_what_fails_for_a_reason_of_its_own_is_told_though_another_published(
    refusal: Refusal, status: int, job: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(plan: Any) -> None:
        publish_same(job)
        raise refusal

    outcome = run_and(monkeypatch, job, fail)
    assert (outcome.status, outcome.error) == (status, f"error: {refusal}\n")
    assert len(outcome.run.name) == 16, "the other's stands"


def test_an_internal_error_is_told_though_another_published(
    job: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(plan: Any) -> None:
        publish_same(job)
        raise ZeroDivisionError("division by zero")

    outcome = run_and(monkeypatch, job, fail)
    assert outcome.status == 1
    assert outcome.error.startswith("error: internal error: ZeroDivisionError")


@pytest.mark.parametrize("what", ["an attempt", "the plan"])
def test_a_launcher_whose_files_another_one_cleaned_up_found_its_work_done(
    what: str, job: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose(plan: Any) -> None:
        publish_same(job)
        if what == "the plan":
            raise InputError(f"{plan.run.plan}: the plan is gone")
        with files.open_synced(f"{plan.run.attempts}/0.parquet"):
            raise AssertionError("its folder is gone")

    outcome = run_and(monkeypatch, job, lose)
    assert (outcome.status, outcome.error) == (0, "")


def test_files_that_are_missing_where_nobody_published_are_told(
    job: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = run_and(monkeypatch, job, lambda plan: files.remove(plan.run.plan))
    outcome.refused("the plan is gone")


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (OSError(5, "Input/output error"), "Input/output error"),
        (ZeroDivisionError("of customer 7"), ": ZeroDivisionError\n"),
    ],
)
def test_what_fails_after_its_own_publication_is_done_again_and_said(
    error: Exception, why: str, job: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove_temporary = announce.remove_temporary

    def fail_once(run: Any) -> None:
        monkeypatch.setattr(announce, "remove_temporary", remove_temporary)
        raise error

    monkeypatch.setattr(announce, "remove_temporary", fail_once)
    outcome = run_job(job)
    assert outcome.status == 0
    assert outcome.error.startswith("warning: ")
    assert outcome.error.count("\n") == 1
    assert "is published; what failed after that was done again: " in outcome.error
    assert why in outcome.error
    assert list((outcome.output / "_tmp").iterdir()) == []


@pytest.mark.parametrize("kept", [lambda content: bytes(len(content)), lambda content: content[:9]])
def test_a_torn_done_record_costs_its_unit_and_nothing_else(
    kept: Callable[[bytes], bytes], job: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All units are done when the machine crashes; two of the records keep their names only, and so does a note of progress."""
    undisturbed = run_job(job, output=tmp_path / "undisturbed")
    with monkeypatch.context() as patch:
        patch.setattr(publish, "read_plan", lambda url: 1 / 0)
        assert run_job(job).status == 1
    (folder,) = (job.parent / "scores/_tmp").iterdir()
    done = sorted((folder / "done").iterdir())
    assert len(done) == 3
    for record in done[:2]:
        record.write_bytes(kept(record.read_bytes()))
    (folder / "progress").mkdir(exist_ok=True)
    (folder / "progress/0000000-abc").write_bytes(bytes(3))
    words = ["--config", str(job), "--output", str(job.parent / "scores")]
    with redirect_stdout(io.StringIO()) as said, redirect_stderr(io.StringIO()):
        assert run_program(score.main, words) == 0
    assert "not whole, as a machine that crashed leaves them: 2; their units" in said.getvalue()
    assert "4 rows were scored by an earlier run" in said.getvalue()
    assert published(job.parent / "scores") == published(undisturbed.output)


def test_a_run_that_an_earlier_version_cut_otherwise_is_resumed_as_it_was_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its units are of two rows each; this version would make one of all twelve."""
    write_parquet(tmp_path / "job/shards/0.parquet", small_table(12), row_group_size=2)
    job = write_job(tmp_path / "job", tiny_package(tmp_path / "model"))
    with monkeypatch.context() as patch:
        patch.setattr(cut_shards, "choose_rows_per_unit", lambda *_: 2)
        patch.setattr(publish, "read_plan", lambda url: 1 / 0)
        assert run_job(job).status == 1
    (folder,) = (job.parent / "scores/_tmp").iterdir()
    done = sorted((folder / "done").iterdir())
    assert len(done) == 6
    for record in done[:2]:
        record.unlink()
    words = ["--config", str(job), "--output", str(job.parent / "scores")]
    with redirect_stdout(io.StringIO()) as said, redirect_stderr(io.StringIO()):
        assert run_program(score.main, words) == 0
    assert "8 rows were scored by an earlier run" in said.getvalue()
    _, manifest = read_manifest(str(job.parent / "scores"))
    assert [books["in"] for books in manifest["units"]] == [2] * 6


def test_one_row_group_is_scored_in_parts_as_it_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bit by bit, and whoever resumes it scores the parts that are missing."""
    table = small_table(400)
    write_parquet(tmp_path / "job/shards/0.parquet", table, data_page_size=200, write_batch_size=7)
    job = write_job(tmp_path / "job", tiny_package(tmp_path / "model"))
    few = ("--set", "model.batch_rows=8")
    whole = run_job(job, *few, output=tmp_path / "whole")
    monkeypatch.setattr(shards, "_LEAST_UNIT_BYTES", 1)
    monkeypatch.setattr(parquet_split, "_LEAST_PART_BYTES", 1)
    monkeypatch.setattr(shards, "_LEAST_WORK", 1)
    with monkeypatch.context() as patch:
        patch.setattr(publish, "read_plan", lambda url: 1 / 0)
        assert run_job(job, *few).status == 1
    (folder,) = (job.parent / "scores/_tmp").iterdir()
    done = sorted((folder / "done").iterdir())
    assert len(done) == 8, "400 rows in parts of 50"
    for record in done[5:8]:
        record.unlink()
    words = ["--config", str(job), "--output", str(job.parent / "scores"), *few]
    with redirect_stdout(io.StringIO()) as said, redirect_stderr(io.StringIO()):
        assert run_program(score.main, words) == 0
    assert "250 rows were scored by an earlier run" in said.getvalue()
    in_parts = pq.read_table(job.parent / "scores/current")
    assert in_parts.equals(pq.read_table(whole.run))


@pytest.mark.parametrize("name", ["launch.read_manifest", "launch.remove_superseded"])
@pytest.mark.parametrize("times", [1, 2])
def test_a_run_that_cannot_be_shown_is_a_success_all_the_same(
    name: str, times: int, job: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second time it is found published, and nothing is left to do."""

    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    for _ in range(times - 1):
        assert run_job(job).status == 0
    monkeypatch.setattr(f"pipelines.scoring.{name}", fail)
    metrics = job.parent / "m.prom"
    assert run_job(job, "--metrics_file", str(metrics)).status == 0
    text = metrics.read_text()
    assert 'last_success_timestamp_seconds{job="tiny"}' in text
    assert 'exit_status{job="tiny"} 0.0' in text


@pytest.mark.parametrize(
    ("flags", "goes_on", "has_requirements"),
    [
        ([], False, False),
        (["--no_wait_until_finish"], True, False),
        (["--template_location=gs://b/t"], True, False),
        (["--requirements_file=r.txt"], False, True),
    ],
)
def test_a_job_goes_on_without_its_launcher_where_that_is_asked_for(
    flags: list[str], goes_on: bool, has_requirements: bool
) -> None:
    options = runner_options("DataflowRunner", flags)
    assert launch._goes_on_alone(options) is goes_on
    assert launch._has_requirements(options) is has_requirements


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (
            SimpleNamespace(job_id=lambda: "j-1"),
            "submitted: job j-1; workers publish run r1 to /out",
        ),
        (SimpleNamespace(job_id=lambda: "j-1", has_job=True), "submitted: job j-1; "),
        (SimpleNamespace(has_job=False), "submitted: the job's description, for the template's"),
    ],
)
def test_a_job_that_was_submitted_is_named_where_it_has_a_name(
    result: Any, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    plan: Any = SimpleNamespace(run=RunFolder("/out", "r1"))
    launch._say_submitted(plan, result, RunLog())
    assert capsys.readouterr().out.startswith(words)


def test_what_holds_on_every_machine_is_refused_on_none() -> None:
    job = SimpleNamespace(model=SimpleNamespace(device="cpu"))
    anywhere: Any = SimpleNamespace(job=job, inference=InferenceSettings(Settings(8)))
    plan_job._refuse_elsewhere(anywhere)
    measured = InferenceSettings(Settings(8), machine={"processor": "another one"})
    elsewhere: Any = SimpleNamespace(job=job, inference=measured)
    with pytest.raises(JobError, match="another kind of machine"):
        plan_job._refuse_elsewhere(elsewhere)
