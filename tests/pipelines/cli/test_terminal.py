"""What becomes of stdout and stderr, and what a text holds, decides nothing about a program's outcome."""

import io
import json
import os
from pathlib import Path
import subprocess
import sys
from typing import Any
import unicodedata

from hypothesis import given
from hypothesis import strategies as st
import pyarrow as pa
import pytest

from configs.errors import PublishError
from pipelines import score
from pipelines.cli import terminal
from pipelines.cli.command_line import run_program
from pipelines.cli.run_log import RunLog
from pipelines.cli.terminal import (
    LenientStream,
    flush_quietly,
    hold_standard_files,
    make_harmless,
    write_result,
    write_text,
)
from tests.pipelines.json_lines import lines_of
from tests.support.builders import tiny_package
from tests.support.fork_server import CLOSED, NO_READER
from tests.support.jobs import small_table, write_job, write_parquet
from tests.support.programs import Programs
from tests.support.runs import published

FULL = "/dev/full"
LOST = (CLOSED, FULL, NO_READER)


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("job")
    write_parquet(folder / "shards/a.parquet")
    return write_job(folder, tiny_package(folder / "model"))


@pytest.fixture(scope="module")
def expected(job: Path, programs: Programs) -> dict[str, bytes]:
    """What a run publishes when all that it says can be written."""
    output = job.parent / "expected"
    run = programs.run("pipelines.score", "--config", str(job), "--output", str(output))
    assert run.returncode == 0, run.stderr
    return published(output)


# Each of the three with stdout, with stderr, with both; and every way to log with each of the three.
LOSSES = [
    ("", CLOSED, None),
    ("", None, CLOSED),
    ("--debug", CLOSED, CLOSED),
    ("--log_format=json", CLOSED, CLOSED),
    ("", FULL, None),
    ("", None, FULL),
    ("--debug", FULL, FULL),
    ("--log_format=json", None, FULL),
    ("--quiet", None, FULL),
    ("", NO_READER, None),
    ("--debug", None, NO_READER),
    ("--log_format=json", NO_READER, NO_READER),
]


@pytest.mark.parametrize(("flag", "out", "err"), LOSSES)
def test_a_run_publishes_the_same_whatever_becomes_of_what_it_says(
    flag: str,
    out: str | None,
    err: str | None,
    job: Path,
    expected: dict[str, bytes],
    programs: Programs,
    tmp_path: Path,
) -> None:
    output = tmp_path / "scores"
    words = ("--config", str(job), "--output", str(output), *([flag] if flag else []))
    # The second time it is published already.
    for _ in range(2):
        run = programs.run("pipelines.score", *words, stdout=out, stderr=err)
        assert run.returncode == 0, run.stdout + run.stderr
        assert published(output) == expected
        said = run.stdout + run.stderr
        # Nothing is said twice.
        assert said.count("cannot be written") <= 1
        assert "Traceback" not in said


@pytest.mark.parametrize("lost", LOST)
@pytest.mark.parametrize(
    ("flags", "status"), [(("--no_such_flag",), 2), (("--input", "/nowhere"), 3)]
)
def test_a_refusal_has_its_status_whatever_becomes_of_stderr(
    lost: str, flags: tuple[str, ...], status: int, job: Path, programs: Programs
) -> None:
    run = programs.run("pipelines.score", "--config", str(job), *flags, stdout=lost, stderr=lost)
    assert run.returncode == status


def test_what_cannot_be_written_is_said_once_on_what_is_left(
    job: Path, programs: Programs, tmp_path: Path
) -> None:
    words = ("--config", str(job), "--output", str(tmp_path / "a"))
    run = programs.run("pipelines.score", *words, stdout=FULL)
    (line,) = run.stderr.splitlines()
    assert line.startswith("warning: stdout: cannot be written: No space left on device; ")
    words = ("--config", str(job), "--output", str(tmp_path / "b"), "--log_format=json")
    run = programs.run("pipelines.score", *words, stderr=FULL)
    (told,) = lines_of(run.stdout)
    assert (told["event"], told["level"]) == ("log_not_written", "warning")
    assert "stderr: cannot be written" in told["message"]


def test_letters_that_the_terminal_lacks_are_written_out(
    job: Path, programs: Programs, tmp_path: Path
) -> None:
    write_parquet(tmp_path / "in/größe.parquet", small_table(2, s=pa.array(["größe", "日本"])))
    words = ["--config", str(job), "--input", str(tmp_path / "in"), "--output"]
    words += [str(tmp_path / "scores"), "--set", "source.passthrough=[s]"]
    locale = {"PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
    run = programs.run("pipelines.score", *words, env=locale)
    assert (run.returncode, run.stderr) == (0, "")
    assert "gr\\xf6\\xdfe" in run.stdout
    assert run.stdout.isascii()


CANNOT_BE_PYTHON = {
    "a date after 9999": (pa.array([2_932_897, 0], pa.date32()), "10000-01-01"),
    "a last second in Berlin": (
        pa.array([253_402_300_799, 0], pa.timestamp("s", tz="Europe/Berlin")),
        "9999-12-31 23:59:59.000Z",
    ),
    "a zone that nobody knows": (pa.array([0, 1], pa.timestamp("s", tz="Not/AZone")), "1970-01-01"),
    "a date in a list": (pa.array([[2_932_897], []], pa.list_(pa.date32())), "10000-01-01"),
    "a duration": (pa.array([2**62, 0], pa.duration("s")), str(2**62)),
    "no text": (pa.array([b"\xff\x1b[2J", b""]), "b'\\xff\\x1b[2J'"),
    "half a letter": (pa.array(["a\u202e\x1b[2J\r\n", ""]), "a\\u202e\\x1b[2J\\r\\n"),
}


@pytest.mark.parametrize("kind", CANNOT_BE_PYTHON)
def test_a_value_is_shown_whatever_it_is(
    kind: str, job: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    column, shown = CANNOT_BE_PYTHON[kind]
    write_parquet(tmp_path / "in/a.parquet", small_table(2, s=column))
    words = ["--config", str(job), "--input", str(tmp_path / "in"), "--output"]
    words += [str(tmp_path / "scores"), "--set", "source.passthrough=[s]"]
    assert run_program(score.main, [*words, "--dry_run"]) == 0
    assert shown in capsys.readouterr().out
    assert run_program(score.main, words) == 0
    out, err = capsys.readouterr()
    assert shown in out
    assert err == ""


def test_a_preview_that_fails_is_said_and_the_run_is_published(
    job: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: object) -> str:
        raise RuntimeError("no such codec")

    for name in ("first_rows", "final_table"):
        monkeypatch.setattr(f"pipelines.scoring.summary.{name}", fail)
        output = tmp_path / name
        assert run_program(score.main, ["--config", str(job), "--output", str(output)]) == 0
        assert (output / "CURRENT").exists()
        err = capsys.readouterr().err
        assert "warning: the run is published, but not all of it can be shown: RuntimeError" in err


def test_cleaning_up_that_fails_after_publication_is_said_and_the_status_stays(
    job: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pipelines.scoring.launch.remove_superseded", fail)
    assert run_program(score.main, ["--config", str(job), "--output", str(tmp_path / "s")]) == 0
    assert "warning: the run is published" in capsys.readouterr().err


def test_an_interruption_after_publication_is_none_of_the_run(
    job: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupt(*_: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("pipelines.scoring.summary.first_rows", interrupt)
    assert run_program(score.main, ["--config", str(job), "--output", str(tmp_path / "s")]) == 0
    assert capsys.readouterr().err == "interrupted: after the run was published\n"


def test_progress_that_cannot_be_looked_at_is_said_once_and_stops_no_run(
    job: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(_: object) -> int:
        raise ValueError("no number")

    monkeypatch.setattr("pipelines.scoring.progress.RowsDone.count_finished", fail)
    assert run_program(score.main, ["--config", str(job), "--output", str(tmp_path / "s")]) == 0
    # The thread wrote to a copy of the file descriptor.
    out, err = capfd.readouterr()
    assert "resumed" not in out
    assert err.count("warning: how many rows an earlier run has done cannot be told") == 1
    assert err.count("warning: progress is not shown any more: ValueError: no number") == 1


BARE = {
    "nothing at all": ((), 0),
    "--config": (("--config",), 2),
    "--set": (("--set",), 2),
    "--set without =": (("--set", "name"), 2),
    "--metrics_file": (("--metrics_file",), 2),
    "--log_format": (("--log_format",), 2),
    "--input": (("--quiet", "--input"), 2),
    "an empty word": (("",), 2),
}


@pytest.mark.parametrize("words", BARE)
def test_any_command_line_scores_the_default_job_or_is_refused_in_one_line(
    words: str, programs: Programs, tmp_path: Path
) -> None:
    arguments, status = BARE[words]
    # The default job's paths stand in the current folder.
    for name in ("configs", "samples"):
        (tmp_path / name).symlink_to(Path(name).resolve())
    run = programs.run("pipelines.score", *arguments, cwd=tmp_path)
    assert run.returncode == status, run.stderr
    if status:
        assert run.stderr.count("\n") == 1
        assert run.stderr.startswith("error: ")
        assert "internal error" not in run.stderr
    else:
        assert (tmp_path / "scores/breast_cancer/CURRENT").exists()


@pytest.fixture(scope="module")
def scored(programs: Programs, tmp_path_factory: pytest.TempPathFactory) -> str:
    output = str(tmp_path_factory.mktemp("scored") / "scores")
    assert programs.run("pipelines.score", "--output", output, "--quiet").returncode == 0
    return output


@pytest.mark.parametrize("lost", LOST)
@pytest.mark.parametrize("program", ["verify", "prune", "evaluate", "train", "tune"])
def test_the_other_programs_end_alike_whatever_becomes_of_what_they_say(
    program: str, lost: str, scored: str, programs: Programs, tmp_path: Path
) -> None:
    labels = "samples/breast_cancer/labels.parquet"
    words: dict[str, list[str]] = {
        "verify": [scored],
        "prune": [scored, "--older_than_days", "1"],
        "evaluate": ["--output", scored, "--labels", labels, "--key", "id", "--label", "diagnosis"],
        "train": ["--config", "configs/train_breast_cancer.yaml", "--set"],
    }
    words["train"] += [
        f"output={tmp_path / 'trained'}",
        "--set",
        "training.epochs=1",
        "--set",
        "report=false",
    ]
    words["tune"] = ["--set", f"model.tuning_report={tmp_path / 'report.json'}", "--rows", "128"]
    # What it finds is no matter here: the shortest time is enough.
    words["tune"] += ["--set", "model.dtype=auto", "--minutes", "0.001"]
    for left_out in ("compile", "onnxruntime", "openvino"):
        words["tune"] += ["--without", left_out]
    # Figures stand on stdout alone, and so does the path of the job that training has written.
    is_lost = program in ("evaluate", "train") and lost in (FULL, CLOSED)
    run = programs.run(f"pipelines.{program}", *words[program], stdout=lost, stderr=lost)
    assert run.returncode == (5 if is_lost else 0)
    run = programs.run(f"pipelines.{program}", "--no_such_flag", stdout=lost, stderr=lost)
    assert run.returncode == 2


def test_prune_removes_what_it_cannot_speak_of(programs: Programs, tmp_path: Path) -> None:
    for run_id in ("a", "b"):
        left = tmp_path / "_tmp" / run_id / "attempts"
        left.mkdir(parents=True)
    words = (str(tmp_path), "--older_than_days", "1")
    run = programs.run("pipelines.prune", *words, stdout=FULL)
    assert run.returncode == 0
    assert run.stderr.count("warning: stdout: cannot be written") == 1
    assert list((tmp_path / "_tmp").iterdir()) == []


@pytest.mark.program
def test_a_path_that_a_closed_stdout_cannot_take_is_said(scored: str) -> None:
    """As a shell closes it: `python -m pipelines.path OUTPUT >&-`."""
    words = [sys.executable, "-m", "pipelines.path", scored]
    closed = subprocess.run(["sh", "-c", '"$@" >&-', "sh", *words], capture_output=True, text=True)
    assert closed.returncode == 5
    assert closed.stderr == (
        "error: stdout: the path cannot be written: it is closed; let stdout lead somewhere\n"
    )
    nowhere = subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert (nowhere.returncode, nowhere.stderr) == (0, "")


def test_metrics_that_cannot_be_written_are_an_error_unless_the_reader_has_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Full(io.StringIO):
        error: OSError = OSError(28, "No space left on device")

        def write(self, _: str) -> int:
            raise self.error

    stream = Full()
    monkeypatch.setattr("sys.stdout", stream)
    with pytest.raises(PublishError, match="stdout: the metrics cannot be written: No space left"):
        write_result("{}", "the metrics")
    stream.error = BrokenPipeError(32, "Broken pipe")
    write_result("{}", "the metrics")


@given(st.text(st.characters(categories=("Cc", "Cs", "Cf", "Zl", "Zp", "L"))))
def test_no_control_character_reaches_a_terminal(text: str) -> None:
    written = make_harmless(text)
    # By Unicode's own classes, but for the line break, and the joiners that letters need.
    left = {unicodedata.category(character) for character in written if character != "\n"}
    assert left.isdisjoint({"Cc", "Cs", "Zl", "Zp"})
    turning = {"RLE", "LRE", "RLO", "LRO", "PDF", "RLI", "LRI", "FSI", "PDI"}
    assert turning.isdisjoint({unicodedata.bidirectional(character) for character in written})


def test_every_line_of_json_is_unicode_whatever_a_name_holds(
    capsys: pytest.CaptureFixture[str],
) -> None:
    RunLog(json=True).tell("planned", "a\udcff\x1b[2J.csv")
    line = capsys.readouterr().err
    assert json.loads(line)["message"].encode() == b"a\\xff\x1b[2J.csv"


def test_control_characters_of_names_do_not_reach_the_terminal(
    job: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a file's name in a refusal, of a column's in a refusal and in the preview, of the output's in the table."""
    evil = "\x1b[2J\x07\u202e"
    write_parquet(tmp_path / "in" / f"a{evil}.parquet", small_table(2, **{evil: ["x", "y"]}))
    words = ["--config", str(job), "--input", str(tmp_path / "in"), "--output"]
    words += [str(tmp_path / f"scores{evil}"), "--set", f"source.passthrough={json.dumps([evil])}"]
    assert run_program(score.main, words) == 0
    assert run_program(score.main, [*words, "--set", "source.key=nope"]) == 3
    (tmp_path / "in" / f"a{evil}.parquet").write_bytes(b"no parquet")
    assert run_program(score.main, words) == 3
    out, err = capsys.readouterr()
    for text in (out, err):
        assert "\\x1b[2J\\x07\\u202e" in text
        assert not set(evil) & set("\x1b\x07\u202e") & set(text)


@pytest.mark.parametrize("flag", ["--input", "--output", "--model", "--config", "--metrics_file"])
def test_a_name_that_is_not_utf_8_works_or_is_refused_by_its_escaped_name(
    flag: str, job: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = str(tmp_path / "a\udcff")
    write_parquet(tmp_path / "b.parquet").rename(name)
    path = f"{name}s" if flag in ("--output", "--metrics_file") else name
    words = ["--config", str(job), "--output", str(tmp_path / "scores"), flag, path]
    status = run_program(score.main, words)
    out, err = capsys.readouterr()
    assert err.count("\n") <= 1
    assert "internal error" not in err
    if status:
        assert status in (2, 3, 5)
        assert "a\\xff" in err
    assert (out + err).encode()


def test_a_stream_that_is_closed_takes_all_and_says_why() -> None:
    stream = io.StringIO()
    stream.close()
    assert isinstance(write_text(stream, "a"), ValueError)
    lenient = LenientStream(stream)
    assert lenient.write("abc") == 3
    lenient.flush()
    assert lenient.encoding is None


class Interrupted(io.RawIOBase):
    """A file in the midst of whose writing a signal comes, whose handler wants to write, too."""

    def __init__(self) -> None:
        super().__init__()
        self.stream = io.TextIOWrapper(io.BufferedWriter(self))
        self.errors: list[Exception | None] = []

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        self.errors.append(write_text(self.stream, "stopped"))
        flush_quietly(self.stream)
        return len(content)


def test_a_signal_in_the_midst_of_writing_is_no_error_of_its_handler() -> None:
    """Python refuses to write twice at a time, with an error that the interrupted program would end with."""
    file = Interrupted()
    assert write_text(file.stream, "a") is None
    assert [type(error) for error in file.errors][:1] == [RuntimeError]


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_standard_file_that_was_closed_is_held_open_on_nothing(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the next file that is opened takes its number; worker processes get it too."""
    held: dict[int, io.FileIO] = {}
    monkeypatch.setattr(terminal, "_held", held)
    saved = os.dup(number)
    os.close(number)
    try:
        hold_standard_files()
        is_nothing = os.path.samestat(os.fstat(number), os.stat(os.devnull))
        found = (is_nothing, os.get_inheritable(number), [file.fileno() for file in held.values()])
        hold_standard_files()
    finally:
        for file in held.values():
            file.close()
        os.dup2(saved, number)
        os.close(saved)
    assert found == (True, True, [number])
    assert len(held) == 1, "it is open now"


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_a_stream_that_python_has_not_is_one_that_takes_all(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = io.StringIO()
    for other in ("stdout", "stderr"):
        monkeypatch.setattr(sys, other, None if other == name else kept)
    hold_standard_files()
    stream = getattr(sys, name)
    assert stream.write("größe \udcff") == 7
    stream.close()
    assert {sys.stdout, sys.stderr} == {stream, kept}


def test_a_line_is_out_at_once_in_the_letters_that_the_stream_has() -> None:
    content = io.BytesIO()
    stream = io.TextIOWrapper(content, encoding="ascii")
    assert write_text(stream, "größe") is None
    assert content.getvalue() == b"gr\\xf6\\xdfe\n"
    without_encoding = io.StringIO()
    assert write_text(without_encoding, "größe") is None
    assert without_encoding.getvalue() == "größe\n"


@pytest.mark.parametrize(
    ("character", "written"),
    [
        ("\udc80", "\\x80"),
        ("\udcff", "\\xff"),
        ("\udc7f", "\\udc7f"),
        ("\udd00", "\\udd00"),
        ("\x1b", "\\x1b"),
        ("\u2028", "\\u2028"),
    ],
)
def test_bytes_of_a_name_are_written_out_as_bytes_and_half_letters_as_such(
    character: str, written: str
) -> None:
    """Python keeps the bytes 80 to ff of a name that is not UTF-8 as the half letters dc80 to dcff."""
    assert make_harmless(f"a{character}b") == f"a{written}b"


def test_a_result_that_is_lost_says_why_though_the_system_has_no_word_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream = io.StringIO()
    stream.close()
    monkeypatch.setattr("sys.stdout", stream)
    with pytest.raises(PublishError, match="cannot be written: I/O operation on closed file"):
        write_result("{}", "the metrics")
