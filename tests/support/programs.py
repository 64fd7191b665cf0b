"""Start our programs: quickly, forked from a server that has imported everything, or for real, as a user does.

`Programs` is what nearly every test wants. `start_program` is for the tests that prove starting.
"""

from collections.abc import Mapping
import itertools
import os
from pathlib import Path
import select
import signal
import socket
import subprocess
import sys

from tests.support.fork_server import Request
from tests.support.repository import REPOSITORY

_SECONDS = 300


class Program:
    """A running program that was forked; it is used like a `subprocess.Popen`.

    Attributes:
        pid: its process, which leads a session and a process group of its own.
        returncode: its exit status, negative for a signal; None while nobody has seen it end.
        stdout, stderr: files that it writes to.
    """

    def __init__(self, connection: socket.socket, stdout: Path, stderr: Path) -> None:
        self._lines = connection.makefile("rb")
        self._connection = connection
        self.stdout, self.stderr = stdout, stderr
        self.pid = int(self._lines.readline())
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return the exit status of a program that has ended."""
        return self._ended(0)

    def wait(self, timeout: float = _SECONDS) -> int:
        """Wait for its end, and return the exit status.

        Raises:
            subprocess.TimeoutExpired: it runs for longer than `timeout` seconds from now.
        """
        status = self._ended(timeout)
        if status is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout)
        return status

    def communicate(self, timeout: float = _SECONDS) -> tuple[str, str]:
        """Wait for its end, and return what it wrote to stdout and stderr."""
        self.wait(timeout)
        return self.stdout.read_text(), self.stderr.read_text()

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to this one process."""
        os.kill(self.pid, number)

    def kill_group(self) -> None:
        """Kill it, and whatever it has started, if anything is left of that."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            return

    def _ended(self, seconds: float) -> int | None:
        if self.returncode is None and select.select([self._connection], [], [], seconds)[0]:
            self.returncode = int(self._lines.readline())
            self.let_go()
        return self.returncode

    def let_go(self) -> None:
        """Hear no more of it, whether or not it has ended."""
        self._lines.close()
        self._connection.close()


class Programs:
    """Programs that are forked from a server.

    Args:
        folder: for what programs write to stdout and stderr.
        address: socket of the server.
    """

    def __init__(self, folder: Path, address: str) -> None:
        self.address = address
        self._folder = folder
        self._numbers = itertools.count()
        self._started: list[Program] = []

    def start(
        self,
        module: str,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        cwd: Path = REPOSITORY,
        stdin: str = os.devnull,
        stdout: str | None = None,
        stderr: str | None = None,
    ) -> Program:
        """Start a program, and go on while it runs.

        Args:
            module: `pipelines.score`, or another module to run as `__main__`.
            arguments: of the program.
            env: all of its environment; by default that of this process.
            cwd: where it stands.
            stdin: the file that it reads.
            stdout, stderr: where they lead, as a `Request` says; by default to files of their own.
        """
        outputs = [self._folder / f"{next(self._numbers)}.{name}" for name in ("stdout", "stderr")]
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(self.address)
        environment = dict(os.environ if env is None else env)
        connection.sendall(
            Request(
                module,
                list(arguments),
                environment,
                str(cwd),
                stdout or str(outputs[0]),
                stderr or str(outputs[1]),
                stdin,
            ).line()
        )
        # Of a stream that leads elsewhere, nothing can be read.
        for output in outputs:
            output.touch()
        program = Program(connection, *outputs)
        self._started.append(program)
        return program

    def run(self, module: str, *arguments: str, env: Mapping[str, str] | None = None, cwd: Path = REPOSITORY,
            timeout: float = _SECONDS, **streams: str) -> subprocess.CompletedProcess[str]:  # fmt: skip
        """Run a program to its end; what it wrote and its exit status come back as from `subprocess.run`."""
        program = self.start(module, *arguments, env=env, cwd=cwd, **streams)
        try:
            out, err = program.communicate(timeout)
        finally:
            program.kill_group()
        return subprocess.CompletedProcess([module, *arguments], program.wait(), out, err)

    def close(self) -> None:
        """Kill what still runs."""
        for program in self._started:
            if program.poll() is None:
                program.kill_group()
                program.let_go()


def start_program(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program as a user does: a new interpreter, which takes seconds to import everything."""
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(
        command, cwd=REPOSITORY, capture_output=True, text=True, timeout=_SECONDS, check=False
    )
