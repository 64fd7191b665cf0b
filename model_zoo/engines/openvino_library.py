"""Import OpenVINO so that it does not stand still; `model_zoo/telemetry.py` keeps it from sending anything."""

import threading
from typing import Any

import numpy as np

# Its messages may hold a whole graph.
_SHOWN_CHARACTERS = 300
# Lines around what is said: places in its source, headings, and whom to ask.
_NOT_SAID = (
    "Exception from",
    "Check ",
    "FrontEnd API failed",
    "Summary:",
    "-- Conversion is failed",
    "To facilitate",
    "While validating",
)
_OUT_OF_MEMORY = ("bad_alloc", "bad allocation", "Failed to allocate", "Cannot allocate memory")
_lock = threading.Lock()


def import_openvino() -> Any:
    """Return the module `openvino`, ready for several threads."""
    with _lock:
        # Most of a second, for jobs that name this engine.
        import openvino

        # The first array that its binding sees is looked up with the interpreter's lock held: two
        # threads at once wait for each other for ever. So the first one comes here, alone.
        first = np.zeros(1, np.float32)
        _ = openvino.Tensor(first).data
    return openvino


def shorten(error: Exception) -> str:
    r"""Return what OpenVINO's message says at last, in one line.

    >>> shorten(RuntimeError("Exception from src/core.cpp:105:\nSummary:\n-- No rule for: Frob"))
    'No rule for: Frob'
    """
    last = type(error).__name__
    message = str(error)
    for line in message.splitlines():
        if line and not line.startswith(_NOT_SAID):
            last = line
    said = last.removeprefix("-- ")
    one_line = " ".join(said.split())
    return one_line[:_SHOWN_CHARACTERS]


def is_out_of_memory(error: Exception) -> bool:
    """Tell whether an error of the library means that fewer rows may fit."""
    if isinstance(error, MemoryError):
        return True
    message = str(error)
    return any(words in message for words in _OUT_OF_MEMORY)
