"""Programs that run beside a test, in a process group of their own that is killed whole: started for real, or forked."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
import os
from pathlib import Path
import signal
import subprocess
import sys

from tests.support.processes import hear_interrupts
from tests.support.programs import Program, Programs
from tests.support.repository import REPOSITORY


def flags_of(job: Path, output: Path, *flags: str) -> list[str]:
    """Flags of `pipelines.score` that score the job into an output."""
    return ["--quiet", "--config", str(job), "--output", str(output), *flags]


def scoring(job: Path, output: Path, *flags: str) -> list[str]:
    """The command that does so in an interpreter of its own."""
    return [sys.executable, "-m", "pipelines.score", *flags_of(job, output, *flags)]


@contextmanager
def launched(command: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    """The program, started for real, running; whatever of its process group is left at the end of the block is killed."""
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


@contextmanager
def forked(programs: Programs, module: str, *arguments: str) -> Iterator[Program]:
    """The program, forked, running; whatever of its process group is left at the end of the block is killed."""
    program = programs.start(module, *arguments)
    try:
        yield program
    finally:
        program.kill_group()
