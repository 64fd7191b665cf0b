"""The log of a run in JSON lines: every line is one object, each way to end has its event, and no secret is in any."""

import json
import logging
from pathlib import Path
import sys
import time
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
from tests.pipelines.json_lines import lines_of
from tests.support.programs import Programs, start_program

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
    published = json.loads((tmp_path / "scores/current/manifest.json").read_text())
    assert lines[-1]["stage_seconds"] == {
        stage: entry["seconds"] for stage, entry in published["stages"].items()
    }
    assert lines[-1]["peak_memory_bytes"] == published["peak_memory_bytes"]
    assert all(line["time"].endswith("Z") and line["level"] == "info" for line in lines)


def run_in_json(
    capsys: pytest.CaptureFixture[str], *flags: str
) -> tuple[int, list[dict[str, Any]], str]:
    status = run_program(score.main, [JSON, *flags])
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


@pytest.mark.program
def test_libraries_and_worker_processes_write_nothing_but_lines_of_json(tmp_path: Path) -> None:
    """A real start, with worker processes: what is imported writes to stderr too."""
    several = ("--direct_running_mode=multi_processing", "--direct_num_workers=2")
    run = start_program(
        "pipelines.score", JSON, "--debug", *several, "--output", str(tmp_path / "scores")
    )
    assert run.returncode == 0
    lines = lines_of(run.stderr)
    assert {"log", "published"} <= {line["event"] for line in lines}
    assert all(line["logger"] for line in lines if line["event"] == "log")


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
    rows_done, deadline = Halves(), time.monotonic() + 30
    with shown_progress(rows_done, 1_000_000, RunLog(json=True)):  # type: ignore[arg-type]
        while rows_done.rows < 40:
            assert time.monotonic() < deadline
    lines = lines_of(capsys.readouterr().err)
    assert {line["event"] for line in lines} == {"progress"}
    assert lines[0]["rows_in"] == 20
    assert lines[0]["message"].startswith("scoring: 20 of 1,000,000 rows")
