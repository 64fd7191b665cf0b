"""Words and arrays arrive as they were sent; what nobody would send is refused before there is memory for it."""

from contextlib import suppress
import json
import socket
import struct
import threading

import numpy as np
import pytest

from model_zoo.engines.child.messages import Message, receive, send


def sent(message: Message, most_bytes: int = 1 << 20) -> Message:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        # Of more than a socket holds the sender waits for the receiver.
        thread = threading.Thread(target=_send, args=(ours, message))
        thread.start()
        try:
            return receive(theirs, most_bytes)
        finally:
            theirs.close()
            thread.join()


def _send(connection: socket.socket, message: Message) -> None:
    # Whoever does not want all of it leaves.
    with suppress(OSError):
        send(connection, message)


def test_arrays_of_all_kinds_arrive_as_they_were() -> None:
    arrays = {
        "floats": np.arange(60_000, dtype=np.float64).reshape(3, -1).T,
        "none": np.empty((0, 3), np.float32),
        "bools": np.array([True, False]),
        "bytes": np.frombuffer(b"ab\xff", np.uint8),
        "halves": np.float16([[1.5]]),
    }
    got = sent(Message({"ready": True, "why": "é"}, arrays))
    assert got.words == {"ready": True, "why": "é"}
    assert list(got.arrays) == list(arrays)
    for name, array in arrays.items():
        assert got.arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(got.arrays[name], array)


def test_no_more_is_taken_than_may_come() -> None:
    message = Message(arrays={"x": np.zeros(100, np.float64)})
    assert len(sent(message, 800).arrays["x"]) == 100
    with pytest.raises(ValueError, match="more numbers than may come"):
        sent(message, 799)


@pytest.mark.parametrize(
    "described",
    [
        ["x", "object", [1]],
        ["x", "<M8[s]", [1]],
        ["x", "float32", [-1]],
        ["x", "float32", [1 << 60]],
    ],
)
def test_what_nobody_would_send_is_refused(described: list[object]) -> None:
    ours, theirs = socket.socketpair()
    head = json.dumps({"words": {}, "arrays": [described]}).encode()
    with ours, theirs:
        ours.sendall(struct.pack("<Q", len(head)) + head)
        with pytest.raises(ValueError, match=r"no known kind|more numbers"):
            receive(theirs, 1 << 20)


def test_a_long_head_is_not_waited_for() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(struct.pack("<Q", 1 << 40))
        with pytest.raises(ValueError, match="too long"):
            receive(theirs, 1)


@pytest.mark.parametrize(("length", "is_taken"), [(16 << 20, True), ((16 << 20) + 1, False)])
def test_a_head_is_as_long_as_is_said_and_no_longer(length: int, is_taken: bool) -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        ours.sendall(struct.pack("<Q", length))
        ours.close()
        # One that may come is waited for, and its sender has left.
        error, why = (EOFError, "closed") if is_taken else (ValueError, "too long")
        with pytest.raises(error, match=why):
            receive(theirs, 1)


def test_all_arrays_of_a_message_count_together() -> None:
    arrays = {"a": np.zeros(10, np.int16), "b": np.zeros((2, 0)), "c": np.zeros(5, np.float64)}
    assert list(sent(Message(arrays=arrays), 60).arrays) == ["a", "b", "c"]
    with pytest.raises(ValueError, match="more numbers than may come"):
        sent(Message(arrays=arrays), 59)


def test_a_message_of_nothing_arrives() -> None:
    got = sent(Message(), 0)
    assert (got.words, got.arrays) == ({}, {})
    # A number by itself is an array of no dimensions.
    assert sent(Message(arrays={"x": np.array(7, np.int32)}), 4).arrays["x"] == 7


def test_a_closed_connection_is_told() -> None:
    ours, theirs = socket.socketpair()
    ours.sendall(b"\0\0")
    ours.close()
    with theirs, pytest.raises(EOFError):
        receive(theirs, 1)
