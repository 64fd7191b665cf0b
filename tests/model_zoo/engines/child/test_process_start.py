"""What a child is started with, without starting one: its import path, its environment, and an answer that is an error."""

from collections.abc import Iterator
import json
from pathlib import Path
import socket
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from configs.errors import ModelError
from model_zoo.engines.child import process
from model_zoo.engines.child.messages import Message, receive, send

ROOT = str(Path(process.__file__).resolve().parents[3])


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Commands that would have been run, each with its options."""
    commands: list[Any] = []

    def start(command: list[str], **options: Any) -> object:
        commands.append((command, options))
        return SimpleNamespace(pid=1)

    monkeypatch.setattr(subprocess, "Popen", start)
    return commands


@pytest.mark.parametrize(
    ("here", "there"),
    [
        # Installed or not: the program finds itself, once, and nothing that is below a current folder.
        (["/a", "/b"], [ROOT, "/a", "/b"]),
        (["/a", ROOT], ["/a", ROOT]),
        (["", "relative", ROOT, "/a"], [ROOT, "/a"]),
        ([""], [ROOT]),
    ],
)
def test_a_child_imports_from_where_its_worker_does(
    here: list[str], there: list[str], started: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", here)
    process._start([7, 8], 1234)
    ((command, options),) = started
    place = command.index("-c") + 2
    assert json.loads(command[place]) == there
    assert command[place + 2 :] == ["1234", "7", "8"]
    assert options["pass_fds"] == [7, 8]


def test_a_child_sees_nothing_of_its_workers_environment_but_how_to_find_libraries(
    started: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LD_LIBRARY_PATH", "/libraries")
    monkeypatch.delenv("LC_ALL", raising=False)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    process._start([], 0)
    ((_, options),) = started
    environment = options["env"]
    assert environment["LD_LIBRARY_PATH"] == "/libraries"
    assert environment["OMP_NUM_THREADS"] == "1"
    unwanted = {"AWS_SECRET_ACCESS_KEY", "PYTHONPATH", "LC_ALL"}
    assert not unwanted & environment.keys()


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[socket.socket]]:
    """Both ends of all connections, which no process closes here."""
    made: list[socket.socket] = []
    connect = socket.socketpair

    def note() -> tuple[socket.socket, socket.socket]:
        pair = connect()
        made.extend(pair)
        return pair

    monkeypatch.setattr(socket, "socketpair", note)
    yield made
    for connection in made:
        connection.close()


@pytest.mark.parametrize(
    ("answer", "error"),
    [({}, None), ({"error": "no such layer"}, "cannot be loaded: no such layer; pack the model")],
)
def test_what_a_child_says_of_a_file_is_heard(
    answer: dict[str, Any],
    error: str | None,
    connections: list[socket.socket],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Life:
        """Stands in for the process: it answers at once, on the first connection."""

        pid = 1

        def __init__(self, theirs: Any, most_bytes: int) -> None:
            self.most_bytes = most_bytes
            send(theirs[0], Message(answer, {}))

    monkeypatch.setattr(process, "_Life", Life)
    if error is not None:
        with pytest.raises(ModelError, match=error):
            process.start_child("a.module", b"content", {"task": "none"}, 2, what="m/model.x")
        return
    process.start_child("a.module", b"content", {"task": "none"}, 2, what="m/model.x")
    _, first_of_theirs, *_ = connections
    asked = receive(first_of_theirs, 1 << 20)
    assert asked.words == {"module": "a.module", "card": {"task": "none"}}
    assert asked.arrays["content"].tobytes() == b"content"
