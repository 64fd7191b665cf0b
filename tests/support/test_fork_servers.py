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

# What it is asked for is the exit status; what was registered for its end before it was forked would be another one.
_PROGRAMS = """
import os, sys, weakref
from tests.support.forking import serve_programs

def become(connection):
    with connection.makefile() as lines:
        status = int(lines.readline())
    weakref.finalize._exitfunc()
    os._exit(status)

class Imported:
    pass

imported = Imported()
weakref.finalize(imported, os._exit, 99)
serve_programs(sys.argv[1], become)
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "tiny_server.py").write_text(_SERVER)
    (tmp_path / "tiny_programs.py").write_text(_PROGRAMS)
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


def test_each_program_is_told_by_its_process_and_its_exit_status(
    environment: dict[str, str], tmp_path: Path
) -> None:
    servers = ForkServers(tmp_path / "servers")
    address = servers.find("tiny_programs", environment)
    # One goes before it has asked for anything, another one waits meanwhile.
    waiting, gone, quick = (socket.socket(socket.AF_UNIX) for _ in range(3))
    for connection in (waiting, gone, quick):
        connection.connect(address)
    gone.close()
    for connection, status in ((quick, 7), (waiting, 0)):
        with connection, connection.makefile("rw") as lines:
            process = int(lines.readline())
            assert os.getsid(process) > 0
            print(status, file=lines, flush=True)
            assert lines.read() == f"{status}\n"
        assert not psutil.pid_exists(process)
    servers.close()
