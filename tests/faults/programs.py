"""Programs as processes of their own, in a process group that can be killed whole."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
import os
from pathlib import Path
import signal
import subprocess
import sys

from tests.conftest import REPOSITORY
from tests.processes import hear_interrupts


def scoring(job: Path, output: Path, *arguments: str) -> list[str]:
    """The command that scores the job into an output."""
    return [sys.executable, "-m", "pipelines.score", "--quiet", "--config", str(job), "--output", str(output), *arguments]


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
