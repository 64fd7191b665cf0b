"""Programs as processes of their own, in a process group that can be killed whole.

`python -m tests.faults.programs FOLDER LAUNCHERS FLAG...` is `pipelines.score` that, having found nothing published and before it writes its
plan, waits until so many launchers stand there: each leaves its mark in the folder.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
import os
from pathlib import Path
import signal
import subprocess
import sys
import time
from typing import Any

from tests.conftest import REPOSITORY
from tests.processes import hear_interrupts

_TOGETHER_SECONDS = 200


def scoring(job: Path, output: Path, *arguments: str) -> list[str]:
    """The command that scores the job into an output."""
    return [sys.executable, "-m", "pipelines.score", "--quiet", "--config", str(job), "--output", str(output), *arguments]


def scoring_together(folder: Path, launchers: int, job: Path, output: Path, *arguments: str) -> list[str]:
    """The same for one of several launchers, which begin at one moment."""
    flags = scoring(job, output, *arguments)[3:]
    return [sys.executable, "-m", "tests.faults.programs", str(folder), str(launchers), *flags]


@contextmanager
def launched(command: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    """The program, running; whatever of its process group is left at the end of the block is killed."""
    process = subprocess.Popen(
        command,
        cwd=REPOSITORY,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=hear_interrupts,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.stderr is not None:
            process.stderr.close()


def ended(command: Sequence[str], seconds: float = 300) -> tuple[int, str]:
    """Exit status and stderr of a program."""
    with launched(command) as process:
        errors = process.communicate(timeout=seconds)[1]
        return process.returncode, errors


def main(folder: str, launchers: str, *flags: str) -> None:
    from pipelines import score
    from pipelines.command_line import run_program, stop_on_terminate
    from pipelines.leaving import leave

    run = score._run

    def run_together(*arguments: Any) -> int:
        Path(folder, str(os.getpid())).touch()
        deadline = time.monotonic() + _TOGETHER_SECONDS
        while len(os.listdir(folder)) < int(launchers):
            assert time.monotonic() < deadline, "the other launchers do not come"
            time.sleep(0.001)
        return run(*arguments)

    score._run = run_together
    stop_on_terminate()
    leave(run_program(score.main, flags))


if __name__ == "__main__":
    main(*sys.argv[1:])
