"""A server of forks is one for all processes that were forked from the one that made it, and ends with the last of them."""

import os
from pathlib import Path
import socket

import psutil
import pytest

from tests.support.fork_servers import ForkServers
from tests.support.repository import REPOSITORY

pytestmark = pytest.mark.program

# It tells which process it was forked from.
_SERVER = """
import os, sys
from tests.support.forking import serve_forks

def answer(connection):
    connection.sendall(str(os.getppid()).encode())
    os._exit(0)

serve_forks(sys.argv[1], answer)
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "tiny_server.py").write_text(_SERVER)
    return {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{REPOSITORY}"}


def ask(address: str) -> int:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(address)
        return int(connection.recv(100))


def test_a_forked_process_starts_it_and_its_parent_ends_it(
    environment: dict[str, str], tmp_path: Path
) -> None:
    servers = ForkServers(tmp_path / "servers")
    reading, writing = os.pipe()
    forked = os.fork()
    if forked == 0:
        address = servers.find("tiny_server", environment)
        os.write(writing, str(ask(address)).encode())
        os._exit(0)
    assert os.waitpid(forked, 0)[1] == 0
    first = int(os.read(reading, 100))
    assert ask(servers.find("tiny_server", environment)) == first
    server = psutil.Process(first)
    servers.close()
    assert psutil.wait_procs([server], timeout=120) == ([server], [])
    for descriptor in (reading, writing):
        os.close(descriptor)
