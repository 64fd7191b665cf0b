"""The servers that programs and children are forked from: one of each for all workers, started by the test that needs it first.

Each of them takes seconds of a core to import what its programs need. They end with the last process that may ask for them: the one that
made `ForkServers`, and all that are forked from it, hold one end of a pipe, and each server reads the other one.
"""

from collections.abc import Mapping
import os
from pathlib import Path
import subprocess
import sys

import pytest

from tests.support.built_once import built_once
from tests.support.exporting import EXPORTS
from tests.support.fork_server import CHILDREN_ADDRESS
from tests.support.programs import Programs
from tests.support.repository import REPOSITORY

PROGRAMS = "tests.support.fork_server"
CHILDREN = "tests.support.child_server"
SCRIPTS = "tests.support.page_server"


class ForkServers:
    """Servers by their modules.

    Args:
        folder: for their sockets. Near the top, as paths of sockets are short.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stdin, self._held = os.pipe()
        self._started: list[subprocess.Popen[str]] = []

    def find(self, module: str, environment: Mapping[str, str] | None = None) -> str:
        """Return the socket of a server, which is started where none is there.

        Args:
            module: the server, which is given the socket's path.
            environment: all of its environment; by default that of this process.
        """

        def start(socket: Path) -> None:
            command = [sys.executable, "-m", module, str(socket)]
            server = subprocess.Popen(
                command,
                cwd=REPOSITORY,
                env=environment,
                stdin=self._stdin,
                stdout=subprocess.PIPE,
                start_new_session=True,
                text=True,
            )
            self._started.append(server)
            assert server.stdout is not None
            assert server.stdout.readline() == "ready\n"

        return str(built_once(self._folder / module, start))

    def find_forked(self, module: str) -> str:
        """Return the socket of a server that is forked from that of programs, where none is there.

        Args:
            module: the server, which is given the socket's path.
        """

        def start(socket: Path) -> None:
            folder = socket.with_name(f"{module}.outputs")
            folder.mkdir()
            told = folder / "told"
            os.mkfifo(told)
            kept = {name: value for name, value in os.environ.items() if name != CHILDREN_ADDRESS}
            # What is patched in it is patched in all of its programs, each of which has an environment of its own.
            environment = kept | EXPORTS
            held = f"/proc/{os.getpid()}/fd/{self._stdin}"
            server = Programs(folder, self.find(PROGRAMS)).start(
                module, str(socket), env=environment, stdin=held, stdout=str(told)
            )
            with told.open() as lines:
                assert lines.readline() == "ready\n"
            server.let_go()

        return str(built_once(self._folder / module, start))

    def close(self) -> None:
        """Let go of all servers, and wait for those that this process has started."""
        os.close(self._held)
        os.close(self._stdin)
        for server in self._started:
            assert server.stdout is not None
            server.stdout.close()
            server.wait(60)


SERVERS = pytest.StashKey[ForkServers]()
