"""Words and arrays over a socket, between a worker and the process that it has started.

    length of the head (8 bytes) | head, JSON: words, and name, dtype and shape of each array | numbers

No pickle in either direction: what comes back from a process that read a stranger's file is numbers and
words, whatever has become of that process. Each array is copied once into the socket and once out of it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
import json
from math import prod
import socket
import struct
from typing import Any, TypeAlias

import numpy as np

Arrays: TypeAlias = dict[str, np.ndarray]
Call: TypeAlias = Callable[[Arrays], Arrays]
# What a module of this folder loads: called once in each thread that computes.
MakeCall: TypeAlias = Callable[[], Call]

_LENGTH = struct.Struct("<Q")
# Names of some thousand arrays, or a long message of a library.
_MOST_HEAD_BYTES = 16 << 20
# As a card names them.
_DTYPES = frozenset(
    {
        "float32", "float64", "int32", "int64", "bool", "float16",
        "int8", "int16", "uint8", "uint16", "uint32", "uint64",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Message:
    """What is sent at once.

    Attributes:
        words: plain values, as JSON has them.
        arrays: by name.
    """

    words: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)


def send(connection: socket.socket, message: Message) -> None:
    """Send a message, and return once the other side has taken all but the last of it.

    Args:
        connection: to a process that receives.
        message: to be sent.

    Raises:
        OSError: the other side is gone.
    """
    described = []
    contents = []
    for name, array in message.arrays.items():
        content = np.ascontiguousarray(array)
        described.append([name, content.dtype.name, content.shape])
        contents.append(content)
    words = dict(message.words)
    told = json.dumps({"words": words, "arrays": described})
    head = told.encode()
    length = _LENGTH.pack(len(head))
    connection.sendall(length + head)
    for content in contents:
        # Python gives no view of an array without numbers.
        if content.size:
            flat = content.reshape(-1).view(np.uint8)
            connection.sendall(flat.data)


def receive(connection: socket.socket, most_bytes: int) -> Message:
    """Return the next message.

    Args:
        connection: to a process that sends.
        most_bytes: how large its arrays may be, together.

    Raises:
        EOFError: the other side is gone.
        OSError: likewise, or it takes longer than the connection waits.
        ValueError: it sends something else, or more.
    """
    head = _receive_head(connection)
    left = most_bytes
    arrays: Arrays = {}
    for name, dtype, shape in head["arrays"]:
        if dtype not in _DTYPES or not all(size >= 0 for size in shape):
            raise ValueError("an array of no known kind")
        left -= prod(shape) * np.dtype(dtype).itemsize
        # Before there is memory for it: that is the receiver's.
        if left < 0:
            raise ValueError("more numbers than may come")
        arrays[name] = _receive_array(connection, shape, dtype)
    return Message(head["words"], arrays)


def _receive_head(connection: socket.socket) -> Any:
    """Return what a message says of itself first."""
    stored_length = _receive_bytes(connection, _LENGTH.size)
    (length,) = _LENGTH.unpack(stored_length)
    if length > _MOST_HEAD_BYTES:
        raise ValueError("a head that is too long")
    head = _receive_bytes(connection, length)
    return json.loads(head)


def _receive_array(connection: socket.socket, shape: Sequence[int], dtype: str) -> np.ndarray:
    array = np.empty(shape, dtype)
    # Python gives no view of an array without numbers.
    if array.size:
        flat = array.reshape(-1)
        _receive_into(connection, flat.view(np.uint8))
    return array


def _receive_bytes(connection: socket.socket, count: int) -> bytes:
    content = np.empty(count, np.uint8)
    _receive_into(connection, content)
    return content.tobytes()


def _receive_into(connection: socket.socket, content: np.ndarray) -> None:
    """Fill an array of bytes."""
    rest = content.data
    while rest:
        count = connection.recv_into(rest)
        if not count:
            raise EOFError("the other side has closed the connection")
        rest = rest[count:]
