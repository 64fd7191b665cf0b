"""A run that is compared before it is published: clean, warned of, held back, and what decides which."""

from collections.abc import Callable
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from model_zoo.evaluation.data_profile import profile_table
from pipelines import path, verify
from pipelines.cli.command_line import run_program
from tests.support.builders import parquet, tiny_package
from tests.support.jobs import Outcome, run_job, small_table, write_job, write_parquet
from tests.support.runs import manifest as read_manifest

Score = Callable[..., int]
ROWS = 900
LIMITS = {
    "columns": {"default": {"psi": {"warn": 0.1, "hold": 0.25}, "missing": {"hold": 0.1}}},
    "rows": {"fewer_than": 0.5, "more_than": 2.0},
}


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> str:
    training = {name: pa.array(column) for name, column in draw(0, 4_000).items()}
    profile = parquet(profile_table(training, {}))
    columns = [{"name": name, "type": "float", "missing": "reject"} for name in "abc"]
    url = tmp_path_factory.mktemp("package") / "model"
    return tiny_package(url, columns=columns, contents={"profile.parquet": profile})


@pytest.fixture
def job(package: str, tmp_path: Path) -> Path:
    return write_job(tmp_path, package, monitor={"reference": "previous", **LIMITS})


def draw(seed: int, rows: int = ROWS, shift: float = 0.0) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    columns = {name: random.normal(size=rows).astype(np.float32) for name in "abc"}
    columns["a"] += np.float32(shift)
    return columns


def score_night(job: Path, seed: int, *flags: str, rows: int = ROWS, **options: Any) -> Outcome:
    """Score one night's rows, in the place of those of the night before."""
    columns = draw(seed, rows, options.pop("shift", 0.0)) | options.pop("columns", {})
    write_parquet(job.parent / "shards/night.parquet", small_table(rows, **columns))
    return run_job(job, *flags, **options)


def monitor_of(outcome: Outcome) -> dict[str, Any]:
    assert outcome.status == 0, outcome.error
    return outcome.manifest["monitor"]


def read_held(outcome: Outcome) -> dict[str, Any]:
    (found,) = outcome.output.glob("runs/*/_held.json")
    return json.loads(found.read_text())


def test_the_first_run_is_compared_with_nothing_and_says_so(job: Path) -> None:
    told = monitor_of(score_night(job, 1))
    assert told["verdict"] == "clean"
    assert (told["reference"]["kind"], told["reference"]["profile"]) == ("none", None)
    (note,) = told["findings"]
    assert note["level"] == "note"
    assert "no other run" in note["says"]
    assert told["distances"] == []


def test_a_night_like_the_one_before_is_published(job: Path, tmp_path: Path) -> None:
    first = score_night(job, 1).manifest["run_id"]
    outcome = score_night(job, 2)
    told = monitor_of(outcome)
    assert (told["verdict"], told["findings"]) == ("clean", [])
    assert told["reference"]["runs"] == [first]
    assert told["reference"]["rows"] == ROWS
    copy = outcome.run / told["reference"]["profile"]
    (profile,) = (tmp_path / f"scores/runs/{first}").glob("_summaries/profile-*.parquet")
    assert pq.read_table(copy).equals(pq.read_table(profile))
    columns = [(entry["kind"], entry["column"]) for entry in told["distances"]]
    assert columns[:3] == [("input", name) for name in "abc"]
    assert all(entry["psi"] is None or entry["psi"] < 0.1 for entry in told["distances"])
    assert run_program(verify.main, [str(outcome.output)]) == 0
    copy.unlink()
    assert run_program(verify.main, [str(outcome.output)]) == 3


def test_a_night_that_is_far_away_is_held_back(
    job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = score_night(job, 1)
    current = before.manifest["run_id"]
    held = score_night(job, 2, shift=2.0)
    assert held.status == 6
    assert held.error.count("\n") == 1
    assert "held back by its monitor, and not published: a: PSI is" in held.error
    document = read_held(held)
    run_id = document["run_id"]
    assert f"pipelines.release {held.output} {run_id} --reason" in held.error
    assert (document["monitor"]["verdict"], held.manifest["run_id"]) == ("held", current)
    assert not (held.output / "_tmp").exists() or not list((held.output / "_tmp").iterdir())
    # The same command again ends alike, and scores nothing.
    parts = {p: p.stat().st_mtime_ns for p in held.output.rglob("*") if p.is_file()}
    again = run_job(job)
    assert (again.status, again.error) == (6, held.error)
    assert {p: p.stat().st_mtime_ns for p in held.output.rglob("*") if p.is_file()} == parts
    # It is no run to readers, and can be looked at.
    assert run_program(path.main, [str(held.output), "--run", run_id]) == 3
    assert run_program(verify.main, [str(held.output), "--run", run_id]) == 0
    assert "held back by its monitor" in capsys.readouterr().out
    reused = run_job(job, "--reuse_from", run_id, settings={"postprocess.threshold": 0.4})
    assert reused.status == 3
    assert "is held back by its monitor" in reused.error


def test_a_warning_is_published_and_told(job: Path, tmp_path: Path) -> None:
    assert score_night(job, 1).status == 0
    metrics = tmp_path / "m.prom"
    flags = ("--metrics_file", str(metrics))
    warned = score_night(job, 2, *flags, shift=0.4)
    assert monitor_of(warned)["verdict"] == "warned"
    assert warned.error.startswith("warning: monitor: a: PSI is 0.1")
    written = metrics.read_text()
    assert 'batch_prediction_monitor_findings{job="tiny",level="warn"} 1.0' in written
    assert 'batch_prediction_monitor_findings{job="tiny",level="hold"} 0.0' in written


def test_machines_are_told_of_each_finding(job: Path, tmp_path: Path) -> None:
    assert score_night(job, 1).status == 0
    metrics = tmp_path / "m.prom"
    write_parquet(job.parent / "shards/night.parquet", small_table(ROWS, **draw(2, shift=2.0)))
    for _ in range(2):
        flags = ("--log_format=json", "--metrics_file", str(metrics))
        held = run_job(job, *flags)
        lines = [json.loads(line) for line in held.error.splitlines()]
        (finding,) = [line for line in lines if line["event"] == "finding"]
        assert (finding["level"], finding["finding"], finding["column"]) == ("warning", "hold", "a")
        assert finding["value"] > finding["threshold"] == 0.25
        assert lines[-1]["event"] == "refused"
        assert lines[-1]["exit_status"] == 6
        written = metrics.read_text()
        assert 'monitor_findings{job="tiny",level="hold"} 1.0' in written
        assert 'exit_status{job="tiny"} 6.0' in written


@pytest.mark.parametrize(("rows", "status"), [(400, 6), (500, 0), (1_900, 6)])
def test_too_few_or_too_many_rows_are_held_back(rows: int, status: int, job: Path) -> None:
    assert score_night(job, 1).status == 0
    outcome = score_night(job, 2, rows=rows)
    assert outcome.status == status, outcome.error
    if status:
        (finding,) = read_held(outcome)["monitor"]["findings"]
        assert (finding["kind"], finding["value"], finding["reference"]) == ("rows", rows, ROWS)


@pytest.mark.slow
@pytest.mark.beam
def test_a_night_without_rows_is_noted_and_so_is_the_one_behind_it(
    package: str, tmp_path: Path
) -> None:
    limits = {"columns": LIMITS["columns"]}
    job = write_job(tmp_path, package, monitor={"reference": "previous", **limits})
    score_night(job, 1)
    for rows, says in ((0, "no rows, and 900 of "), (900, "900 rows, and none of ")):
        told = monitor_of(score_night(job, 2, rows=rows))
        (note,) = told["findings"]
        assert (told["verdict"], note["level"]) == ("clean", "note")
        assert note["says"].startswith(says)


def test_what_a_worker_holds_back_ends_the_program_alike(job: Path) -> None:
    assert score_night(job, 1).status == 0
    held = score_night(job, 2, rows=1_900)
    # Beam's own lines come before it in this process, whose stderr is no file.
    *_, line = held.error.splitlines(keepends=True)
    assert held.status == 6
    assert "1,900 rows are 2.11 times the 900 of the reference" in line
    again = run_job(job)
    assert (again.status, again.error) == (6, line)


def test_a_column_without_values_is_held_back(job: Path) -> None:
    assert score_night(job, 1).status == 0
    settings = {"errors.max_rejected_percent": 100}
    nulls = {"b": pa.nulls(ROWS, pa.float32())}
    outcome = score_night(job, 2, columns=nulls, settings=settings)
    assert outcome.status == 6, outcome.error
    found = read_held(outcome)["monitor"]["findings"]
    assert [(f["column"], f["measure"]) for f in found if f["level"] == "hold"] == [
        ("b", "missing")
    ]


def test_training_is_a_reference(job: Path) -> None:
    training = {"monitor.reference": "training", "monitor.rows": {"fewer_than": 0.2}}
    told = monitor_of(score_night(job, 1, settings=training))
    assert (told["reference"]["kind"], told["reference"]["rows"]) == ("training", 4_000)
    (a, *_) = told["distances"]
    assert a["psi"] < 0.05
    assert score_night(job, 2, shift=2.0, settings=training).status == 6


def test_several_runs_are_put_together(job: Path) -> None:
    for seed in (1, 2, 3):
        assert score_night(job, seed).status == 0
    told = monitor_of(score_night(job, 4, settings={"monitor.reference": "last 2"}))
    assert told["reference"]["kind"] == "last"
    assert len(told["reference"]["runs"]) == 2
    assert told["reference"]["rows"] == 2 * ROWS
    assert told["distances"][0]["rows_reference"] == 2 * ROWS


def test_a_run_and_a_file_are_references(job: Path) -> None:
    first = score_night(job, 1)
    run_id = first.manifest["run_id"]
    (profile,) = first.run.glob("_summaries/profile-*.parquet")
    by_run = monitor_of(score_night(job, 2, settings={"monitor.reference": run_id}))
    assert by_run["reference"]["runs"] == [run_id]
    by_file = monitor_of(score_night(job, 3, settings={"monitor.reference": str(profile)}))
    assert (by_file["reference"]["kind"], by_file["reference"]["rows"]) == ("file", ROWS)
    missing = score_night(job, 4, settings={"monitor.reference": f"{profile}.parquet"})
    assert missing.status == 3
    assert "is not there; name the profile of a run" in missing.error
    gone = score_night(job, 4, settings={"monitor.reference": "0123456789abcdef"})
    assert gone.status == 3


def test_an_output_of_a_date_is_compared_with_that_of_the_date_before(
    job: Path, tmp_path: Path
) -> None:
    for day in ("2026-01-29", "2026-01-31"):
        assert score_night(job, 1, output=tmp_path / f"all/dt={day}").status == 0
    later = score_night(job, 2, output=tmp_path / "all/dt=2026-01-30")
    earlier = tmp_path / "all/dt=2026-01-29"
    assert monitor_of(later)["reference"]["runs"] == [read_manifest(earlier)["run_id"]]
    last = score_night(
        job, 3, output=tmp_path / "all/dt=2026-02-01", settings={"monitor.reference": "last 9"}
    )
    assert len(monitor_of(last)["reference"]["runs"]) == 3


def test_thresholds_and_references_change_no_id_and_no_score(job: Path, tmp_path: Path) -> None:
    first = score_night(job, 1)
    other = run_job(
        job,
        output=tmp_path / "other",
        settings={"monitor": {"reference": "training", "columns": {"a": {"ks": {"hold": 0.9}}}}},
    )
    assert other.manifest["run_id"] == first.manifest["run_id"]
    assert other.manifest["content_sha256"] == first.manifest["content_sha256"]


@pytest.mark.parametrize("asked", ["previous", "last 1"])
def test_a_killed_run_goes_on_with_what_it_was_compared_with(asked: str, job: Path) -> None:
    first = score_night(job, 1).manifest["run_id"]
    bad = {"a": np.where(np.arange(ROWS) < 2, np.nan, draw(2)["a"]).astype(np.float32)}
    # Over budget: units are done, and nothing is published.
    assert score_night(job, 2, columns=bad).status == 4
    allowed = {"errors.max_rejected_rows": 2}
    # Of another job, whose publication does not take the killed run for one that nobody wants.
    other = run_job(job, settings={**allowed, "name": "other", "postprocess.threshold": 0.4})
    later = other.manifest["run_id"]
    resumed = run_job(job, settings={**allowed, "monitor.reference": asked})
    # What the job asks for now is found anew, if it is another reference.
    assert monitor_of(resumed)["reference"]["runs"] == [first if asked == "previous" else later]


def test_what_cannot_be_a_monitor_is_refused(job: Path) -> None:
    write_parquet(job.parent / "shards/night.parquet", small_table(4))
    unknown = run_job(job, settings={"monitor.columns": {"d": {"psi": {"hold": 1}}}})
    unknown.refused("monitor.columns names 'd'", "no column of the model", status=2)
    word = run_job(job, settings={"monitor.reference": "yesterday"})
    word.refused("monitor.reference", "must be training, previous, last N", status=2)


def test_a_package_without_a_profile_is_no_reference(tmp_path: Path) -> None:
    job = write_job(tmp_path, tiny_package(tmp_path / "model"), monitor={"reference": "training"})
    write_parquet(tmp_path / "shards/0.parquet")
    run_job(job).refused("has no profile.parquet", "pack the model again", status=2)
