"""Import OpenVINO, and what belongs to it, so that it sends nothing and does not stand still."""

import sys
import threading
from typing import Any

import numpy as np

# Both count their users over the network unless a file in the home folder says no. Without this
# module they have nothing to count with, and say so to nobody.
_TELEMETRY = "openvino_telemetry"
# Its messages name places in its own source, and may hold a whole graph.
_SHOWN_CHARACTERS = 300
_lock = threading.Lock()


def import_openvino() -> Any:
    """Return the module `openvino`, ready for several threads."""
    with _lock:
        forbid_telemetry()
        # Most of a second, for jobs that name this engine.
        import openvino

        # The first array that its binding sees is looked up with the interpreter's lock held: two
        # threads at once wait for each other for ever. So the first one comes here, alone.
        first = np.zeros(1, np.float32)
        _ = openvino.Tensor(first).data
    return openvino


def forbid_telemetry() -> None:
    """Let nothing in this process import what counts users over the network."""
    # Of a module that is None, Python says that it is not installed.
    sys.modules.setdefault(_TELEMETRY, None)  # type: ignore[arg-type]


def shorten(error: Exception) -> str:
    """Return the last words of OpenVINO's message, in one line."""
    lines = str(error).strip().splitlines()
    # Those before it name files of its source.
    last = lines[-1] if lines else type(error).__name__
    words = last.split()
    return " ".join(words)[:_SHOWN_CHARACTERS]
