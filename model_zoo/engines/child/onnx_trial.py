"""A graph of ONNX, in the child: ONNX Runtime loads it and computes a few rows, before a worker does."""

from collections.abc import Callable, Mapping
from typing import Any

from model_zoo.engines.child.graph_rows import add_columns
from model_zoo.engines.child.messages import Arrays
from model_zoo.engines.onnx_library import CPU_NAME, is_out_of_memory, shorten, start_session


def load(content: bytes, card: Mapping[str, Any]) -> Callable[[], Callable[[Arrays], Arrays]]:
    """Return what makes a call for each thread.

    Args:
        content: of the graph, which has been looked through, and of its other files behind it.
        card: `sizes`, of each of them in bytes, by name; that of the graph comes first.

    Raises:
        MemoryError: it takes more memory than this process has.
        ValueError: ONNX Runtime does not take the graph.
    """
    graph, data = _cut(content, card["sizes"])
    try:
        session = start_session(graph, data, [(CPU_NAME, {})])
    except Exception as error:
        raise _make_error("ONNX Runtime does not take it: ", error) from error
    ranks = {found.name: len(found.shape) for found in session.get_inputs()}

    def compute(inputs: Arrays) -> Arrays:
        arrays = add_columns(inputs, ranks)
        try:
            session.run(None, arrays)
        except Exception as error:
            raise _make_error("", error) from error
        # That it lives to say this is the answer.
        return {}

    return lambda: compute


def _cut(content: bytes, sizes: Mapping[str, int]) -> tuple[bytes, dict[str, bytes]]:
    """Return the graph, and its other files by name."""
    files = {}
    start = 0
    for name, size in sizes.items():
        files[name] = content[start : start + size]
        start += size
    first, *others = files
    return files[first], {name: files[name] for name in others}


def _make_error(before: str, error: Exception) -> Exception:
    text = before + shorten(error)
    if not is_out_of_memory(error):
        return ValueError(text)
    # Behind it are places in the library's own source.
    which_node, _, _ = text.partition(" Name:")
    return MemoryError(which_node)
