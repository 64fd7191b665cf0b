"""The program of the process that loads a library's own file of a model, and scores with it.

A broken or hostile file may end the library's process at any moment, or never let it end; this is the
process that it ends. It is started with connections to the worker and nothing else: no environment, no
standard streams. The first message holds the file, and names the module of this folder that reads it; a
thread for each connection then answers mini-batches with scores. It ends with its worker.
"""

import ctypes
from importlib import import_module
import os
from pathlib import Path
import re
import resource
import signal
import socket
import sys
import threading
from typing import Any

from model_zoo.engines.child.messages import Message, receive, send

# A package's file, or a mini-batch: the worker has it in memory already.
_MOST_BYTES = 1 << 40
# A library's message may hold a whole table.
_SHOWN_CHARACTERS = 300
# XGBoost's errors: where in its source, with the time of day before it, and the calls that led there.
_STACK = "Stack trace:"
_PLACE = re.compile(r"^\[\d\d:\d\d:\d\d\] \S+:\d+: ")
# prctl(PR_SET_PDEATHSIG)
_TELL_OF_PARENTS_DEATH = 1
_KIBIBYTE = 1 << 10


def main(arguments: list[str]) -> None:
    """Serve.

    Args:
        arguments: number of the worker's process, bytes of memory beside what the process has now,
            and the file descriptors of the connections.
    """
    parent, most_bytes, *descriptors = map(int, arguments)
    _end_with(parent)
    _set_limits(most_bytes)
    connections = [socket.socket(fileno=number) for number in descriptors]
    make_call = _load(connections[0])
    if make_call is not None:
        _serve_all(connections, make_call)
    # What a library does at an orderly end is of no use to anybody.
    os._exit(0)


def _end_with(parent: int) -> None:
    """Let the system end this process when its worker's ends, also in the middle of a computation."""
    # Elsewhere it ends when it next asks for a mini-batch.
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        libc.prctl(_TELL_OF_PARENTS_DEATH, signal.SIGKILL)
    # It may have ended before it was asked for.
    if os.getppid() != parent:
        os._exit(0)


def _set_limits(most_bytes: int) -> None:
    # A crash leaves no copy of the rows on the disk, and no library writes a file.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    most = _count_bytes() + most_bytes
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def _count_bytes() -> int:
    """Return the memory that this process may write to; 0 where the system does not tell."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return 0
    for line in status.splitlines():
        if line.startswith("VmData:"):
            return int(line.split()[1]) * _KIBIBYTE
    return 0


def _load(connection: socket.socket) -> Any:
    """Load the file that the worker sends; None where the library does not take it."""
    try:
        message = receive(connection, _MOST_BYTES)
        words = message.words
        module = import_module(words["module"])
        content = message.arrays["content"].tobytes()
        make_call = module.load(content, words["card"])
        # Whatever is shared between calls is made before there are several.
        make_call()
    except Exception as error:  # noqa: BLE001 - a library's, of a stranger's file
        send(connection, _describe(error))
        return None
    send(connection, Message({"ready": True}))
    return make_call


def _serve_all(connections: list[socket.socket], make_call: Any) -> None:
    threads = []
    for connection in connections:
        thread = threading.Thread(target=_serve, args=(connection, make_call), daemon=True)
        thread.start()
        threads.append(thread)
    for thread in threads:
        thread.join()


def _serve(connection: socket.socket, make_call: Any) -> None:
    """Answer mini-batches until the worker has no more."""
    call = make_call()
    while True:
        try:
            message = receive(connection, _MOST_BYTES)
        except (OSError, EOFError):
            return
        try:
            reply = Message(arrays=call(message.arrays))
        except Exception as error:  # noqa: BLE001 - the worker decides whose error it is
            reply = _describe(error)
        try:
            send(connection, reply)
        except OSError:
            return


def _describe(error: Exception) -> Message:
    # Behind it are addresses in memory, of no use to anybody, and others each time.
    text, _, _ = str(error).partition(_STACK)
    line = " ".join(text.split())
    said = _PLACE.sub("", line).rstrip(" :")
    words = {
        "error": said[:_SHOWN_CHARACTERS] or type(error).__name__,
        "is_memory": isinstance(error, MemoryError) or "bad_alloc" in line,
    }
    return Message(words)
