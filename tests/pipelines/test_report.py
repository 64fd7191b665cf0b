"""`pipelines.report`, and `monitor.report`: pages and JSON of real runs."""

from collections.abc import Callable
import json
from pathlib import Path
from typing import Any
import uuid

import pyarrow as pa
import pytest

from pipelines import report, score, verify
from pipelines.cli.command_line import run_program
from pipelines.reporting import report_run, run_page
from storage import files
from tests.support.builders import tiny_package
from tests.support.jobs import Outcome, run_job, small_table, write_job, write_parquet
from tests.support.runs import published
from tests.support.without_beam import run_without_beam

Score = Callable[..., int]
PROFILE = {"monitor.summaries": ["profile"]}


@pytest.fixture(autouse=True)
def _without_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_page, "can_draw", lambda: False)


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A job of one shard of four rows."""
    run_without_beam(monkeypatch)
    columns = [{"name": name, "type": "float", "missing": "reject"} for name in "abc"]
    write_parquet(tmp_path / "shards/0.parquet")
    return write_job(tmp_path, tiny_package(tmp_path / "model", columns=columns))


def ask(outcome: Outcome, capsys: pytest.CaptureFixture[str], *flags: str) -> dict[str, Any]:
    """What `--json` prints."""
    capsys.readouterr()
    assert run_program(report.main, [str(outcome.output), "--json", *flags]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_json_tells_what_the_manifest_and_the_files_say(
    job: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = pa.array([1.0, None, 3.0, None], pa.float32())
    write_parquet(tmp_path / "shards/1.parquet", small_table(4, first=4, b=values))
    outcome = run_job(job, settings={"errors.max_rejected_rows": 2, **PROFILE})
    told = ask(outcome, capsys)
    assert told["verdict"]["use"] == "yes"
    assert told["books"]["rows"] == {"in": 8, "scored": 6, "filtered": 0, "rejected": 2}
    assert (told["books"]["is_balanced"], told["books"]["allowed"]) == (True, 2)
    (reason,) = told["reasons"]
    assert (reason["stage"], reason["rows"]) == ("preprocess", 2)
    first = outcome.rejected()[0]
    assert (reason["error"], reason["message"]) == (first["error"], first["message"])
    missing = {column["column"]: column["missing"] for column in told["columns"]}
    assert missing == {"a": 0, "b": 0.25, "c": 0}
    assert told["settings"] == outcome.manifest["job"]
    assert told["time"]["stages"].keys() == outcome.manifest["stages"].keys()
    (run,) = told["history"]
    assert (run["is_this"], run["rows_in"], run["rows_rejected"]) == (True, 8, 2)
    assert told["changes"]["since"] is None


def test_checks_and_broken_shards_of_a_run_are_told(
    job: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "shards/1.parquet").write_bytes(b"PAR1 and no more")
    settings = {
        "checks": {"a": {"max": 1, "on_failure": "warn"}},
        "errors.max_broken_shards": 1,
    }
    outcome = run_job(job, settings=settings)
    assert outcome.status == 0, outcome.error
    told = ask(outcome, capsys)
    # Of 0, 1, 2 and 3.
    (check,) = told["checks"]
    assert (check["column"], check["rows"], check["failed"]) == ("a", 4, 2)
    (broken,) = told["books"]["broken"]
    assert broken["url"].endswith("shards/1.parquet")
    assert broken["rows"] is None
    assert told["verdict"]["use"] == "with care"
    assert told["verdict"]["why"][0].startswith("1 shard is broken, and 0 rows are lost")


def test_the_run_before_is_compared_with(
    job: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = []
    for number in range(1, 4):
        write_parquet(tmp_path / f"shards/{number}.parquet", small_table(4, first=4 * number))
        outcome = run_job(job)
        ids.append(outcome.run.name)
    told = ask(outcome, capsys, "--last", "2")
    assert told["run_id"] == ids[2]
    assert told["changes"]["since"] == ids[1]
    changes = {change["name"]: change["now"] for change in told["changes"]["changes"]}
    assert changes == {"rows": "16", "files": "4", "new files": "1"}
    assert [run["run_id"] for run in told["history"]] == [ids[2], ids[1]]
    against = ask(outcome, capsys, "--against", ids[0])
    assert against["changes"]["since"] == ids[0]
    # What came later is no past of a run.
    past = ask(outcome, capsys, "--run", ids[1])
    assert [run["run_id"] for run in past["history"]] == [ids[1], ids[0]]
    assert past["changes"]["since"] == ids[0]


@pytest.mark.slow
@pytest.mark.beam
def test_a_page_is_left_beside_the_manifest_where_the_job_asks(
    run_score: Score, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("--set", "monitor.summaries=[profile]", "--set", "monitor.report=true")
    assert run_score(*asked) == 0
    output = tmp_path / "scores"
    (page,) = output.glob("runs/*/report.html")
    text = page.read_text()
    assert "May I use these scores?" in text
    assert "worst" in text
    assert run_program(verify.main, [str(output)]) == 0
    # It changes no file of scores, and so not the run either.
    assert run_score(*asked[:2], output=tmp_path / "plain") == 0
    plain, reported = published(tmp_path / "plain"), published(output)
    assert {name for name in reported if name not in plain} <= {"report.html"}
    assert (output / "CURRENT").read_text() == (tmp_path / "plain/CURRENT").read_text()
    # Drawn again by hand it is the same, but for the tables in place of pictures.
    assert run_program(report.main, [str(output)]) == 0
    assert f"report: {page}" in capsys.readouterr().out
    assert page.read_text() == text


def test_a_run_with_a_report_is_read_by_another_job(job: Path, tmp_path: Path) -> None:
    settings = {"source.passthrough": ["a", "b", "c"]}
    first = run_job(job, settings={**settings, "monitor.report": True})
    assert (first.run / "report.html").exists()
    again = run_job(job, settings={"source.paths": [str(first.run)]}, output=tmp_path / "again")
    assert again.manifest["rows"]["scored"] == 4
    ignored = {Path(path).name for path in again.manifest["ignored_inputs"]}
    assert "report.html" in ignored
    # A page of somebody else's is a file like any other.
    (tmp_path / "shards/report.html").write_text("<html>")
    run_job(job, output=tmp_path / "other").refused("report.html")


def test_the_same_command_leaves_the_page_that_is_missing_or_torn(job: Path) -> None:
    outcome = run_job(job, settings={"monitor.report": True})
    page = outcome.run / "report.html"
    before = page.read_bytes()
    page.unlink()
    assert run_job(job, settings={"monitor.report": True}).status == 0
    assert page.read_bytes() == before
    page.write_bytes(before[:-5])
    assert run_job(job, settings={"monitor.report": True}).status == 0
    assert page.read_bytes() == before
    # One that is whole is left alone.
    inode = page.stat().st_ino
    assert run_job(job, settings={"monitor.report": True}).status == 0
    assert page.stat().st_ino == inode


def test_a_page_that_cannot_be_drawn_or_written_decides_nothing(
    job: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(url: str, content: bytes, scratch: str | None = None) -> None:
        raise OSError(28, "No space left on device", url)

    monkeypatch.setattr(files, "replace", fail)
    outcome = run_job(job, settings={"monitor.report": True})
    assert outcome.status == 0
    assert outcome.is_published()
    assert not (outcome.run / "report.html").exists()
    assert outcome.error.startswith("warning: the run stands, but its report was not written")
    assert "No space left on device" in outcome.error
    assert "python -m pipelines.report" in outcome.error


def test_a_store_has_a_page_and_a_history_too(
    job: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = f"memory://{uuid.uuid4().hex}"
    asked = ["--config", str(job), "--output", output, "--quiet", "--set", "monitor.report=true"]
    assert run_program(score.main, asked) == 0
    write_parquet(tmp_path / "shards/1.parquet", small_table(4, first=4))
    assert run_program(score.main, asked) == 0
    capsys.readouterr()
    assert run_program(report.main, [output, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [run["rows_in"] for run in told["history"]] == [8, 4]
    page = files.read(f"{output}/runs/{told['run_id']}/report.html")
    assert page is not None
    assert b"May I use these scores?" in page
    assert run_program(verify.main, [output]) == 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: text.replace("scored", "Scored"), "report.html: its content was altered"),
        (lambda text: text[:1000], "report.html: is no report, or not all of one"),
    ],
)
def test_an_altered_page_is_found(
    change: Callable[[str], str], words: str, job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = run_job(job, settings={"monitor.report": True})
    page = outcome.run / "report.html"
    page.write_text(change(page.read_text()))
    assert run_program(verify.main, [str(outcome.output)]) == 3
    assert words in capsys.readouterr().err
    assert run_program(report.main, [str(outcome.output)]) == 0
    assert run_program(verify.main, [str(outcome.output)]) == 0


def test_the_page_goes_where_it_is_asked_to(job: Path, tmp_path: Path) -> None:
    outcome = run_job(job)
    assert run_program(report.main, [str(outcome.output), "--to", str(tmp_path / "p.html")]) == 0
    assert "May I use these scores?" in (tmp_path / "p.html").read_text()
    assert not (outcome.run / "report.html").exists()


@pytest.mark.parametrize(
    ("flags", "status", "words"),
    [
        (["--run", "none"], 3, "is missing"),
        (["--against", "none"], 3, "is missing"),
        (["--last", "0"], 2, "must be a whole number of 1 or more, got '0'"),
        (["--json", "--to", "p.html"], 2, "leave one of them out"),
        (["--to", "/proc/no/p.html"], 5, "name another file with --to"),
    ],
)
def test_what_cannot_be_told_is_refused_in_a_line(
    flags: list[str], status: int, words: str, job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = run_job(job)
    capsys.readouterr()
    assert run_program(report.main, [str(outcome.output), *flags]) == status
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1


def test_a_profile_that_is_gone_or_broken_is_named(
    job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = run_job(job, settings=PROFILE)
    (profile,) = outcome.run.glob("_summaries/profile-*.parquet")
    profile.write_bytes(b"no profile")
    assert run_program(report.main, [str(outcome.output)]) == 3
    assert "is no profile" in capsys.readouterr().err
    profile.unlink()
    assert run_program(report.main, [str(outcome.output)]) == 3
    assert "is missing" in capsys.readouterr().err


def test_values_are_named_where_the_job_says_so(
    job: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = small_table(4, city=pa.array(["Ulm", "Ulm", "Rom", None]))
    write_parquet(tmp_path / "shards/0.parquet", rows)
    settings = {"source.passthrough": ["city"], "monitor.columns": {"city": {}}}
    outcome = run_job(job, settings=settings)
    assert "Ulm" not in json.dumps(ask(outcome, capsys))
    run_id = outcome.run.name
    allowed = {**settings, "monitor.report_values": True}
    # It is the same run: what a report may say is no matter of the scores.
    assert run_job(job, settings=allowed).run.name == run_id
    again = run_job(job, settings=allowed, output=tmp_path / "again")
    told = ask(again, capsys)
    (city,) = [
        column
        for column in told["columns"]
        if (column["column"], column["measure"]) == ("city", "value")
    ]
    assert city["distribution"]["names"] == ["Ulm", "Rom"]
    assert city["distribution"]["now"] == [pytest.approx(2 / 3), pytest.approx(1 / 3)]


@pytest.mark.parametrize(
    ("error", "reason"),
    [(OSError(28, "No space left on device"), "No space left on device"), (OSError("no"), "no")],
)
def test_a_page_that_cannot_be_written_says_why(
    error: OSError, reason: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr(report_run, "_read_run", lambda *_: None)
    monkeypatch.setattr(report_run, "_make", lambda *_: None)
    monkeypatch.setattr(report_run, "write_report", refuse)
    assert run_program(report.main, ["scores", "--to", "/pages/a.html"]) == 5
    assert f"/pages/a.html: cannot be written: {reason}; mend" in capsys.readouterr().err
