"""A package's ONNX graph as a session of ONNX Runtime, once it is known to be nothing but data.

The graph is read and looked through as bytes, so no name in it opens a file. One session serves all
threads; each computes its mini-batch alone, as torch's do, so a score does not depend on how many
share the machine.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from configs.errors import ModelError
from model_zoo.engines.checked_graph import Graph
from model_zoo.engines.onnx_library import shorten, start_session
from model_zoo.engines.onnx_providers import CPU, Provider, refuse_absent, refuse_others
from model_zoo.package.card import ModelCard

# As ONNX Runtime says them, by the card's names.
DTYPES = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(int32)": "int32",
    "tensor(int64)": "int64",
    "tensor(bool)": "bool",
    "tensor(float16)": "float16",
    "tensor(int8)": "int8",
    "tensor(int16)": "int16",
    "tensor(uint8)": "uint8",
    "tensor(uint16)": "uint16",
    "tensor(uint32)": "uint32",
    "tensor(uint64)": "uint64",
}


def open_graph(
    card: ModelCard,
    graph: Graph,
    providers: Sequence[Provider] = (CPU,),
) -> Any:
    """Return ONNX Runtime's session of a package's graph.

    Args:
        card: of the package.
        graph: which has been looked through.
        providers: what computes it, the one that takes most first.

    Raises:
        ModelError: ONNX Runtime does not take the graph, or it is another than the card says, or
            something else would compute it.
    """
    session = make_session(graph.content, graph.data, graph.path, providers)
    check_tensors(graph.path, card, session)
    return session


def make_session(
    content: bytes,
    data: Mapping[str, bytes],
    path: str,
    providers: Sequence[Provider] = (CPU,),
) -> Any:
    """Return ONNX Runtime's session of a graph that has been looked through.

    Args:
        content: of the graph's file.
        data: of the files with its other numbers, by name.
        path: of the graph, for messages.
        providers: what computes it, the one that takes most first.

    Raises:
        ModelError: ONNX Runtime does not take it, or computes it with something else.
    """
    # Half a second of start-up, for packages with a graph alone.
    import onnxruntime

    # It would warn, and go on without them.
    refuse_absent(providers, onnxruntime.get_available_providers(), path)
    with_options = [(provider.name, dict(provider.options)) for provider in providers]
    try:
        session = start_session(content, data, with_options)
    except Exception as error:  # the library's classes come of its compiled module
        raise ModelError(f"{path}: ONNX Runtime does not take it: {shorten(error)}") from error
    refuse_others(providers, session.get_providers(), path)
    return session


def check_tensors(path: str, card: ModelCard, session: Any) -> None:
    """Refuse a graph that takes or gives other things than the card says.

    Args:
        path: of the graph, for messages.
        card: of the package that it is of.
        session: as `make_session` returns it.

    Raises:
        ModelError: it does.
    """
    wanted = {}
    for name, tensor in card.inputs.items():
        wanted[name] = tensor.dtype
    taken = {}
    for found in session.get_inputs():
        # Of a type that cards do not have, its own word.
        taken[found.name] = DTYPES.get(found.type, found.type)
    if taken != wanted:
        raise ModelError(f"{path}: the graph takes {taken}, and the card says {wanted}")
    given = {}
    for found in session.get_outputs():
        given[found.name] = DTYPES.get(found.type)
    for name in card.outputs:
        if given.get(name) is None:
            raise ModelError(
                f"{path}: the graph gives no numbers {name!r}, which the card says; it gives {given}"
            )
