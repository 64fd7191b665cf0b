"""A package's ONNX graph as a session of ONNX Runtime, once it is known to be nothing but data.

The graph is read and looked through as bytes, so no name in it opens a file. One session serves all
threads; each computes its mini-batch alone, as torch's do, so a score does not depend on how many
share the machine.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from configs.errors import ModelError
from model_zoo.engines.onnx_providers import CPU, Provider, refuse_absent, refuse_others
from model_zoo.package.card import ModelCard
from model_zoo.package.onnx_graph import parse_graph
from model_zoo.package.packed_model import PackedModel

# Only what ends the process is written to stderr; errors are raised, and told once.
_FATAL = 4
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
# The library's messages may hold a whole graph.
_SHOWN_CHARACTERS = 300


def open_session(package: PackedModel, providers: Sequence[Provider] = (CPU,)) -> Any:
    """Return ONNX Runtime's session of a package's graph.

    Args:
        package: checked, of a card that lists a graph.
        providers: what computes it.

    Raises:
        ModelError: the package holds no graph that is nothing but data, or another than its card
            says; or something else would compute it.
    """
    card = package.card
    files = card.onnx
    if files is None:
        raise ModelError(f"{package.url}: holds no ONNX graph; pack the model again with one")
    path = f"{package.url}/{files.model}"
    content = package.read_file(files.model)
    data = {}
    for name in files.data:
        data[name] = package.read_file(name)
    session = open_graph(content, data, path, providers)
    check_tensors(path, card, session)
    return session


def open_graph(
    content: bytes,
    data: Mapping[str, bytes],
    path: str,
    providers: Sequence[Provider] = (CPU,),
) -> Any:
    """Return ONNX Runtime's session of a graph that anybody may have written.

    Args:
        content: of the graph's file.
        data: of the files with its other numbers, by name.
        path: of the graph, for messages.
        providers: what computes it.

    Raises:
        ModelError: it is something else than data, or ONNX Runtime does not take it.
    """
    sizes = {}
    for name, numbers in data.items():
        sizes[name] = len(numbers)
    try:
        parse_graph(content, sizes)
    except ValueError as error:
        raise ModelError(f"{path}: {error}; pack the model again with pipelines.package") from error
    return make_session(content, data, path, providers)


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
    options = _make_options(onnxruntime)
    if data:
        names, values = list(data), list(data.values())
        sizes = [len(value) for value in values]
        options.add_external_initializers_from_files_in_memory(names, values, sizes)
    with_options = [(provider.name, dict(provider.options)) for provider in providers]
    try:
        session = onnxruntime.InferenceSession(content, options, providers=with_options)
    except Exception as error:  # the library's classes come of its compiled module
        words = str(error).split()
        reason = " ".join(words)[:_SHOWN_CHARACTERS]
        raise ModelError(f"{path}: ONNX Runtime does not take it: {reason}") from error
    refuse_others(providers, session.get_providers(), path)
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
