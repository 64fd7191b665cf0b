"""Fork the processes that load libraries' own files: `python -m tests.support.child_server SOCKET`.

An engine starts one for each file, and it takes seconds of a core to import its library. This process imports all of them once, with
the environment of such a child, and forks. The forked process is one that `model_zoo.engines.child.process` has started: a session of
its own, the root for a folder, no streams, the same limits, connections to the worker. What it does not show is starting: the import
path, and that a library is imported within the limits. `tests/model_zoo/engines/child` and a test of each engine start one for real.
"""

from contextlib import suppress
import importlib
import json
import os
import select
import signal
import socket
import sys
import traceback

from tests.support.forking import serve_forks

# Ours first, which keeps the others from telling their makers that they are used.
_LIBRARIES = (
    "model_zoo.engines.child.serve",
    "xgboost",
    "lightgbm",
    "skops.io",
    "pandas",
    "keras",
    "ai_edge_litert.interpreter",
    "onnxruntime",
    "openvino",
)
# More than any scorer of a test has threads.
_MOST_CONNECTIONS = 64
_MOST_BYTES = 1 << 16


def main(address: str) -> None:
    """Import what children need, and serve."""
    for name in _LIBRARIES:
        # A test of a library that is not there is skipped.
        with suppress(ImportError):
            importlib.import_module(name)
    serve_forks(address, _answer)


def _answer(connection: socket.socket) -> None:
    """Fork the child, tell its process id, and how it ended; it ends with who asked for it."""
    line, descriptors, _, _ = socket.recv_fds(connection, _MOST_BYTES, _MOST_CONNECTIONS)
    pid = os.fork()
    if pid == 0:
        connection.close()
        _become(json.loads(line), descriptors)
    # While ours are open, nobody sees that the child's are closed.
    for descriptor in descriptors:
        os.close(descriptor)
    connection.sendall(f"{pid}\n".encode())
    ended = os.pidfd_open(pid)
    # Nothing more is asked for, so the connection can but close.
    ready, _, _ = select.select([ended, connection.fileno()], [], [])
    if ended not in ready:
        os.kill(pid, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with suppress(OSError):
        connection.sendall(f"{status}\n".encode())
    os._exit(0)


def _become(request: dict[str, str], descriptors: list[int]) -> None:
    """Turn this process into the child."""
    os.setsid()
    os.chdir("/")
    signal.signal(signal.SIGINT, signal.default_int_handler)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(nowhere, number)
    status = 1
    try:
        if "program" in request:
            _read_file(request, *descriptors)
        else:
            _serve(request["most_bytes"], descriptors)
        status = 0
    except BaseException:  # noqa: BLE001 - as the interpreter does
        traceback.print_exc()
    sys.stderr.flush()
    os._exit(status)


def _serve(most_bytes: str, descriptors: list[int]) -> None:
    from model_zoo.engines.child import serve

    numbers = (os.getppid(), most_bytes, *descriptors)
    serve.main([str(number) for number in numbers])


def _read_file(request: dict[str, str], stderr: int) -> None:
    """Run the few words of Python with which packaging reads a file of trees first."""
    os.dup2(stderr, 2)
    os.close(stderr)
    sys.argv[:] = ["-c", request["path"]]
    exec(request["program"], {"__name__": "__main__"})  # noqa: S102 - what `python -c` gets


if __name__ == "__main__":
    main(sys.argv[1])
