"""What every program's command line does alike: flags that are not dropped in silence, one plain line per error, exit statuses."""

import argparse
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
import logging
import os
import signal
import sys
import traceback
from types import FrameType
from typing import NoReturn, TextIO
import warnings

from configs.errors import JobError, Refusal, refusal_of
from configs.load import nearest
from configs.messages import shown
from pipelines.json_log import JsonFormatter, TextFormatter
from pipelines.leaving import cancel_jobs, leave
from pipelines.run_log import RunLog
from pipelines.start_up import imported

EXIT_MEANINGS = {
    "0": "published, or published before",
    "1": "internal error",
    "2": "bad usage or bad job",
    "3": "input or model refused",
    "4": "error budget exceeded: nothing published",
    "5": "publishing failed, or another launcher published other content first",
    "130, 143": "interrupted; the same command resumes",
}
EXIT_STATUSES = "exit status:\n" + "".join(f"  {status.ljust(8)}  {meaning}\n" for status, meaning in EXIT_MEANINGS.items())


class Parser(argparse.ArgumentParser):
    """argparse with whole flags only, defaults in the help, and errors that name the nearest flag."""

    def __init__(self, program: str, description: str, epilog: str = "") -> None:
        super().__init__(
            prog=f"python -m {program}",
            description=description,
            epilog=epilog,
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    def error(self, message: str) -> NoReturn:
        raise JobError(f"{message}; see {self.prog} --help")

    def refuse_unknown(self, unknown: Sequence[str], more_flags: Sequence[str] = ()) -> None:
        """Raise JobError for the first word that is no flag of ours or of the runner."""
        if not unknown:
            return
        flag = unknown[0].partition("=")[0]
        known = [s for a in self._actions for s in a.option_strings if s.startswith("--")]
        raise JobError(f"unknown flag {flag}{nearest(flag, [*known, *more_flags])}; see {self.prog} --help")


def run_program(main: Callable[[Sequence[str]], int], argv: Sequence[str] | None = None) -> int:
    """Run `main`, turn whatever it raises into one plain line on stderr and an exit status, and leave the metrics that it asked for."""
    global _log
    imported()
    _log = RunLog()
    arguments = list(sys.argv[1:] if argv is None else argv)
    _quiet_libraries("--debug" in arguments)
    status = _status_of(main, arguments)
    _log.measured(status)
    return status


def open_log(argv: Sequence[str]) -> RunLog:
    """The log that the flags ask for, from now on the one of `run_program`; read before all else, so that a bad flag is in it too."""
    global _log
    metrics_file = None if "--dry_run" in argv else _value_of("--metrics_file", argv)
    _log = RunLog(json=_value_of("--log_format", argv) == "json", quiet="--quiet" in argv, metrics_file=metrics_file)
    if _log.json:
        _libraries_in_json()
    return _log


def add_log_flags(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """The flags that `open_log` reads."""
    formats = "what goes to the terminal: text, or one JSON object per line, all on stderr (default: text)"
    parser.add_argument("--log_format", choices=("text", "json"), default="text", metavar="FORMAT", help=formats)
    metrics = "leave a metrics file in Prometheus' text format at the end, however the run ends"
    parser.add_argument("--metrics_file", metavar="FILE", help=metrics)


def stop_on_terminate() -> None:
    """Make SIGTERM end the process at once with status 143; a run stopped so resumes."""

    def stop(signum: int, frame: FrameType | None) -> None:
        status = 128 + signum
        _stopped("terminated", status)
        _log.measured(status)
        leave(status)

    signal.signal(signal.SIGTERM, stop)


@contextmanager
def workers_kept_quiet() -> Iterator[None]:
    """While the block runs, drop what workers and libraries write to stderr, but for the run's own log; with --debug drop nothing.

    A runner prints the traceback of a failed worker several times, and worker processes log their start; what matters of it comes
    back as an exception. File descriptor 2 itself is turned away, because worker processes inherit that. A JSON log is kept free of
    lines that are not JSON even with --debug; the libraries of this process are in it then.
    """
    if logging.getLogger().isEnabledFor(logging.INFO) and not _log.json:
        yield
        return
    sys.stderr.flush()
    with os.fdopen(os.dup(2), "w") as kept, open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
        _send_logs_to(kept)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(kept.fileno(), 2)
            _send_logs_to(None)


_log = RunLog()


def _status_of(main: Callable[[Sequence[str]], int], argv: Sequence[str]) -> int:
    try:
        return main(argv)
    except Refusal as refusal:  # a local runner adds the step to its message
        return _fail(refusal_of(refusal) or refusal, refusal)
    except KeyboardInterrupt:
        _stopped("interrupted", 130)
        return 130
    except Exception as error:  # noqa: BLE001 - the outermost place: every error ends as one line
        internal = Refusal(f"internal error: {type(error).__name__}: {_last_line(error)}; run again with --debug for the traceback")
        return _fail(refusal_of(error) or internal, error)


def _stopped(how: str, status: int) -> None:
    outcome = "nothing was published" if cancel_jobs() else "the runner did not confirm that its job ends, so look there"
    _log.ended("interrupted", f"{how}: {outcome}; the same command resumes where it stopped", status)


def _fail(refusal: Refusal, error: Exception) -> int:
    """Say why, and how it ended: refused (2, 3, 4: a retry would end alike) or failed (1, 5: it might not)."""
    trace = "".join(traceback.format_exception(error)) if logging.getLogger().isEnabledFor(logging.INFO) else None
    name = type(error if type(refusal) is Refusal else refusal).__name__
    _log.ended("refused" if refusal.status in (2, 3, 4) else "failed", str(refusal), refusal.status, name, trace)
    return refusal.status


def _value_of(flag: str, argv: Sequence[str]) -> str | None:
    """What argparse will take for the flag's value; None where it will complain."""
    value = None
    for word, following in zip(argv, [*argv[1:], None], strict=True):
        name, equals, text = word.partition("=")
        if name == flag:
            value = text if equals else following
    return value


def _last_line(error: Exception) -> str:
    """Where it says why. The words of a service or of the system are shown as they are; others' might hold a row's values."""
    details = getattr(error, "details", None)  # gRPC's own text ends with a bracket
    text = details() if callable(details) else str(error)
    lines = [line.strip() for line in str(text).splitlines() if line.strip()]
    line = lines[-1] if lines else ""
    return line[:500] if callable(details) or getattr(error, "strerror", None) else shown(Exception(line))[:500]


def _quiet_libraries(debug: bool) -> None:
    """Beam logs a worker's whole traceback, and libraries warn of what no user can act on; both only with --debug."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO if debug else logging.CRITICAL)
    logging.getLogger().setLevel(logging.INFO if debug else logging.CRITICAL)
    for handler in _own_handlers():
        handler.setFormatter(TextFormatter(logging.BASIC_FORMAT))
    if not debug and not sys.warnoptions:
        warnings.simplefilter("ignore")


def _libraries_in_json() -> None:
    logging.captureWarnings(True)
    for handler in _own_handlers():
        handler.setFormatter(JsonFormatter())


def _send_logs_to(kept: TextIO | None) -> None:
    """Where the run's log, and libraries' that share its place, write from now on."""
    _log.terminal = kept
    for handler in _own_handlers():
        handler.setStream(kept or sys.stderr)


def _own_handlers() -> Iterator[logging.StreamHandler[TextIO]]:
    """What `basicConfig` made; others, as those of a test runner, belong to somebody else."""
    return (h for h in logging.getLogger().handlers if type(h) is logging.StreamHandler)
