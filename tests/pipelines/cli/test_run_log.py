"""The log of a run in JSON lines: every line is one object, each way to end has its event, and no secret is in any."""

import io
import json
import logging
from pathlib import Path
import sys
import time
from types import SimpleNamespace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from configs.errors import InputError
from pipelines import score
from pipelines.cli.command_line import run_program
from pipelines.cli.log_format import JsonFormatter, json_line, redacted
from pipelines.cli.run_log import RunLog
from pipelines.scoring.progress import shown_progress
from storage.run_folder import RunFolder
from tests.pipelines.json_lines import lines_of
from tests.support.programs import Programs
from tests.support.runs import manifest

JSON = "--log_format=json"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("s3://key:secret@bucket/a.parquet: gone", "s3://***@bucket/a.parquet: gone"),
        ("'s3://key:sec/re@t@bucket/a'", "'s3://***@bucket/a'"),
        ("simplecache::s3://key:secret@bucket", "simplecache::s3://***@bucket"),
        ("https://token@host/b and gs://b/c", "https://***@host/b and gs://b/c"),
        ("https://h/a.csv?sig=abc%2F&se=1: is gone", "https://h/a.csv?*** is gone"),
        ("s3://k:s@b/x?versionId=1 s3://k:s@b/y", "s3://***@b/x?*** s3://***@b/y"),
        (
            "s3://bucket/part-?.parquet matches no file",
            "s3://bucket/part-?.parquet matches no file",
        ),
        ("gs://bucket/a@b/c and me@example.org", "gs://bucket/a@b/c and me@example.org"),
        ("/data/a@b?c=d.parquet", "/data/a@b?c=d.parquet"),
    ],
)
def test_user_part_and_query_of_urls_are_blotted_out(text: str, expected: str) -> None:
    assert redacted(text) == expected


SECRET = st.text("abcXYZ019/+%@:=-_", min_size=3, max_size=20).map(lambda s: f"Sec{s}ret")


@pytest.mark.slow
@settings(deadline=None)
@given(SECRET, st.sampled_from(["s3", "gs", "https", "abfs"]), st.text(max_size=20))
def test_no_secret_of_a_url_is_in_a_line(secret: str, scheme: str, around: str) -> None:
    line = json_line(
        "error",
        "failed",
        f"{around} {scheme}://user:{secret}@bucket/a {around}",
        output=f"{scheme}://b/a?sig={secret}",
    )
    assert secret not in json.loads(line)["message"]
    assert secret not in json.loads(line)["output"]


@settings(deadline=None)
@given(st.text(), st.text())
def test_any_message_is_one_line_of_json(message: str, value: str) -> None:
    line = json_line("info", "log", message, field=value, unknown=None)
    assert "\n" not in line
    assert set(json.loads(line)) == {"time", "level", "event", "message", "field"}


def test_a_published_run_tells_its_plan_and_its_totals(programs: Programs, tmp_path: Path) -> None:
    run = programs.run("pipelines.score", "--output", str(tmp_path / "scores"), JSON)
    assert (run.returncode, run.stdout) == (0, "")
    lines = lines_of(run.stderr)
    assert [line["event"] for line in lines if line["event"] != "progress"] == [
        "runner",
        "planned",
        "published",
    ]
    rows = sum(
        pq.read_metadata(p).num_rows for p in Path("samples/breast_cancer/shards").glob("*.parquet")
    )
    expected = {
        "rows_in": rows,
        "rows_scored": rows,
        "rows_filtered": 0,
        "rows_rejected": 0,
        "exit_status": 0,
    }
    run_id = (tmp_path / "scores/CURRENT").read_text().strip()
    expected |= {
        "job": "breast_cancer",
        "run_id": run_id,
        "output": str(tmp_path / "scores/runs" / run_id),
    }
    expected |= {"files": len(list((tmp_path / "scores/current").glob("part-*")))}
    assert expected.items() <= lines[-1].items()
    published = manifest(tmp_path / "scores")
    assert lines[-1]["stage_seconds"] == {
        stage: entry["seconds"] for stage, entry in published["stages"].items()
    }
    assert lines[-1]["peak_memory_bytes"] == published["peak_memory_bytes"]
    assert all(line["time"].endswith("Z") and line["level"] == "info" for line in lines)


def run_in_json(
    capsys: pytest.CaptureFixture[str], *flags: str
) -> tuple[int, list[dict[str, Any]], str]:
    status = run_program(score.main, [JSON, "--config", "configs/breast_cancer.yaml", *flags])
    out, err = capsys.readouterr()
    return status, lines_of(err), out


def test_the_same_work_again_says_already_published(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = ("--output", str(tmp_path / "scores"))
    first = run_in_json(capsys, *output)[1][-1]
    status, lines, out = run_in_json(capsys, *output)
    assert (status, out, lines[-1]["event"]) == (0, "", "already_published")
    for field in ("run_id", "rows_in", "rows_scored", "files", "output"):
        assert lines[-1][field] == first[field], field


@pytest.mark.parametrize(
    ("flags", "status", "event", "error"),
    [
        (("--set", "nonsense=1"), 2, "refused", "JobError"),
        (("--no_such_flag",), 2, "refused", "JobError"),
        (("--input", "/nowhere"), 3, "refused", "InputError"),
        (("--model", "/nowhere"), 3, "refused", "ModelError"),
        (("--output", "/proc/scores"), 5, "failed", "PublishError"),
    ],
)
def test_a_run_without_scores_ends_with_why(
    flags: tuple[str, ...],
    status: int,
    event: str,
    error: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ended, lines, out = run_in_json(capsys, "--output", str(tmp_path / "scores"), *flags)
    last = lines[-1]
    assert (ended, out) == (status, "")
    assert (last["level"], last["event"], last["exit_status"], last["error"]) == (
        "error",
        event,
        status,
        error,
    )
    assert "traceback" not in last


def test_a_bad_format_is_refused_with_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_program(score.main, ["--log_format=xml"]) == 2
    assert "'text', 'json'" in capsys.readouterr().err


def test_rows_over_the_budget_are_counted_and_not_shown(programs: Programs, tmp_path: Path) -> None:
    shard = Path("samples/breast_cancer/shards/part-00000.parquet")
    rows = pq.read_table(shard).to_pydict()
    rows["mean radius"][0], rows["id"][0] = 1e300, 987_654_321  # no float32
    pq.write_table(pa.table(rows, schema=pq.read_schema(shard)), tmp_path / "bad.parquet")
    run = programs.run(
        "pipelines.score",
        JSON,
        "--config",
        "configs/breast_cancer.yaml",
        "--input",
        str(tmp_path / "bad.parquet"),
        "--output",
        str(tmp_path / "scores"),
    )
    last = lines_of(run.stderr)[-1]
    assert (run.returncode, last["exit_status"], last["event"], last["error"]) == (
        4,
        4,
        "refused",
        "BudgetError",
    )
    assert "1 of" in last["message"]
    assert "987654321" not in run.stderr


def test_debug_puts_the_traceback_into_a_field(capsys: pytest.CaptureFixture[str]) -> None:
    status, lines, _ = run_in_json(capsys, "--debug", "--quiet", "--input", "/nowhere")
    assert status == 3
    assert "Traceback" in lines[-1]["traceback"]


def test_a_librarys_error_keeps_its_traceback_and_not_its_secret() -> None:
    try:
        raise InputError("s3://key:secret@bucket: gone")
    except InputError:
        record = logging.LogRecord(
            "fsspec",
            logging.ERROR,
            __file__,
            1,
            "for %s",
            ("s3://key:secret@bucket",),
            sys.exc_info(),
        )
    line = json.loads(JsonFormatter().format(record))
    assert (line["level"], line["event"], line["logger"], line["message"]) == (
        "error",
        "log",
        "fsspec",
        "for s3://***@bucket",
    )
    assert "InputError: s3://***@bucket: gone" in line["traceback"]


def test_quiet_leaves_errors_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_in_json(capsys, "--quiet", "--output", str(tmp_path / "scores")) == (0, [], "")
    assert [line["event"] for line in run_in_json(capsys, "--quiet", "--input", "/nowhere")[1]] == [
        "refused"
    ]


def test_a_dry_run_prints_its_tables_on_stdout(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, lines, out = run_in_json(capsys, "--dry_run", "--output", str(tmp_path / "scores"))
    assert (status, [line["event"] for line in lines]) == (0, ["runner", "planned"])
    assert "nothing was written" in out


class Halves:
    """Rows done, of which there are ten more each time that somebody looks."""

    rows = 0

    def count(self) -> int:
        self.rows += 10
        return self.rows


def test_progress_is_a_line_of_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("pipelines.scoring.progress._PLAIN_SECONDS", 0.01)
    rows_done, deadline = Halves(), time.monotonic() + 120
    with shown_progress(rows_done, 1_000_000, RunLog(json=True)):  # type: ignore[arg-type]
        while rows_done.rows < 40:
            assert time.monotonic() < deadline
    lines = lines_of(capsys.readouterr().err)
    assert {line["event"] for line in lines} == {"progress"}
    assert lines[0]["rows_in"] == 20
    assert lines[0]["message"].startswith("scoring: 20 of 1,000,000 rows")


RUN = RunFolder("/out", "r1")
MANIFEST: dict[str, Any] = {
    "rows": {"in": 100, "scored": 90, "filtered": 6, "rejected": 4},
    "files": [{}, {}],
    "stages": {"read": {"seconds": 0.25, "share": 1.0}},
    "peak_memory_bytes": 7,
    "ignored_inputs": ["in/_a", "in/_b", "in/c.crc"],
}
TOTALS = {
    "exit_status": 0,
    "files": 2,
    "output": "/out/runs/r1",
    "inputs_left_out": {"checksum": 1, "hidden": 2},
    "rows_in": 100,
    "rows_scored": 90,
    "rows_filtered": 6,
    "rows_rejected": 4,
}


@pytest.mark.parametrize(
    ("seconds", "resumed", "rate"),
    [(0.5, 0, 200), (1.23456, 0, 81), (2.0, 60, 20), (1e-12, 0, 100_000_000_000)],
)
def test_a_published_run_tells_its_own_rows_per_second_and_its_totals(
    seconds: float, resumed: int, rate: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a clock that did not move at all, too."""
    log = RunLog(json=True)
    log.tell_published(RUN, MANIFEST, seconds, resumed)
    (line,) = lines_of(capsys.readouterr().err)
    assert TOTALS.items() <= line.items()
    assert (line["event"], line["seconds"]) == ("published", round(seconds, 3))
    assert (line["rows_per_second"], line["peak_memory_bytes"]) == (rate, 7)
    assert line["stage_seconds"] == log.facts.stage_seconds == {"read": 0.25}
    assert (log.facts.published, log.facts.files, log.facts.rows) == (True, 2, MANIFEST["rows"])
    assert log.facts.rows_per_second == pytest.approx(rate, abs=0.5)


def test_rows_that_a_filter_left_out_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    rows = {"in": 100, "scored": 60, "filtered": 6, "rejected": 4, "left_out": 30}
    log = RunLog(json=True)
    log.tell_published(RUN, {**MANIFEST, "rows": rows, "pruned_files": 3}, 1.0, 0)
    (line,) = lines_of(capsys.readouterr().err)
    assert (line["rows_left_out"], line["files_pruned"]) == (30, 3)
    assert line["message"].endswith("6 filtered + 4 rejected + 30 left out")
    assert log.facts.rows == rows


def test_seconds_are_told_to_the_millisecond_from_the_start_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("pipelines.cli.run_log.time", SimpleNamespace(monotonic=lambda: 101.23456))
    log = RunLog(json=True, began=100.0)
    log.tell_already_published(RUN, MANIFEST)
    log.tell_end("failed", "why", 5, "PublishError")
    again, end = lines_of(capsys.readouterr().err)
    assert (again["event"], again["seconds"], end["seconds"]) == ("already_published", 1.235, 1.235)
    assert TOTALS.items() <= again.items()
    assert "rows_per_second" not in again
    assert log.facts.published


@pytest.mark.parametrize(
    ("rows", "message"),
    [(1_234, "planned: run r1, 1,234 rows in 5 units"), (0, "0 rows"), (None, "uncounted rows")],
)
def test_a_plan_says_how_many_rows_there_are_where_that_is_known(
    rows: int | None, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    RunLog(json=True).tell_plan(RUN, {"model": "m"}, rows, 5, ["in/_a"])
    (line,) = lines_of(capsys.readouterr().err)
    assert message in line["message"]
    assert (line.get("rows_in"), line["units"], line["run_id"]) == (rows, 5, "r1")
    assert (line["model"], line["inputs_left_out"]) == ("m", {"hidden": 1})


@pytest.mark.parametrize(
    ("is_json", "is_quiet", "said", "aside"),
    [
        (False, False, ["done"], ["warning: trouble", "40 rows", "error: why"]),
        (False, True, [], ["warning: trouble", "error: why"]),
        (True, False, [], ["note", "trouble", "progress", "failed"]),
        (True, True, [], ["trouble", "failed"]),
    ],
)
def test_people_and_machines_are_told_what_they_want_to_hear(
    is_json: bool,
    is_quiet: bool,
    said: list[str],
    aside: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    log = RunLog(json=is_json, quiet=is_quiet)
    assert log.is_for_people is (said != [])
    log.tell("note", "done")
    log.tell_trouble("trouble", "trouble")
    log.tell_progress("40 rows", 40, 2.6)
    log.tell_end("failed", "why", 5, "PublishError")
    out, err = capsys.readouterr()
    assert out.splitlines() == said
    lines = lines_of(err) if is_json else []
    assert aside == ([line["event"] for line in lines] or err.splitlines())
    assert [line["rows_per_second"] for line in lines if line["event"] == "progress"] in ([], [3])


def test_how_a_run_ends_is_told_with_its_traceback_where_that_is_wanted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    RunLog().tell_end("failed", "why", 5, "PublishError", "Traceback\n")
    RunLog().tell_end("interrupted", "terminated", 143)
    assert capsys.readouterr().err == "Traceback\nerror: why\nterminated\n"


class Full(io.StringIO):
    """A stream that takes nothing."""

    error: Exception = OSError(28, "No space left on device")

    def write(self, _: str) -> int:
        raise self.error


@pytest.mark.parametrize("is_json", [False, True])
@pytest.mark.parametrize(("lost", "left"), [("stdout", "stderr"), ("stderr", "stdout")])
def test_a_stream_that_takes_nothing_is_told_once_on_the_other_one(
    lost: str, left: str, is_json: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, lost, Full())
    monkeypatch.setattr(sys, left, io.StringIO())
    log = RunLog(json=is_json)
    for _ in range(2):
        log.say("a result")
        log.say_aside("a remark")
    told = [line for line in getattr(sys, left).getvalue().splitlines() if "cannot be" in line]
    if is_json:
        told = [line["message"] for line in lines_of("\n".join(told))]
    beginning = "" if is_json else "warning: "
    (line,) = told
    assert line.startswith(f"{beginning}{lost}: cannot be written: No space left on device; ")
    assert line.endswith(f"let {lost} lead elsewhere")


def test_why_a_stream_takes_nothing_is_told_though_the_system_has_no_word_for_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    full = Full()
    full.error = ValueError("I/O operation on closed file")
    monkeypatch.setattr(sys, "stdout", full)
    RunLog().say("a result")
    assert "stdout: cannot be written: I/O operation on closed file; " in capsys.readouterr().err


def test_metrics_that_cannot_be_written_say_why_in_the_system_s_words_or_the_library_s(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    RunLog(metrics_file=str(tmp_path)).write_metrics(3)
    told = capsys.readouterr().err
    assert "was not written: Is a directory; the run ended with status 3" in told
    RunLog(metrics_file="nowhere://m.prom").write_metrics(0)
    assert "was not written: Protocol not known: nowhere" in capsys.readouterr().err
    RunLog().write_metrics(0)
    assert capsys.readouterr().err == ""


NOTE = {"level": "note", "says": "no profile", "column": "a"}
WARN = {"level": "warn", "says": "PSI of a", "column": "a"}
HOLD = {"level": "hold", "says": "PSI of b", "column": "b"}


@pytest.mark.parametrize(
    ("verdict", "kind", "findings", "said", "aside"),
    [
        ("clean", "training", [], ["monitor: clean, compared with it"], []),
        ("clean", "none", [NOTE], ["monitor: no profile"], []),
        (
            "warned",
            "training",
            [WARN, NOTE],
            ["monitor: no profile"],
            ["warning: monitor: PSI of a"],
        ),
        ("held", "training", [HOLD], [], []),
    ],
)
def test_what_the_monitor_found_is_told(
    verdict: str,
    kind: str,
    findings: list[dict[str, str]],
    said: list[str],
    aside: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    monitor = {"verdict": verdict, "reference": {"kind": kind, "says": "it"}, "findings": findings}
    for is_quiet in (False, True):
        log = RunLog(json=False, quiet=is_quiet)
        log.tell_monitor({"monitor": monitor})
        out, err = capsys.readouterr()
        assert out.splitlines() == ([] if is_quiet else said)
        assert err.splitlines() == aside
        levels = [finding["level"] for finding in findings]
        counts = {"hold": levels.count("hold"), "warn": levels.count("warn")}
        assert log.facts.findings == counts


def test_a_run_without_a_monitor_tells_nothing_of_one(capsys: pytest.CaptureFixture[str]) -> None:
    RunLog(json=False).tell_monitor({})
    assert capsys.readouterr() == ("", "")


def test_machines_are_told_all_of_a_finding(capsys: pytest.CaptureFixture[str]) -> None:
    reference = {"kind": "training", "says": "it"}
    monitor = {"verdict": "held", "reference": reference, "findings": [NOTE, WARN, HOLD]}
    RunLog(json=True, quiet=True).tell_monitor({"monitor": monitor})
    lines = lines_of(capsys.readouterr().err)
    told = [(line["finding"], line["level"], line["column"]) for line in lines]
    assert told == [("warn", "warning", "a"), ("hold", "warning", "b")]
