"""How every program begins and ends: its words, its exit status, and where its lines and those of libraries go."""

from collections.abc import Iterator
from contextlib import contextmanager
import io
import json
import logging
import os
import signal
import sys
from typing import Any
import warnings

import pytest

from configs.errors import (
    BudgetError,
    GateError,
    InputError,
    JobError,
    ModelError,
    PublishError,
    Refusal,
    VerifyError,
    WorkerError,
)
from pipelines import score
from pipelines.cli import command_line
from pipelines.cli.command_line import (
    let_resume,
    open_log,
    run_program,
    stop_on_terminate,
    workers_kept_quiet,
)
from pipelines.cli.parser import Parser
from tests.pipelines.json_lines import lines_of

JSON = "--log_format=json"


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """A program sets up the logging and the warnings of its process; run inside a test, it must not for the next one."""
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    with warnings.catch_warnings():
        yield
        logging.captureWarnings(False)
    root.setLevel(level)
    root.handlers[:] = handlers


def end_with(error: BaseException, *flags: str) -> int:
    """Return the exit status of a program that asks for its log and then raises this."""

    def main(argv: Any) -> int:
        open_log(argv)
        raise error

    return run_program(main, flags)


@pytest.mark.parametrize(
    ("error", "status", "event", "name"),
    [
        (ZeroDivisionError("x"), 1, "failed", "ZeroDivisionError"),
        (Refusal("x"), 1, "failed", "Refusal"),
        (WorkerError("x"), 1, "failed", "WorkerError"),
        (JobError("x"), 2, "refused", "JobError"),
        (InputError("x"), 3, "refused", "InputError"),
        (ModelError("x"), 3, "refused", "ModelError"),
        (VerifyError("x"), 3, "refused", "VerifyError"),
        (BudgetError("x"), 4, "refused", "BudgetError"),
        (PublishError("x"), 5, "failed", "PublishError"),
        (GateError("x"), 6, "refused", "GateError"),
        (KeyboardInterrupt(), 130, "interrupted", None),
    ],
)
def test_every_way_to_fail_has_its_status_and_its_event(
    error: BaseException,
    status: int,
    event: str,
    name: str | None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What a retry cannot mend is refused, everything else has failed."""
    assert end_with(error, JSON) == status
    (line,) = lines_of(capsys.readouterr().err)
    found = (line["exit_status"], line["event"], line["level"], line.get("error"))
    assert found == (status, event, "error", name)


def test_a_refusal_that_a_runner_wrapped_up_is_shown_without_the_step(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert end_with(InputError("a.csv: is gone [while running 'Read']")) == 3
    assert capsys.readouterr().err == "error: a.csv: is gone\n"
    text = "Traceback ...\nconfigs.errors.BudgetError: too many [while running 'Publish']"
    assert end_with(RuntimeError(text)) == 4
    assert capsys.readouterr().err == "error: too many\n"


class ServiceError(Exception):
    """An error of gRPC's kind, whose own text ends with a bracket."""

    def details(self) -> str:
        return "the queue 'night' is full\n"


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (ValueError("first\n the last one \n\n"), "the last one"),
        (ValueError("of customer 'Smith'"), "of customer"),
        (ServiceError("<\n status\n>"), "the queue 'night' is full"),
        (OSError(28, "No space left on 'disk'"), "[Errno 28] No space left on 'disk'"),
        (ValueError(), ""),
        (OSError(5, "x" * 600), f"[Errno 5] {'x' * 490}"),
    ],
)
def test_an_internal_error_shows_the_line_that_says_why_and_no_value_of_a_row(
    error: Exception, shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert end_with(error) == 1
    said = capsys.readouterr().err
    beginning = f"error: internal error: {type(error).__name__}: {shown}"
    assert said.startswith(beginning)
    assert "Smith" not in said
    assert len(shown) < 500 or said.startswith(f"{beginning}; run again"), "cut after 500 letters"


def test_the_words_are_those_of_the_process_unless_others_are_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heard: list[list[str]] = []

    def main(argv: Any) -> int:
        heard.append(list(argv))
        return 0

    monkeypatch.setattr(sys, "argv", ["program.py", "--quiet", "a"])
    assert run_program(main) == 0
    assert run_program(main, ["b"]) == 0
    assert run_program(main, []) == 0
    assert heard == [["--quiet", "a"], ["b"], []]


@pytest.mark.parametrize(
    ("words", "refused"),
    [
        (["out", "--key", ""], "--key"),
        (["out", "--key="], "--key"),
        (["out", "--input", "a", "--input", ""], "--input"),
        ([""], "OUTPUT"),
        (["out", "--why", "", "--key", " "], None),
    ],
)
def test_an_empty_value_is_not_taken_for_a_flag_that_is_not_there(
    words: list[str], refused: str | None
) -> None:
    """As of a variable that a script has not set."""
    parser = Parser("program", "Do something.")
    parser.add_argument("output", metavar="OUTPUT")
    parser.add_argument("--key")
    parser.add_argument("--input", action="append", default=[])
    parser.add_argument("--why", default="")
    if refused is None:
        assert parser.parse_whole(words).key == " "
        return
    with pytest.raises(JobError, match=f"^{refused}: its value is empty"):
        parser.parse_whole(words)


@pytest.mark.parametrize("flag", ["--config", "--output", "--runner"])
def test_scoring_refuses_an_empty_value_as_well(flag: str) -> None:
    """Its other flags are Beam's, so it does not read a whole command line."""
    with pytest.raises(JobError, match=f"^{flag}: its value is empty"):
        score._parse([flag, "", "--direct_num_workers=1"])


def test_a_word_without_a_flag_is_called_no_flag() -> None:
    parser = Parser("program", "Do something.")
    with pytest.raises(JobError, match=r"^job\.yaml: stands behind no flag"):
        parser.parse_whole(["job.yaml"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--quie"], "unknown flag --quie; did you mean --quiet?; see python -m program --help"),
        (["--quiat=1", "--other"], "unknown flag --quiat; did you mean --quiet?"),
        (["--runnner=x"], "unknown flag --runnner; did you mean --runner?"),
    ],
)
def test_flags_are_written_whole_and_the_first_that_is_unknown_is_named(
    words: list[str], message: str
) -> None:
    parser = Parser("program", "Do something.")
    parser.add_argument("--quiet", action="store_true")
    _, unknown = parser.parse_known_args(words)
    with pytest.raises(JobError) as refused:
        parser.refuse_unknown(unknown, ["--runner"])
    assert str(refused.value).startswith(message)
    with pytest.raises(JobError, match="unknown flag"):
        parser.parse_whole(words)
    assert parser.parse_whole(["--quiet"]).quiet is True


@pytest.mark.parametrize(
    ("words", "is_json", "is_quiet", "metrics_file"),
    [
        ([], False, False, None),
        (["--log_format", "json", "--quiet"], True, True, None),
        ([JSON, "--log_format=text"], False, False, None),
        (["--metrics_file=a=b", "--quiet"], False, True, "a=b"),
        (["--metrics_file", "a", "--metrics_file", "b"], False, False, "b"),
        (["--metrics_file"], False, False, None),
        (["--metrics_file=a", "--dry_run"], False, False, None),
        (["json", "--log_format"], False, False, None),
    ],
)
def test_the_log_is_as_the_flags_say_whatever_else_is_wrong_with_them(
    words: list[str], is_json: bool, is_quiet: bool, metrics_file: str | None
) -> None:
    log = open_log(words)
    assert (log.json, log.quiet, log.metrics_file) == (is_json, is_quiet, metrics_file)


@pytest.mark.parametrize(
    ("flags", "is_dropped"),
    [((), True), (("--debug",), False), ((JSON,), True), ((JSON, "--debug"), True)],
)
def test_what_workers_write_is_dropped_but_for_debugging_people(
    flags: tuple[str, ...], is_dropped: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    """A library's warning, in lines that are not JSON, would break a JSON log even then."""

    def main(argv: Any) -> int:
        log = open_log(argv)
        os.write(2, b"before\n")
        with workers_kept_quiet():
            os.write(2, b"a worker's noise\n")
            log.tell_trouble("trouble", "the run's own line")
        os.write(2, b"after\n")
        return 0

    assert run_program(main, flags) == 0
    said = capfd.readouterr().err
    assert ("noise" not in said) is is_dropped
    assert [said.count(text) for text in ("before\n", "the run's own line", "after\n")] == [1] * 3


@contextmanager
def of_the_file_descriptor() -> Iterator[None]:
    """Let stderr be Python's own, and not one of pytest's."""
    before = sys.stderr
    with open(2, "w", closefd=False) as sys.stderr:
        yield
    sys.stderr = before


def fail_quietly() -> None:
    with pytest.raises(ZeroDivisionError), workers_kept_quiet():
        raise ZeroDivisionError


def test_who_calls_no_program_hears_all_that_comes_after_a_failure(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Nobody would tell its end: its own traceback would be lost."""
    with of_the_file_descriptor():
        fail_quietly()
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"


def test_after_a_failure_that_was_mended_the_log_goes_on_where_it_was(
    capfd: pytest.CaptureFixture[str],
) -> None:
    def main(argv: Any) -> int:
        log = open_log(argv)
        fail_quietly()
        os.write(2, b"late noise\n")
        log.tell_trouble("trouble", "mended")
        with workers_kept_quiet():
            os.write(2, b"noise\n")
            log.tell_trouble("trouble", "the run's own line")
        return 0

    with of_the_file_descriptor():
        assert run_program(main, []) == 0
    os.write(2, b"after\n")
    said = capfd.readouterr().err
    assert "noise" not in said
    assert [said.count(text) for text in ("mended", "own line", "after\n")] == [1] * 3


def test_a_program_whose_end_cannot_be_told_leaves_python_its_last_words(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail_again(*_: object) -> int:
        fail_quietly()
        raise MemoryError

    monkeypatch.setattr(command_line, "_run", fail_again)
    with of_the_file_descriptor(), pytest.raises(MemoryError):
        run_program(lambda argv: 0, [])
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"


def test_what_libraries_log_is_in_the_json_log_also_while_workers_are_kept_quiet(
    capfd: pytest.CaptureFixture[str],
) -> None:
    root = logging.getLogger()
    # Else `basicConfig` finds pytest's own handlers and makes none.
    root.handlers[:] = []

    def main(argv: Any) -> int:
        open_log(argv)
        logging.getLogger("library").info("at first")
        with workers_kept_quiet():
            logging.getLogger("library").info("meanwhile")
        warnings.simplefilter("always")
        warnings.warn("a warning", UserWarning, stacklevel=1)
        return 0

    assert run_program(main, [JSON, "--debug"]) == 0
    lines = lines_of(capfd.readouterr().err)
    assert [line["message"] for line in lines[:2]] == ["at first", "meanwhile"]
    assert [line["logger"] for line in lines] == ["library", "library", "py.warnings"]
    assert "a warning" in lines[2]["message"]


def test_handlers_of_somebody_else_stay_as_they_are() -> None:
    class Theirs(logging.StreamHandler):  # type: ignore[type-arg]
        pass

    stream = io.StringIO()
    theirs = Theirs(stream)
    root = logging.getLogger()
    root.handlers[:] = [theirs]
    assert run_program(lambda argv: int(open_log(argv).quiet), [JSON]) == 0
    with workers_kept_quiet():
        assert theirs.stream is stream
    assert theirs.formatter is None


@pytest.mark.parametrize(
    ("flags", "options", "is_silent"),
    [((), [], True), (("--debug",), [], False), ((), ["always"], False)],
)
def test_warnings_of_libraries_are_for_those_who_debug_or_ask_python_for_them(
    flags: tuple[str, ...], options: list[str], is_silent: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "warnoptions", options)
    heard: list[str] = []

    def main(argv: Any) -> int:
        warnings.warn("a warning", UserWarning, stacklevel=1)
        return 0

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        monkeypatch.setattr(warnings, "showwarning", lambda message, *_: heard.append(str(message)))
        assert run_program(main, flags) == 0
    assert heard == ([] if is_silent else ["a warning"])


@pytest.mark.parametrize(
    ("is_published", "confirmed", "status", "message"),
    [
        (True, True, 0, "terminated: after the run was published"),
        (False, True, 143, "terminated: nothing was published; the same command resumes"),
        (False, False, 143, "terminated: the runner did not confirm that its job ends"),
    ],
)
def test_a_terminated_program_says_what_became_of_its_run(
    is_published: bool,
    confirmed: bool,
    status: int,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    left: list[int] = []
    monkeypatch.setattr(command_line, "end_process", left.append)
    monkeypatch.setattr(command_line, "cancel_jobs", lambda: confirmed)
    monkeypatch.setattr(command_line, "_resumes", False)
    before = signal.getsignal(signal.SIGTERM)
    try:
        stop_on_terminate()
        let_resume()
        log = open_log([JSON])
        log.facts.published = is_published
        signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert left == [status]
    line = json.loads(capsys.readouterr().err)
    assert (line["exit_status"], line["event"]) == (status, "interrupted")
    assert line["message"].startswith(message)


@pytest.mark.parametrize(
    ("resumes", "words"),
    [
        (True, "interrupted: nothing was published; the same command resumes where it stopped"),
        # Of a tuning, for example: what it has measured is kept nowhere.
        (False, "interrupted; the same command begins again"),
    ],
)
def test_a_program_that_keeps_nothing_does_not_say_that_it_resumes(
    resumes: bool, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def main(argv: Any) -> int:
        if resumes:
            let_resume()
        raise KeyboardInterrupt

    # Nothing is left of the program before.
    for _ in range(2):
        assert run_program(main, []) == 130
        assert capsys.readouterr().err == f"{words}\n"
