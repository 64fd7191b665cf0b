"""What the tests of faults share: servers that run our programs with faults, and the small job that they run."""

from collections.abc import Iterator
from pathlib import Path
import queue
import subprocess
import sys

import pytest

from tests.conftest import REPOSITORY
from tests.faults.server import Request
from tests.faults.world import make_world

_SERVERS = 2


class Servers:
    """Some servers; `run` waits for a free one."""

    def __init__(self, processes: list[subprocess.Popen[str]]) -> None:
        self._free: queue.Queue[subprocess.Popen[str]] = queue.Queue()
        for process in processes:
            self._free.put(process)

    def run(self, request: Request) -> int:
        """The exit status, negative for the signal that ended it."""
        process = self._free.get()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{request.line()}\n")
        process.stdin.flush()
        answer = process.stdout.readline()
        assert answer, "the server is gone"
        self._free.put(process)
        return int(answer)


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    command = [sys.executable, "-m", "tests.faults.server"]
    processes = [
        subprocess.Popen(command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(_SERVERS)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    yield Servers(processes)
    for process in processes:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        assert process.wait(60) == 0
        process.stdout.close()


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `job.yaml` and what it needs; tests do not change it."""
    folder = tmp_path_factory.mktemp("world")
    make_world(folder)
    return folder
