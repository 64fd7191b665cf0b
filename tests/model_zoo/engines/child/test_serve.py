"""What the program of a child does, in threads of this process: loads, answers, and says what went wrong."""

from collections.abc import Callable, Iterator, Mapping
import os
from pathlib import Path
import resource
import socket
import sys
import threading
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from model_zoo.engines.child import serve
from model_zoo.engines.child.messages import Arrays, Message, receive, send

MODULE = "a_library_for_a_child"


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The worker's end of a connection, and the child's."""
    ours, theirs = socket.socketpair()
    ours.settimeout(60)
    theirs.settimeout(10)
    with ours, theirs:
        yield ours, theirs


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module that reads files: it doubles, and fails on what is below 0."""
    module = ModuleType(MODULE)

    def compute(inputs: Arrays) -> Arrays:
        if (inputs["x"] < 0).any():
            raise ValueError("a number below 0")
        return {"y": inputs["x"] * 2}

    def load(content: bytes, card: Mapping[str, Any]) -> Callable[[], Callable[[Arrays], Arrays]]:
        if content == b"broken":
            raise ValueError("no such\nformat")
        module.given = (content, card)  # type: ignore[attr-defined]
        return lambda: compute

    module.load = load  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, MODULE, module)
    return module


def ask_to_load(connection: socket.socket, content: bytes) -> None:
    array = np.frombuffer(content, np.uint8)
    words = {"module": MODULE, "card": {"task": "none"}}
    send(connection, Message(words, {"content": array}))


def test_a_file_is_loaded_by_the_module_that_is_named(
    pair: tuple[socket.socket, socket.socket], library: Any
) -> None:
    ours, theirs = pair
    ask_to_load(ours, b"content")
    make_call = serve._load(theirs)
    assert receive(ours, 0).words == {"ready": True}
    assert library.given == (b"content", {"task": "none"})
    assert make_call()({"x": np.array([2])})["y"] == [4]


def test_a_file_that_is_not_taken_is_told(
    pair: tuple[socket.socket, socket.socket], library: Any
) -> None:
    ours, theirs = pair
    ask_to_load(ours, b"broken")
    assert serve._load(theirs) is None
    assert receive(ours, 0).words == {"error": "no such format", "is_memory": False}


def test_mini_batches_are_answered_until_there_are_no_more(library: Any) -> None:
    connections = [socket.socketpair() for _ in range(2)]
    make_call = library.load(b"", {})
    theirs = [end for _, end in connections]
    serving = threading.Thread(target=serve._serve_all, args=(theirs, make_call), daemon=True)
    serving.start()
    for number, (ours, _) in enumerate(connections):
        ours.settimeout(60)
        send(ours, Message(arrays={"x": np.array([number])}))
        assert receive(ours, 8).arrays["y"] == [2 * number]
        # An error is an answer, and the next mini-batch is computed.
        send(ours, Message(arrays={"x": np.array([-1])}))
        assert receive(ours, 8).words["error"] == "a number below 0"
        send(ours, Message(arrays={"x": np.array([7])}))
        assert receive(ours, 8).arrays["y"] == [14]
    assert serving.is_alive()
    for ours, _ in connections:
        ours.close()
    serving.join(60)
    assert not serving.is_alive()
    for end in theirs:
        end.close()


def test_a_worker_that_left_gets_no_answer(
    pair: tuple[socket.socket, socket.socket], library: Any
) -> None:
    ours, theirs = pair
    send(ours, Message(arrays={"x": np.array([1])}))
    ours.close()
    # It ends, and with no error.
    serve._serve(theirs, library.load(b"", {}))


@pytest.mark.parametrize(
    ("error", "said", "is_memory"),
    [
        (ValueError("no such\n  layer"), "no such layer", False),
        (MemoryError("too many"), "too many", True),
        (RuntimeError("std::bad_alloc"), "std::bad_alloc", True),
        (KeyError(), "KeyError", False),
        (
            ValueError(
                "[12:34:56] /src/model.cc:12: Check failed: a == b :\nStack trace:\n [bt] 7"
            ),
            "Check failed: a == b",
            False,
        ),
        # Only where it stands first.
        (ValueError("at [12:34:56] /a.cc:1: x"), "at [12:34:56] /a.cc:1: x", False),
        (ValueError("x" * 300), "x" * 300, False),
        (ValueError("x" * 301), "x" * 300, False),
    ],
)
def test_an_error_is_a_line_without_addresses(error: Exception, said: str, is_memory: bool) -> None:
    words = serve._describe(error).words
    assert words == {"error": said, "is_memory": is_memory}


class EndError(Exception):
    """Stands in for the end of the process."""


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Statuses with which the process would have ended."""
    statuses: list[int] = []

    def end(status: int) -> None:
        statuses.append(status)
        raise EndError

    monkeypatch.setattr(os, "_exit", end)
    return statuses


class Library:
    """Stands in for the C library: what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def prctl(self, *arguments: Any) -> None:
        self.asked.append(arguments)


@pytest.mark.parametrize(("platform", "is_asked"), [("linux", True), ("darwin", False)])
def test_it_ends_with_its_worker_or_where_that_has_gone(
    platform: str, is_asked: bool, ends: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    libc = Library()
    monkeypatch.setattr(serve.ctypes, "CDLL", lambda name: libc)
    monkeypatch.setattr(sys, "platform", platform)
    serve._end_with(os.getppid())
    # PR_SET_PDEATHSIG is 1, and SIGKILL 9.
    assert libc.asked == ([(1, 9)] if is_asked else [])
    assert not ends
    with pytest.raises(EndError):
        serve._end_with(os.getppid() + 1)
    assert ends == [0]


def test_limits_are_on_files_and_on_memory_beside_what_there_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    limits: dict[int, tuple[int, int]] = {}
    monkeypatch.setattr(resource, "setrlimit", limits.__setitem__)
    monkeypatch.setattr(serve, "_count_bytes", lambda: 1000)
    serve._set_limits(234)
    assert limits == {
        resource.RLIMIT_CORE: (0, 0),
        resource.RLIMIT_FSIZE: (0, 0),
        resource.RLIMIT_DATA: (1234, 1234),
    }


@pytest.mark.parametrize(
    ("status", "count"),
    [("Name: x\nVmData:\t  12 kB\nVmStk: 9 kB\n", 12 * 1024), ("Name: x\n", 0), (None, 0)],
)
def test_memory_is_what_the_system_tells(
    status: str | None, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(path: Path) -> str:
        assert str(path) == "/proc/self/status"
        if status is None:
            raise OSError
        return status

    monkeypatch.setattr(Path, "read_text", read)
    assert serve._count_bytes() == count


# A process that ends closes nothing.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(("content", "answer"), [(b"", {"ready": True}), (b"broken", None)])
def test_the_program_serves_what_it_can_load(
    content: bytes,
    answer: Any,
    library: Any,
    ends: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done: list[Any] = []
    monkeypatch.setattr(serve, "_end_with", lambda parent: done.append(parent))
    monkeypatch.setattr(serve, "_set_limits", lambda most: done.append(most))
    connections = [socket.socketpair() for _ in range(2)]
    ours, others = (ours for ours, _ in connections)
    ask_to_load(ours, content)
    send(others, Message(arrays={"x": np.array([3])}))
    for connection in (ours, others):
        connection.shutdown(socket.SHUT_WR)
    numbers = [theirs.detach() for _, theirs in connections]
    with pytest.raises(EndError):
        serve.main(["17", "99", *map(str, numbers)])
    assert done == [17, 99]
    assert ends == [0]
    said = receive(ours, 0).words
    if answer is None:
        assert said["error"] == "no such format"
    else:
        assert said == answer
        assert receive(others, 8).arrays["y"] == [6]
    for connection in (ours, others):
        connection.close()
