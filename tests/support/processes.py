"""Programs as processes of their own; the scoring program in a session of its own, so that what it leaves behind can be found."""

from collections.abc import Mapping, Sequence
import os
from pathlib import Path
import signal
import subprocess
import sys
import time

import psutil

from tests.support.repository import REPOSITORY


def started(flags: list[str], runner: list[str], output: Path) -> subprocess.Popen[str]:
    """`pipelines.score`, on its way."""
    command = [sys.executable, "-m", "pipelines.score", *flags, *runner, "--output", str(output)]
    return subprocess.Popen(
        command,
        cwd=REPOSITORY,
        start_new_session=True,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=hear_interrupts,
    )


def run_to_its_end(
    command: Sequence[str], folder: Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder, with these variables alone, and return what it said and how it ended."""
    return subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def hear_interrupts() -> None:
    """What a shell starts in the background ignores SIGINT, and so does all that it starts."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def gone_within(seconds: float, group: int) -> None:
    """Wait until no process of the launcher's session is left."""
    deadline = time.monotonic() + seconds
    while left := [p for p in psutil.process_iter() if in_session(p.pid, group)]:
        assert time.monotonic() < deadline, [p.cmdline() for p in left]
        time.sleep(0.1)


def in_session(pid: int, session: int) -> bool:
    try:
        return os.getsid(pid) == session and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except (ProcessLookupError, psutil.NoSuchProcess):
        return False
