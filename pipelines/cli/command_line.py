"""How every program begins and ends: its log, one plain line per error, its exit status.

The words of its command line are `parser.py`.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
import signal
import sys
import traceback
from types import FrameType
from typing import Any, TextIO, TypeAlias

from configs.errors import Refusal, refusal_of
from configs.redaction import shown
from model_zoo.library_caches import refuse_shared_caches
from pipelines.cli.library_logs import (
    is_debugging,
    log_libraries_in_json,
    quiet_libraries,
    send_library_logs,
)
from pipelines.cli.parser import HelpShownError, TakesFlags, Words
from pipelines.cli.run_log import RunLog
from pipelines.cli.shutdown import (
    call_within,
    cancel_jobs,
    close_put_off,
    closed_when_told,
    end_process,
    put_off,
)
from pipelines.cli.startup import end_imports
from pipelines.cli.terminal import dropped_stderr, flush_quietly, hold_standard_files, is_file

# The others may end well when they are tried again.
_REFUSED = (2, 3, 4, 6)
_INTERRUPTED = 130
# How long a store may take to tell what is done, while somebody waits for the program to end.
_LOOK_SECONDS = 2.0
# The file descriptor.
_STDERR = 2
# An error of a library may quote a whole file.
_SHOWN_CHARACTERS = 500
Main: TypeAlias = Callable[[Words], int]


def run_program(main: Main, argv: Words | None = None) -> int:
    """Run `main`, and return the exit status.

    Whatever it raises becomes one plain line on stderr. The metrics that it asked for are left.

    Args:
        main: takes the words of the command line, and returns an exit status.
        argv: those words; None for the process's own.
    """
    global _log, _resumes
    _resumes = False
    end_imports()
    hold_standard_files()
    _log = RunLog()
    if argv is None:
        argv = sys.argv[1:]
    quiet_libraries("--debug" in argv)
    with closed_when_told():
        status = _run(main, list(argv))
        _log.write_metrics(status)
    return status


def let_resume() -> None:
    """Let the end of a program that a signal stops say that the same command resumes."""
    global _resumes
    _resumes = True


def say(text: str) -> None:
    """Say something to people, on stdout; that it cannot be written stops no program."""
    _log.say(text)


def say_aside(text: str) -> None:
    """Say something that is no result, on stderr; likewise."""
    _log.say_aside(text)


def open_log(argv: Words) -> RunLog:
    """Return the log that the flags ask for, from now on the one of `run_program`.

    They are read before all else, so that a bad flag is in it too.
    """
    global _log
    metrics_file = None
    # A dry run leaves nothing.
    if "--dry_run" not in argv:
        metrics_file = _find_value("--metrics_file", argv)
    _log = RunLog(
        json=_find_value("--log_format", argv) == "json",
        quiet="--quiet" in argv,
        metrics_file=metrics_file,
    )
    _log.prepare_metrics()
    if _log.json:
        log_libraries_in_json()
    return _log


def add_log_flags(parser: TakesFlags) -> None:
    """Add the flags that `open_log` reads."""
    formats = (
        "what goes to the terminal: text, or one JSON object per line, all on stderr "
        "(default: text)"
    )
    parser.add_argument(
        "--log_format",
        choices=("text", "json"),
        default="text",
        metavar="FORMAT",
        help=formats,
    )
    metrics = "leave a metrics file in Prometheus' text format at the end, however the run ends"
    parser.add_argument("--metrics_file", metavar="FILE", help=metrics)


def stop_on_terminate() -> None:
    """Make SIGTERM end the process at once with status 143; what can resume, does."""

    def stop(signum: int, frame: FrameType | None) -> None:
        # As shells count: a process that a signal ended has 128 and its number.
        status = _say_stopped("terminated", 128 + signum)
        _log.write_metrics(status)
        end_process(status)

    signal.signal(signal.SIGTERM, stop)


@contextmanager
def workers_kept_quiet() -> Iterator[None]:
    """Drop what workers and libraries write to stderr while the block runs.

    The run's own log goes on. A runner prints the traceback of a failed worker several times,
    and worker processes log their start; what matters of it comes back as an exception. Threads of
    one that failed go on, and are not heard until the program's end is told. With --debug nothing
    is dropped. A JSON log is kept free of lines that are not JSON even then; the libraries of this
    process are in it.
    """
    if is_debugging() and not _log.json:
        yield
        return

    # Of what failed before and was mended: stderr is to be as it was found.
    close_put_off()
    # What is buffered was written before, and is not to be dropped.
    flush_quietly(sys.stderr)
    with ExitStack() as quiet:
        kept = quiet.enter_context(dropped_stderr(_STDERR))
        _send_logs_to(kept)
        quiet.callback(_send_logs_to, None)
        try:
            yield
        except BaseException:
            # Where another stream is in its place, as a test's, the last words belong there.
            if is_file(sys.stderr, _STDERR):
                put_off(quiet)
            raise


# One for the process: a signal's handler has nothing but this to find it by.
_log = RunLog()
# Whether what the program has done is kept when it is stopped. Of one that keeps nothing, nobody shall
# wait for a rerun that is short.
_resumes = False


def _run(main: Main, argv: Words) -> int:
    try:
        refuse_shared_caches()
        return main(argv)
    except Refusal as refusal:
        # A local runner adds the step to its message.
        return _fail(refusal_of(refusal) or refusal, refusal)
    except KeyboardInterrupt:
        return _say_stopped("interrupted", _INTERRUPTED)
    except HelpShownError:
        raise
    except BaseException as error:  # noqa: BLE001 - the outermost place: every error ends as one line
        internal = Refusal(
            f"internal error: {type(error).__name__}: {_find_last_line(error)}; "
            "run again with --debug for the traceback"
        )
        return _fail(refusal_of(error) or internal, error)


def _say_stopped(how: str, status: int) -> int:
    """Say that a signal ended the program, and return the exit status."""
    if not _resumes:
        _log.tell_end("interrupted", f"{how}; the same command begins again", status)
        return status
    # Readers have the scores, and what was left to do was to tell about them.
    if _log.facts.published:
        _log.tell_end("interrupted", f"{how}: after the run was published", 0)
        return 0
    if cancel_jobs():
        outcome = "nothing was published"
    else:
        outcome = "the runner did not confirm that its job ends, so look there"
    # Last, as units may still have been finished while jobs were cancelled.
    left = call_within(_LOOK_SECONDS, _log.describe_left) if _log.describe_left else None
    if left:
        outcome = f"{outcome}; {left}"
    message = f"{how}: {outcome}; the same command resumes where it stopped"
    _log.tell_end("interrupted", message, status)
    return status


def _fail(refusal: Refusal, error: BaseException) -> int:
    """Say why a run ended, and return its exit status.

    It was refused if a retry would end alike, and failed if it might not.
    """
    trace = None
    if is_debugging():
        trace = "".join(traceback.format_exception(error))
    named: BaseException = refusal
    # An internal error goes by its own class.
    if type(refusal) is Refusal:
        named = error
    name = type(named).__name__
    status = refusal.status
    event = "failed"
    if status in _REFUSED:
        event = "refused"
    _log.tell_end(event, str(refusal), status, name, trace)
    return status


def _find_value(flag: str, argv: Words) -> str | None:
    """Return what argparse will take for the flag's value; None where it will complain."""
    value = None
    # Behind the last word comes none. Sliced here, as no word at all has none behind it either.
    following_words = [*argv, None][1:]
    for word, following in zip(argv, following_words, strict=True):
        name, equals, text = word.partition("=")
        if name != flag:
            continue
        # No return: of a flag that is given twice argparse takes the last value.
        value = text if equals else following
    return value


def _find_last_line(error: BaseException) -> str:
    """Return the line of an error's text that says why.

    The words of a service or of the system are shown as they are; others' might hold a row's
    values.
    """
    # gRPC's own text ends with a bracket.
    details: Any = getattr(error, "details", None)
    is_of_a_service = callable(details)
    text = str(details() if is_of_a_service else error)
    line = ""
    for candidate in text.splitlines():
        line = candidate.strip() or line
    is_of_the_system = bool(getattr(error, "strerror", None))
    if not is_of_a_service and not is_of_the_system:
        line = shown(Exception(line))
    return line[:_SHOWN_CHARACTERS]


def _send_logs_to(kept: TextIO | None) -> None:
    """Let the run's log, and libraries' that share its place, write to `kept`; None for stderr."""
    _log.terminal = kept
    send_library_logs(kept or sys.stderr)
