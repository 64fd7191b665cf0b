"""ONNX Runtime's session of a graph, made alike by a worker and by the process that tries the graph first.

It imports nothing of ours, so that such a process starts fast.
"""

from collections.abc import Mapping, Sequence
import re
from typing import Any, TypeAlias

# Name of a part of the library that computes, and what it is told.
WithOptions: TypeAlias = tuple[str, dict[str, str]]

# The part that every ONNX Runtime has.
CPU_NAME = "CPUExecutionProvider"
# Only what ends the process is written to stderr; errors are raised, and told once.
_FATAL = 4
# Of what belongs to no session.
_ERROR = 3
_OUT_OF_MEMORY = (
    "bad_alloc",
    "bad allocation",
    "Failed to allocate memory",
    # Of CUDA and its libraries.
    "CUDA failure 2:",
    "out of memory",
    "ALLOC_FAILED",
)
# Where in its own source something was found: a file, a line and a function with its parameters, which
# may be longer than what is shown. What was found begins with a capital.
_PLACE = re.compile(r"\S*/onnxruntime_src/\S+:\d+ .*?\) (?=[A-Z])")
# The library's messages may hold a whole graph.
_SHOWN_CHARACTERS = 300


def start_session(
    content: bytes,
    data: Mapping[str, bytes],
    providers: Sequence[WithOptions],
) -> Any:
    """Return a session of a graph that has been looked through.

    Args:
        content: of the graph's file.
        data: of the files with its other numbers, by name.
        providers: what computes it, the one that takes most first.

    Raises:
        Exception: the library does not take it; its classes come of its compiled module.
    """
    # Half a second of start-up, for packages with a graph alone.
    import onnxruntime

    # Beside what it raises, it writes why a GPU's library failed; of its warnings nobody has any use.
    onnxruntime.set_default_logger_severity(_ERROR)
    options = _make_options(onnxruntime)
    if data:
        names, values = list(data), list(data.values())
        sizes = [len(value) for value in values]
        options.add_external_initializers_from_files_in_memory(names, values, sizes)
    # Else it would print why a provider does not start, and go on without it.
    session = onnxruntime.InferenceSession(
        content,
        options,
        providers=list(providers),
        enable_fallback=0,
    )
    # Else it would make the session anew, with other providers, when a call fails.
    session.disable_fallback()
    return session


def _make_options(onnxruntime: Any) -> Any:
    """Return how sessions compute, whatever the graph."""
    options = onnxruntime.SessionOptions()
    # Threads that score call the session at the same time; threads of its own would share cores.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.use_deterministic_compute = True
    # Its default, said here because which nodes become one decides how numbers are rounded.
    levels = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = levels.ORT_ENABLE_ALL
    options.log_severity_level = _FATAL
    return options


def shorten(error: Exception) -> str:
    r"""Return what ONNX Runtime's message says, in one line.

    >>> shorten(RuntimeError("[ONNXRuntimeError] : 1 : FAIL :\n  no Frob"))
    '[ONNXRuntimeError] : 1 : FAIL : no Frob'
    """
    words = str(error).split()
    line = _PLACE.sub("", " ".join(words))
    return line[:_SHOWN_CHARACTERS] or type(error).__name__


def is_out_of_memory(error: Exception) -> bool:
    """Tell whether an error of a session means that fewer rows may fit."""
    if isinstance(error, MemoryError):
        return True
    message = str(error)
    return any(words in message for words in _OUT_OF_MEMORY)
