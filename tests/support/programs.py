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
    """A server that programs are forked from; it starts with the first of them.

    Attributes:
        folder: for its socket, and for what programs write to stdout and stderr.
        server: the module that serves; it is given the socket's path.
        running: socket of a server of somebody else's, which is used then; none is started.
        environment: all of the server's; by default that of this process.
    """

    def __init__(
        self,
        folder: Path,
        server: str = "tests.support.fork_server",
        running: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._folder, self._module = folder, server
        self._environment = environment
        self._running = running
        self._server: subprocess.Popen[str] | None = None
        self._numbers = itertools.count()
        self._started: list[Program] = []

    def start(
        self,
        module: str,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        cwd: Path = REPOSITORY,
        stdout: str | None = None,
        stderr: str | None = None,
    ) -> Program:
        """Start a program, and go on while it runs.

        Args:
            module: `pipelines.score`, or another module to run as `__main__`.
            arguments: of the program.
            env: all of its environment; by default that of this process.
            cwd: where it stands.
            stdout, stderr: where they lead, as a `Request` says; by default to files of their own.
        """
        outputs = [self._folder / f"{next(self._numbers)}.{name}" for name in ("stdout", "stderr")]
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(self.address())
        environment = dict(os.environ if env is None else env)
        connection.sendall(
            Request(
                module,
                list(arguments),
                environment,
                str(cwd),
                stdout or str(outputs[0]),
                stderr or str(outputs[1]),
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
        """Kill what still runs, and stop the server."""
        for program in self._started:
            if program.poll() is None:
                program.kill_group()
                program.let_go()
        if self._server is not None:
            assert self._server.stdin is not None
            assert self._server.stdout is not None
            self._server.stdin.close()
            self._server.wait(60)
            self._server.stdout.close()

    def address(self) -> str:
        """Return the server's socket; a server of its own starts with the first call."""
        if self._running is not None:
            return self._running
        address = str(self._folder / "socket")
        if self._server is None:
            command = [sys.executable, "-m", self._module, address]
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
            self._server = subprocess.Popen(
                command, cwd=REPOSITORY, env=self._environment, start_new_session=True, **pipes
            )  # type: ignore[call-overload]
            assert self._server.stdout is not None
            assert self._server.stdout.readline() == "ready\n"
        return address


def start_program(
    module: str, *arguments: str, closed: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run a program as a user does: a new interpreter, which takes seconds to import everything."""
    command = [sys.executable, "-m", module, *arguments]
    if closed:
        # Without stdout and stderr.
        command = ["sh", "-c", 'exec "$@" >&- 2>&-', "sh", *command]
    return subprocess.run(
        command, cwd=REPOSITORY, capture_output=True, text=True, timeout=_SECONDS, check=False
    )
