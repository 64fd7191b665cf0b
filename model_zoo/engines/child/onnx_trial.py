"""A graph of ONNX, in the child: ONNX Runtime loads it and computes a few rows, before a worker does."""

from collections.abc import Mapping
from typing import Any

from model_zoo.engines.child.graph_rows import add_columns
from model_zoo.engines.child.messages import Arrays, MakeCall
from model_zoo.engines.onnx_library import CPU_NAME, is_out_of_memory, shorten, start_session


def load(content: bytes, card: Mapping[str, Any]) -> MakeCall:
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
    ranks = {}
    for taken in session.get_inputs():
        ranks[taken.name] = len(taken.shape)

    def compute(inputs: Arrays) -> Arrays:
        arrays = add_columns(inputs, ranks)
        try:
            session.run(None, arrays)
        except Exception as error:
            raise _make_error("", error) from error
        # That it lives to say this is the answer.
        return {}

    return lambda: compute


def _cut(
    content: bytes,
    sizes: Mapping[str, int],
) -> tuple[bytes, dict[str, bytes]]:
    """Return the graph, and its other files by name."""
    files = {}
    start = 0
    for name, size in sizes.items():
        end = start + size
        files[name] = content[start:end]
        start = end
    graph_name, *_ = sizes
    graph = files.pop(graph_name)
    return graph, files


def _make_error(before: str, error: Exception) -> Exception:
    text = before + shorten(error)
    if not is_out_of_memory(error):
        return ValueError(text)
    # Behind it are places in the library's own source.
    which_node, _, _ = text.partition(" Name:")
    return MemoryError(which_node)
