"""What is common to the servers of the tests that import once and fork for each request."""

import atexit
from collections.abc import Callable, Iterator
from contextlib import suppress
import ctypes
import gc
import os
from pathlib import Path
import select
import signal
import socket
import sys
import weakref

_MOST_SIGNALS = 1 << 12
_LARGE_BYTES = 2 << 20
# What Linux calls MADV_COLLAPSE, since 6.1. A system that does not know it leaves memory as it is, and forks take longer.
_COLLAPSE = 25


def serve_forks(address: str, answer: Callable[[socket.socket], None]) -> None:
    """Answer each connection in a process of its own, until nobody holds the other end of stdin any more.

    Args:
        address: path of the socket to listen at.
        answer: takes the connection, and ends its process.
    """
    _serve(address, lambda listening: _fork_for_ever(listening, answer))


def serve_programs(address: str, become: Callable[[socket.socket], None]) -> None:
    """Fork a program for each connection, and tell over that its process id and, once it has ended, its exit status.

    Args:
        address: path of the socket to listen at.
        become: turns a forked process into the program that is asked for, and ends it.
    """
    _leave_exits_of_imports()
    _take_large_pages()
    _serve(address, lambda listening: _fork_programs(listening, become))


def _take_large_pages() -> None:
    """Put the memory of this process into large pages: to fork 140,000 small ones and to end that fork takes 37 ms, and this way 17."""
    maps = Path("/proc/self/maps")
    if not maps.exists():
        return
    advise = ctypes.CDLL(None).madvise
    for start, size in find_large_places(maps.read_text()):
        advise(ctypes.c_void_p(start), ctypes.c_size_t(size), _COLLAPSE)


def find_large_places(maps: str) -> Iterator[tuple[int, int]]:
    """Yield start and size of the memory of no file that large pages can hold.

    Args:
        maps: what Linux tells of a process in `/proc/PID/maps`.
    """
    for line in maps.splitlines():
        places, permissions, _, _, _, *name = line.split(maxsplit=5)
        if permissions != "rw-p" or name not in ([], ["[heap]"]):
            continue
        start, end = (int(place, 16) for place in places.split("-"))
        first = -(-start // _LARGE_BYTES) * _LARGE_BYTES
        size = end // _LARGE_BYTES * _LARGE_BYTES - first
        if size > 0:
            yield first, size


def _leave_exits_of_imports() -> None:
    """Let programs not do at their end what imports have registered for it, which is most of what a small one takes.

    They are finalizers of libraries' own objects, and a table of what torch has compiled, that is told to a log that nobody reads. What
    a program registers itself, as the removal of its temporary folders, it does.
    """
    for finalizer in weakref.finalize._registry.values():  # type: ignore[attr-defined]
        finalizer.atexit = False
    dynamo = sys.modules.get("torch._dynamo.utils")
    if dynamo is not None:
        atexit.unregister(dynamo.dump_compile_times)


def _serve(address: str, fork_for_ever: Callable[[socket.socket], None]) -> None:
    gc.collect()
    gc.freeze()  # what was imported is never looked at again, so its memory stays shared
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(address)
    listening.listen()
    print("ready", flush=True)
    if os.fork() == 0:
        fork_for_ever(listening)
    sys.stdin.read()
    os.killpg(0, signal.SIGTERM)


def _fork_for_ever(listening: socket.socket, answer: Callable[[socket.socket], None]) -> None:
    signal.signal(signal.SIGCHLD, _wait_for_ended)
    while True:
        connection, _ = listening.accept()
        if os.fork() == 0:
            listening.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            answer(connection)
        connection.close()


def _fork_programs(listening: socket.socket, become: Callable[[socket.socket], None]) -> None:
    """Fork and wait in one process: one more between, for each program, would take as long as a small program."""
    something_ended, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    # One that Python handles wakes; what it does is done below, where each program is known.
    signal.signal(signal.SIGCHLD, lambda *_: None)
    running: dict[int, socket.socket] = {}
    while True:
        ready, _, _ = select.select([listening, something_ended], [], [])
        if something_ended in ready:
            os.read(something_ended, _MOST_SIGNALS)
            _tell_ended(running)
        if listening not in ready:
            continue
        connection, _ = listening.accept()
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for other in (listening, *running.values()):
                other.close()
            os.close(something_ended)
            os.close(wake)
            become(connection)
        running[pid] = connection
        _tell(connection, pid)


def _tell_ended(running: dict[int, socket.socket]) -> None:
    """Tell the exit statuses of programs that have ended, and forget them."""
    with suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0] != 0:
            pid, status = ended
            with running.pop(pid) as connection:
                _tell(connection, os.waitstatus_to_exitcode(status))


def _tell(connection: socket.socket, number: int) -> None:
    # Who asked may be gone.
    with suppress(OSError):
        connection.sendall(f"{number}\n".encode())


def _wait_for_ended(*_: object) -> None:
    """Wait for the processes that have ended: what they took counts with this one, and else with nobody."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0] != 0:
            pass
