"""Readers of a model's file that do what a broken one makes a library do; they run in a child."""

from collections.abc import Callable, Mapping
import ctypes
import json
import os
import signal
import threading
from typing import Any

import numpy as np

from model_zoo.engines.child import messages
from model_zoo.engines.child.messages import Arrays


def load(content: bytes, card: Mapping[str, Any]) -> Callable[[], Callable[[Arrays], Arrays]]:
    """Do as the file says: at once what begins with `load`, and on rows whatever it names."""
    order = content.decode()
    if order == "load: crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if order == "load: refuse":
        raise ValueError("no such\nformat")
    if order == "load: memory":
        np.ones(8 << 30, np.uint8)
    if order == "load: trace":
        raise ValueError(
            "[12:34:56] /workspace/src/model.cc:12: Check failed: a == b :\nStack trace:\n"
            "  [bt] (0) libxgboost.so(+0x11031e) [0x7f2526"
        )
    if order.startswith("answer: "):
        messages.json = _Heads(order)
    return lambda: {"tell": _tell, "crash": _crash, "hold": _hold}.get(order, _double)


class _Heads:
    """Stands in for json, and writes heads that no honest process writes."""

    loads = staticmethod(json.loads)

    def __init__(self, order: str) -> None:
        self._order = order

    def dumps(self, head: dict[str, Any]) -> str:
        """Return the head of an answer; of the message that the file is loaded, an honest one."""
        if not head["arrays"]:
            return json.dumps(head)
        return {
            "answer: words": '{"words": [], "arrays": []}',
            "answer: shape": '{"words": {}, "arrays": [["y", "float32", [0, 1' + "0" * 40 + "]]]}",
            "answer: nested": "[" * 100_000,
        }[self._order]


def _double(inputs: Arrays) -> Arrays:
    x = inputs["x"]
    if (x < 0).any():
        raise ValueError("a number below 0")
    if len(x) > 100:
        raise MemoryError("too many")
    return {"y": x * 2}


def _crash(inputs: Arrays) -> Arrays:
    if (inputs["x"] < 0).any():
        os.abort()
    return {"y": inputs["x"]}


def _tell(inputs: Arrays) -> Arrays:
    """Tell number of this process, of its environment's names, of its files, and whether it can write one."""
    names = set(os.environ) - {"LD_LIBRARY_PATH", "LC_ALL", "LANG", "LC_CTYPE"}
    strange = [name for name in names if name in ("AWS_SECRET_ACCESS_KEY", "PYTHONPATH", "PATH")]
    # In memory, so that a child that may write leaves nothing behind.
    number = os.memfd_create("written by a child")
    try:
        writes = os.write(number, b"x")
    except OSError:
        writes = 0
    os.close(number)
    return {"y": np.array([os.getpid(), len(strange), writes, threading.active_count()], np.int64)}


def _hold(inputs: Arrays) -> Arrays:
    """Compute without end in code that never lets another thread of Python have its turn."""
    # Functions of a PyDLL keep the lock.
    ctypes.PyDLL(None).sleep(600)
    return inputs
