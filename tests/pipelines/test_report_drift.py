"""Reports of runs that were compared: with training, with another run, held back, and released."""

from collections.abc import Callable
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines import release, report, verify
from pipelines.cli.command_line import run_program
from pipelines.reporting import run_page
from tests.support.builders import tiny_package
from tests.support.jobs import Outcome, run_job, small_table, write_job, write_parquet
from tests.support.without_beam import run_without_beam

Score = Callable[..., int]
SAMPLE = Path("samples/breast_cancer")
COMPARED = (
    "--set",
    "monitor.reference=training",
    "--set",
    "monitor.columns={default: {psi: {warn: 0.25}}}",
    "--set",
    "monitor.report=true",
)


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_page, "can_draw", lambda: False)
    run_without_beam(monkeypatch)


def ask(output: Path, capsys: pytest.CaptureFixture[str], *flags: str) -> dict[str, Any]:
    """What `--json` prints."""
    capsys.readouterr()
    assert run_program(report.main, [str(output), "--json", *flags]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_a_column_that_drifted_comes_first(
    run_score: Score, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    areas = []
    for shard in sorted((SAMPLE / "shards").iterdir()):
        rows = pq.read_table(shard)
        place = rows.schema.get_field_index("mean area")
        moved = pa.array(rows["mean area"].to_numpy() * 3)
        areas += moved.to_pylist()
        write_parquet(tmp_path / "in" / shard.name, rows.set_column(place, "mean area", moved))
    assert run_score(*COMPARED, "--set", f"source.paths={tmp_path}/in/*.parquet") == 0
    told = ask(tmp_path / "scores", capsys)
    assert told["verdict"]["use"] == "with care"
    assert told["verdict"]["why"][0] == told["compared"]["findings"][0]["says"]
    worst, *others = told["columns"]
    assert (worst["column"], worst["level"]) == ("mean area", "warn")
    assert worst["psi"] > 1
    assert {column["level"] for column in others} <= {"none", "note"}
    then, now = (np.array(worst["distribution"][name]) for name in ("then", "now"))
    # Training's quantiles cut it into these shares.
    assert then == pytest.approx([0.01, 0.04, 0.2, 0.25, 0.25, 0.2, 0.04, 0.01], abs=0.02)
    training = pq.read_table(SAMPLE / "model/profile.parquet").to_pylist()
    (quantiles,) = (row["quantiles"] for row in training if row["column"] == "mean area")
    counts, _ = np.histogram(areas, [-np.inf, *quantiles, np.inf])
    assert now == pytest.approx(counts / len(areas))
    (page,) = tmp_path.glob("scores/runs/*/report.html")
    text = page.read_text()
    assert text.index("With care") < text.index("mean area") < text.index("mean radius")
    (run,) = told["history"]
    assert (run["verdict"], run["warnings"]) == ("warned", 1)
    assert run["psi_input"] == worst["psi"]


def test_a_night_without_drift_may_be_used(
    run_score: Score, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_score(*COMPARED) == 0
    told = ask(tmp_path / "scores", capsys)
    assert told["verdict"]["use"] == "yes"
    assert "further from the rows of training than the job allows" in told["verdict"]["sentence"]
    assert told["compared"]["says"].startswith("training (")
    assert {column["level"] for column in told["columns"]} <= {"none", "note"}


@pytest.fixture
def job(tmp_path: Path) -> Path:
    """A job that holds a run of more than twice the rows back, and leaves a report of each."""
    monitor = {"reference": "previous", "rows": {"more_than": 2.0}, "report": True}
    write_parquet(tmp_path / "shards/0.parquet", small_table(40))
    return write_job(tmp_path, tiny_package(tmp_path / "model"), monitor=monitor)


def hold(job: Path) -> tuple[Outcome, str]:
    """Publish a run, and hold the next one back; its id."""
    assert run_job(job).status == 0
    write_parquet(job.parent / "shards/1.parquet", small_table(80, first=40))
    outcome = run_job(job)
    assert outcome.status == 6
    (held,) = outcome.output.glob("runs/*/_held.json")
    return outcome, held.parent.name


def test_a_run_that_is_held_back_has_a_report_that_says_no(
    job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome, run_id = hold(job)
    page = outcome.output / f"runs/{run_id}/report.html"
    text = page.read_text()
    assert "held back, and readers do not see it" in text
    assert run_program(verify.main, [str(outcome.output), "--run", run_id]) == 0
    told = ask(outcome.output, capsys, "--run", run_id)
    assert (told["state"], told["verdict"]["use"]) == ("held", "no")
    assert told["verdict"]["why"][0] == told["compared"]["findings"][0]["says"]
    held, before = told["history"]
    assert (held["state"], before["state"]) == ("held", "published")
    assert told["changes"]["since"] == before["run_id"]
    # The same command again ends alike, and leaves a page that is missing.
    page.unlink()
    assert run_job(job).status == 6
    assert page.read_text() == text
    # The run that readers see knows nothing of the one that came after it.
    assert [run["run_id"] for run in ask(outcome.output, capsys)["history"]] == [before["run_id"]]


def test_a_released_run_has_another_report(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outcome, run_id = hold(job)
    words = [str(outcome.output), run_id, "--reason", "as planned", "--by", "ann"]
    assert run_program(release.main, words) == 0
    text = (outcome.output / f"runs/{run_id}/report.html").read_text()
    assert "held back, and then released by hand" in text
    assert "Released by ann" in text
    assert run_program(verify.main, [str(outcome.output)]) == 0
    told = ask(outcome.output, capsys)
    assert (told["run_id"], told["state"]) == (run_id, "released")
    assert told["history"][0]["state"] == "released"


def test_a_run_is_compared_with_any_other(
    job: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = {"monitor.rows": {}}
    first = run_job(job, settings=settings).run.name
    random = np.random.default_rng(3)
    moved = {"a": random.normal(100, 1, 40).astype(np.float32)}
    write_parquet(tmp_path / "shards/0.parquet", small_table(40, **moved))
    outcome = run_job(job, settings=settings)
    assert outcome.status == 0, outcome.error
    told = ask(outcome.output, capsys, "--against", first)
    assert told["compared"]["says"] == f"run {first} (40 rows)"
    assert told["compared"]["findings"] == []
    psi = {column["column"]: column["psi"] for column in told["columns"]}
    assert psi["a"] > 1
    assert psi["b"] == psi["c"] == 0
    assert told["columns"][0]["column"] == "a"
    # What the job says of the run is no matter of what somebody compares it with.
    assert told["verdict"] == ask(outcome.output, capsys)["verdict"]
    itself = ask(outcome.output, capsys, "--against", told["run_id"])
    assert {column["psi"] for column in itself["columns"]} == {0}
