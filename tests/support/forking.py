"""What is common to the servers of the tests that import once and fork for each request."""

from collections.abc import Callable
from contextlib import suppress
import gc
import os
import signal
import socket
import sys


def serve_forks(address: str, answer: Callable[[socket.socket], None]) -> None:
    """Answer each connection in a process of its own, until nobody holds the other end of stdin any more.

    Args:
        address: path of the socket to listen at.
        answer: takes the connection, and ends its process.
    """
    gc.collect()
    gc.freeze()  # what was imported is never looked at again, so its memory stays shared
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(address)
    listening.listen()
    print("ready", flush=True)
    if os.fork() == 0:
        _fork_for_ever(listening, answer)
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


def _wait_for_ended(*_: object) -> None:
    """Wait for the processes that have ended: what they took counts with this one, and else with nobody."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0] != 0:
            pass
