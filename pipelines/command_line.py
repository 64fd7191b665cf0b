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

from configs.errors import JobError, Refusal, refusal_in
from configs.load import nearest

EXIT_STATUSES = """exit status:
  0 published, or published before   1 internal error         2 bad usage or job
  3 input or model refused           4 error budget exceeded  5 publishing failed
  130, 143 interrupted
"""


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
    """Run `main` and turn whatever it raises into one plain line on stderr and an exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments
    _quiet_libraries(debug)
    try:
        return main(arguments)
    except Refusal as refusal:
        return _fail(refusal, debug, refusal)
    except KeyboardInterrupt:
        print("interrupted: nothing was published; the same command resumes where it stopped", file=sys.stderr)
        return 130
    except Exception as error:  # noqa: BLE001 - the outermost place: every error ends as one line
        refusal_inside = refusal_in("".join(traceback.format_exception_only(error)))
        internal = Refusal(f"internal error: {type(error).__name__}: {_last_line(error)}; run again with --debug for the traceback")
        return _fail(refusal_inside or internal, debug, error)


def stop_on_terminate() -> None:
    """Make SIGTERM end the process at once with status 143; a run stopped so resumes."""

    def stop(signum: int, frame: FrameType | None) -> None:
        print("terminated: nothing was published; the same command resumes where it stopped", file=_terminal(), flush=True)
        os._exit(128 + signum)

    signal.signal(signal.SIGTERM, stop)


@contextmanager
def workers_kept_quiet() -> Iterator[TextIO]:
    """While the block runs, drop what workers and libraries write to stderr, and give the real one; with --debug drop nothing.

    A runner prints the traceback of a failed worker several times, and worker processes log their start; what matters of it comes
    back as an exception. File descriptor 2 itself is turned away, because worker processes inherit that.
    """
    global _kept
    if logging.getLogger().isEnabledFor(logging.INFO):
        yield sys.stderr
        return
    sys.stderr.flush()
    with os.fdopen(os.dup(2), "w") as kept, open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
        _kept = kept
        try:
            yield kept
        finally:
            sys.stderr.flush()
            os.dup2(kept.fileno(), 2)
            _kept = None


_kept: TextIO | None = None


def _terminal() -> TextIO:
    return _kept or sys.stderr


def leave(status: int) -> NoReturn:
    """End the process without waiting for worker threads that a failed or interrupted runner left behind."""
    sys.stdout.flush()
    sys.stderr.flush()
    logging.shutdown()
    os._exit(status)


def _fail(refusal: Refusal, debug: bool, error: Exception) -> int:
    if debug:
        traceback.print_exception(error)
    print(f"error: {refusal}", file=sys.stderr)
    return refusal.status


def _last_line(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1].strip()[:500] if lines else ""


def _quiet_libraries(debug: bool) -> None:
    """Beam logs a worker's whole traceback, and libraries warn of what no user can act on; both only with --debug."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO if debug else logging.CRITICAL)
    logging.getLogger().setLevel(logging.INFO if debug else logging.CRITICAL)
    if not debug and not sys.warnoptions:
        warnings.simplefilter("ignore")
