"""How a child's process comes to its end, and what is told of it, on a stand-in for the process."""

from collections.abc import Callable, Iterator
import signal
import socket
import threading
from typing import Any

import numpy as np
import pytest

from configs.errors import ModelError, Refusal, WorkerError
from model_zoo.engines.child import process
from model_zoo.engines.child.messages import Message, receive, send
from model_zoo.engines.child.process import ChildError, ChildProcess, start_child


class Process:
    """Stands in for a process: it ends when it is told to, or killed."""

    pid = 77

    def __init__(self) -> None:
        self.returncode: int | None = None
        self.is_killed = False
        self._ended = threading.Event()

    def end(self, status: int) -> None:
        self.returncode = status
        self._ended.set()

    def kill(self) -> None:
        self.is_killed = True
        self.end(-signal.SIGKILL)

    def wait(self) -> None:
        self._ended.wait(60)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[Process]:
    """The process that would have been started."""
    stand_in = Process()
    monkeypatch.setattr(process, "_start", lambda descriptors, most_bytes: stand_in)
    # Nobody waits here for what will not end.
    monkeypatch.setattr(process, "_CLOSING_SECONDS", 0.01)
    monkeypatch.setattr(process, "_END_SECONDS", 0.2)
    yield stand_in
    stand_in.end(0)


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (-signal.SIGSEGV, ModelError, "was ended by SIGSEGV: the file is broken"),
        (-signal.SIGABRT, ModelError, "was ended by SIGABRT: the file is broken"),
        (3, ModelError, "was ended with status 3: the file"),
        (0, ModelError, "was ended with status 0: the file"),
        (-signal.SIGKILL, WorkerError, "was ended by SIGKILL from outside"),
        (-signal.SIGTERM, WorkerError, "was ended by SIGTERM from outside"),
        (-signal.SIGINT, WorkerError, "was ended by SIGINT from outside"),
        (-signal.SIGHUP, WorkerError, "was ended by SIGHUP from outside"),
    ],
)
def test_an_end_is_said_of_the_file_or_of_somebody_else(
    status: int, kind: type[Refusal], words: str, started: Process
) -> None:
    life = process._Life([], 0)
    assert life.pid == 77
    started.end(status)
    told = life.describe("m/model.x")
    assert type(told) is kind
    assert str(told).startswith(f"m/model.x: the process that computes it {words}")


def test_what_ends_by_itself_is_not_killed(started: Process) -> None:
    life = process._Life([], 0)
    started.end(-signal.SIGSEGV)
    life.end()
    assert not started.is_killed
    assert isinstance(life.describe("m"), ModelError)


def test_what_this_program_ends_was_ended_by_the_file(started: Process) -> None:
    life = process._Life([], 0)
    life.end()
    assert started.is_killed
    told = life.describe("m")
    assert isinstance(told, ModelError)
    assert "SIGKILL: the file is broken" in str(told)


def test_a_process_that_cannot_be_started_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(descriptors: list[int], most_bytes: int) -> None:
        raise BlockingIOError("no more processes")

    monkeypatch.setattr(process, "_start", start)
    ours, theirs = socket.socketpair()
    with ours:
        with pytest.raises(BlockingIOError, match="no more processes"):
            process._Life([theirs], 0)
        # The child's end is closed, whatever becomes of it.
        assert theirs.fileno() == -1


def test_the_childs_ends_are_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Any] = []
    stand_in = Process()

    def start(descriptors: list[int], most_bytes: int) -> Process:
        given.append((descriptors, most_bytes))
        return stand_in

    monkeypatch.setattr(process, "_start", start)
    pairs = [socket.socketpair() for _ in range(2)]
    numbers = [theirs.fileno() for _, theirs in pairs]
    life = process._Life([theirs for _, theirs in pairs], 123)
    assert given == [(numbers, 123)]
    assert life.most_bytes == 123
    for ours, theirs in pairs:
        assert theirs.fileno() == -1
        ours.close()
    stand_in.end(0)


Answer = Callable[[Message], Message | None]


@pytest.fixture
def connect(started: Process) -> Iterator[Callable[[Answer], ChildProcess]]:
    """Return what makes a child of a function that answers each message, or closes for None."""
    opened: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def make(answer: Answer) -> ChildProcess:
        ours, theirs = socket.socketpair()
        opened.extend((ours, theirs))
        thread = threading.Thread(target=_answer, args=(theirs, answer), daemon=True)
        thread.start()
        threads.append(thread)
        return ChildProcess("m/model.x", [ours], process._Life([], 5))

    yield make
    for connection in opened:
        connection.close()
    for thread in threads:
        thread.join(60)


def _answer(connection: socket.socket, answer: Answer) -> None:
    try:
        while (reply := answer(receive(connection, 1 << 20))) is not None:
            send(connection, reply)
        # As a process that ends does it.
        connection.shutdown(socket.SHUT_RDWR)
    except (OSError, EOFError):
        return


X = {"x": np.arange(3.0)}


def test_a_call_is_answered_and_its_connection_used_again(
    connect: Callable[[Answer], ChildProcess],
) -> None:
    child = connect(lambda asked: Message(arrays={"y": asked.arrays["x"] * 2}))
    assert (child.pid, child.most_bytes) == (77, 5)
    for _ in range(2):
        assert child(X, 24)["y"].tolist() == [0.0, 2.0, 4.0]


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ({"error": "a number below 0", "is_memory": False}, ChildError),
        ({"error": "a number below 0"}, ChildError),
        ({"error": "a number below 0", "is_memory": True}, MemoryError),
        # An empty word is one, too.
        ({"error": ""}, ChildError),
    ],
)
def test_an_error_is_of_the_rows_and_the_next_are_computed(
    words: dict[str, Any], kind: type[Exception], connect: Callable[[Answer], ChildProcess]
) -> None:
    replies = [Message(words), Message(arrays=X)]
    child = connect(lambda asked: replies.pop(0))
    with pytest.raises(kind, match=f"^{words['error']}$"):
        child(X, 24)
    assert child(X, 24)["x"].tolist() == [0.0, 1.0, 2.0]


def test_more_than_may_come_is_the_end_of_it(
    started: Process, connect: Callable[[Answer], ChildProcess]
) -> None:
    child = connect(lambda asked: Message(arrays=X))
    with pytest.raises(ModelError, match="was ended by SIGKILL: the file"):
        child(X, 23)
    assert started.is_killed


def test_a_closed_connection_is_the_end_of_it(
    started: Process, connect: Callable[[Answer], ChildProcess]
) -> None:
    def leave(asked: Message) -> None:
        started.end(-signal.SIGSEGV)

    child = connect(leave)
    for _ in range(2):
        with pytest.raises(ModelError, match="was ended by SIGSEGV"):
            child(X, 24)
    assert not started.is_killed


def test_what_takes_too_long_is_ended(
    started: Process, connect: Callable[[Answer], ChildProcess]
) -> None:
    done = threading.Event()

    def wait(asked: Message) -> None:
        done.wait(60)

    child = connect(wait)
    why = r"m/model.x: computing 3 rows of it takes longer than 0.01 s; pack a smaller"
    with pytest.raises(ModelError, match=why):
        child(X, 24, most_seconds=0.01)
    assert started.is_killed
    done.set()


def test_rows_are_those_of_the_first_array() -> None:
    assert process._count_rows({"a": np.zeros((4, 2)), "b": np.zeros(9)}) == 4
    assert process._count_rows({}) == 0


def test_memory_is_for_the_library_and_20_times_its_file(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[int] = []

    class Life:
        """Stands in for a process that ends while it loads."""

        pid = 1

        def __init__(self, theirs: list[socket.socket], most_bytes: int) -> None:
            self.most_bytes = most_bytes
            given.append(most_bytes)
            for connection in theirs:
                connection.close()

        def describe(self, what: str) -> Refusal:
            return ModelError(f"{what}: ended")

    monkeypatch.setattr(process, "_Life", Life)
    with pytest.raises(ModelError, match=r"^m: ended$"):
        start_child("a.module", b"1234567", {}, 2, what="m")
    assert given == [(4 << 30) + 20 * 7]


def test_a_file_that_is_loaded_for_ever_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[socket.socket] = []

    class Life:
        """Stands in for a process that never answers."""

        pid = 1
        is_ended = False

        def __init__(self, theirs: list[socket.socket], most_bytes: int) -> None:
            self.most_bytes = most_bytes
            kept.extend(theirs)

        def end(self) -> None:
            Life.is_ended = True

    monkeypatch.setattr(process, "_Life", Life)
    monkeypatch.setattr(process, "_LOAD_SECONDS", 0.01)
    with pytest.raises(ModelError, match=r"^m: loading it takes longer than 0.01 s; pack a small"):
        start_child("a.module", b"", {}, 1, what="m")
    assert Life.is_ended
    for connection in kept:
        connection.close()
