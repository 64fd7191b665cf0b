"""A process that a worker starts to load a library's own file of a model, and to score with it.

A malformed file ends the process of its library (XGBoost, LightGBM, LiteRT: SIGSEGV, SIGABRT), while it is
loaded or on the first row. So no worker loads one; what is lost with the child is one line. Lists in ORC files,
with which it is the same, are decoded in such a process, too.

    worker  --  package's file  -->  child: loads it once
    thread 1  --  mini-batch -->  thread 1
    thread 2  --  mini-batch -->  thread 2         each over a connection of its own
"""

from collections.abc import Mapping
import json
import os
from pathlib import Path
import queue
import signal
import socket
import subprocess
import sys
import threading
from typing import Any
import weakref

import numpy as np

from configs.errors import ModelError, Refusal, WorkerError
from model_zoo.arrays import Arrays
from model_zoo.engines.child.messages import Message, receive, send

_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from model_zoo.engines.child.serve import main; main(sys.argv[2:])"
)
# What finds libraries and their messages' language; no secret of the worker's is among them.
_KEPT = ("LD_LIBRARY_PATH", "LC_ALL", "LANG")
_ENVIRONMENT = {
    # A sum that is spread over threads rounds differently; the child has a thread for each call.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    # Nobody's home: libraries look for settings there, and leave some.
    "HOME": "/nonexistent",
    "KERAS_HOME": "/nonexistent",
    "KERAS_BACKEND": "torch",
    "CUDA_VISIBLE_DEVICES": "",
}
_ROOT = str(Path(__file__).resolve().parents[3])
# What a library and its copies of the numbers take.
_MEMORY_BYTES = 4 << 30
_MEMORY_OF_ONE = 20
_LOAD_SECONDS = 900.0
# A process that was killed is gone at once; its exit status tells by what.
_END_SECONDS = 10.0
# Between the end of its connections and its own.
_CLOSING_SECONDS = 1.0
_FROM_OUTSIDE = (-signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP)
# What a process that a stranger's file has taken over can make of an answer, too.
_GONE = (
    OSError,
    EOFError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    OverflowError,
    RecursionError,
)


class ChildError(Exception):
    """What a library says of rows that it does not take."""


class ChildProcess:
    """A model in a process of its own, called with arrays by name.

    Attributes:
        what: the file, for messages.
        most_bytes: how much memory it may take.
        pid: of the process.
    """

    def __init__(
        self,
        what: str,
        connections: list[socket.socket],
        life: "_Life",
    ) -> None:
        self.what = what
        self.most_bytes = life.most_bytes
        self.pid = life.pid
        self._life = life
        self._idle: queue.LifoQueue[socket.socket] = queue.LifoQueue()
        for connection in connections:
            self._idle.put(connection)
        # Not when Python ends: the system closes them then, and a lock may be held for ever.
        closing = weakref.finalize(self, _close, connections)
        closing.atexit = False

    @property
    def how_ended(self) -> str | None:
        """Return by what the process has ended, as in `by SIGSEGV`; None where it still runs."""
        return self._life.tell_end()

    def __call__(
        self,
        inputs: Mapping[str, np.ndarray],
        most_bytes: int,
        most_seconds: float | None = None,
    ) -> Arrays:
        """Return what the model makes of rows.

        Args:
            inputs: arrays (rows, ...) by name.
            most_bytes: how large the outputs may be.
            most_seconds: how long it may take; None where the caller looks at that.

        Raises:
            ChildError: the library does not take the rows.
            MemoryError: fewer rows may fit.
            ModelError: the process has ended by what the file or the rows do to it, or it takes
                longer.
            WorkerError: it was ended from outside.
        """
        connection = self._idle.get()
        try:
            connection.settimeout(most_seconds)
            send(connection, Message(arrays=inputs))
            reply = receive(connection, most_bytes)
            error = reply.words.get("error")
        except TimeoutError as late:
            self._life.end()
            raise ModelError(
                f"{self.what}: computing {_count_rows(inputs)} rows of it takes longer than "
                f"{most_seconds:g} s; pack a smaller model, or look for a loop without end in it"
            ) from late
        except _GONE as gone:
            # Of a connection that is out of step nothing can be expected any more.
            self._life.end()
            raise self._life.describe(self.what) from gone
        finally:
            self._idle.put(connection)
        if error is not None:
            raise _make_error(reply.words)
        return dict(reply.arrays)


def start_child(
    module: str,
    content: bytes,
    card: Mapping[str, Any],
    threads: int,
    what: str,
) -> ChildProcess:
    """Start a process, let it load a model's file, and return it.

    Args:
        module: whose `load` reads the file, in the child.
        content: of the file, whose digest is checked.
        card: what the module needs to know beside it, as plain values.
        threads: mini-batches that are computed at the same time.
        what: the file, for messages.

    Raises:
        ModelError: the library does not take the file, or does not survive it.
        WorkerError: the process was ended from outside.
    """
    pairs = [socket.socketpair() for _ in range(threads)]
    connections = [ours for ours, _ in pairs]
    most_bytes = _MEMORY_BYTES + _MEMORY_OF_ONE * len(content)
    life = _Life([theirs for _, theirs in pairs], most_bytes)
    child = ChildProcess(what, connections, life)
    first = connections[0]
    first.settimeout(_LOAD_SECONDS)
    try:
        array = np.frombuffer(content, np.uint8)
        send(first, Message({"module": module, "card": dict(card)}, {"content": array}))
        words = receive(first, 0).words
    except TimeoutError as late:
        life.end()
        raise ModelError(
            f"{what}: loading it takes longer than {_LOAD_SECONDS:g} s; pack a smaller model"
        ) from late
    except _GONE as gone:
        raise life.describe(what) from gone
    if "error" in words:
        raise ModelError(
            f"{what}: cannot be loaded: {words['error']}; "
            "pack the model again with pipelines.package"
        )
    first.settimeout(None)
    return child


class _Life:
    """The process from its start to its end, which a thread of its own waits for.

    The system ends a child when the thread that started it ends, so that thread lives as long.
    """

    def __init__(self, connections: list[socket.socket], most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self._started = threading.Event()
        self._ended = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._failure: OSError | None = None
        # Whether this process has ended it.
        self._is_ours = False
        watch = threading.Thread(
            target=self._watch, args=(connections, most_bytes), name="child-process", daemon=True
        )
        watch.start()
        self._started.wait()
        if self._failure is not None:
            raise self._failure

    @property
    def pid(self) -> int:
        """Return the number of the process."""
        assert self._process is not None  # noqa: S101 - whoever has this has seen it start
        return self._process.pid

    def end(self) -> None:
        """End the process, whatever it does."""
        assert self._process is not None  # noqa: S101 - as above
        # One that ends on its own has closed its connections a moment ago; how it ends is its own.
        self._ended.wait(_CLOSING_SECONDS)
        if not self._ended.is_set():
            self._is_ours = True
            self._process.kill()

    def describe(self, what: str) -> Refusal:
        """Return how the process came to its end, as what a run ends with.

        Args:
            what: the file that it had loaded.
        """
        self._ended.wait(_END_SECONDS)
        how = self.tell_end() or "with status None"
        ended = f"{what}: the process that computes it was ended {how}"
        status = None if self._process is None else self._process.returncode
        # No library sends itself these: the file may be as good as any, and a retry may end well.
        if status in _FROM_OUTSIDE and not self._is_ours:
            return WorkerError(
                f"{ended} from outside, by somebody or by the system where memory is short; "
                "run again to resume, with fewer workers or more memory"
            )
        return ModelError(
            f"{ended}: the file is broken, or made to break its library; "
            "pack the model again with pipelines.package"
        )

    def tell_end(self) -> str | None:
        """Return by what the process has ended; None where it still runs."""
        if self._process is None or not self._ended.is_set():
            return None
        status = self._process.returncode
        if status < 0:
            return f"by {signal.Signals(-status).name}"
        return f"with status {status}"

    def _watch(self, connections: list[socket.socket], most_bytes: int) -> None:
        descriptors = [connection.fileno() for connection in connections]
        try:
            self._process = _start(descriptors, most_bytes)
        except OSError as error:
            self._failure = error
            return
        finally:
            # The child has its own; while ours were open, its end would not be seen.
            _close(connections)
            self._started.set()
        self._process.wait()
        self._ended.set()


def _start(descriptors: list[int], most_bytes: int) -> "subprocess.Popen[bytes]":
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    environment.update(_ENVIRONMENT)
    paths = json.dumps(list_import_paths())
    command = [sys.executable, "-I", "-B", "-c", _START, paths]
    numbers = (os.getpid(), most_bytes, *descriptors)
    command.extend(map(str, numbers))
    return subprocess.Popen(  # noqa: S603 - Python itself, and words of our own
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=descriptors,
        env=environment,
        cwd="/",
        # Ctrl-C is for the worker, which may have rows to finish.
        start_new_session=True,
    )


def list_import_paths() -> list[str]:
    """Return where a process of ours imports from: as here, but for a current folder, which may be anybody's."""
    paths = [path for path in sys.path if Path(path).is_absolute()]
    if _ROOT not in paths:
        paths.insert(0, _ROOT)
    return paths


def _count_rows(inputs: Mapping[str, np.ndarray]) -> int:
    for array in inputs.values():
        return len(array)
    return 0


def _close(connections: list[socket.socket]) -> None:
    for connection in connections:
        connection.close()


def _make_error(words: Mapping[str, Any]) -> Exception:
    text = str(words["error"])
    if words.get("is_memory"):
        return MemoryError(text)
    return ChildError(text)
