"""Fork the processes that load libraries' own files, where starting each would take seconds (`tests.support.child_server`)."""

from collections.abc import Sequence
from contextlib import suppress
import json
import os
import signal
import socket
import subprocess
from types import SimpleNamespace
from typing import Any

import pytest

from model_zoo.engines.child import process
from pipelines.packing.converters import trees


class ForkedChild:
    """A process that was forked; it is used like the `subprocess.Popen` that it stands in for.

    Attributes:
        pid: of the process, which leads a session of its own.
        returncode: its exit status, negative for a signal; None while nobody has waited for its end.
    """

    def __init__(self, address: str, request: dict[str, str], descriptors: Sequence[int]) -> None:
        self._connection = socket.socket(socket.AF_UNIX)
        self._connection.connect(address)
        socket.send_fds(self._connection, [json.dumps(request).encode()], descriptors)
        self._lines = self._connection.makefile("rb")
        self.pid = int(self._lines.readline())
        self.returncode: int | None = None

    def wait(self) -> int:
        """Wait for its end, and return the exit status."""
        told = self._lines.readline()
        # With the server, when the session ends, the child ends too.
        self.returncode = int(told or -signal.SIGKILL)
        self.let_go()
        return self.returncode

    def let_go(self) -> None:
        """Hear no more of it; one that runs is ended by that."""
        self._lines.close()
        self._connection.close()

    def kill(self) -> None:
        """Kill it, unless it has ended."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)


def child_environment() -> dict[str, str]:
    """Return the environment of a child, for the server that all of them are forked from."""
    kept = {name: os.environ[name] for name in process._KEPT if name in os.environ}
    # Not the child's: the server alone may keep what Python compiles.
    prefix = os.environ.get("PYTHONPYCACHEPREFIX")
    own = {"PYTHONPYCACHEPREFIX": prefix} if prefix else {}
    return {**kept, **process._ENVIRONMENT, **own}


def fork_children(patch: pytest.MonkeyPatch, address: str) -> None:
    """Let engines and packaging fork their children, until `patch` is undone.

    Args:
        patch: undoes it.
        address: socket of the server.
    """

    def start(descriptors: list[int], most_bytes: int) -> ForkedChild:
        return ForkedChild(address, {"most_bytes": str(most_bytes)}, descriptors)

    def run(command: Sequence[str], **_: Any) -> subprocess.CompletedProcess[str]:
        return _read_file(address, command)

    patch.setattr(process, "_start", start)
    patch.setattr(trees, "subprocess", SimpleNamespace(run=run))


def _read_file(address: str, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    _, _, program, path = command
    reading, writing = os.pipe()
    child = ForkedChild(address, {"program": program, "path": path}, [writing])
    os.close(writing)
    with open(reading) as said:
        text = said.read()
    return subprocess.CompletedProcess(command, child.wait(), "", text)
