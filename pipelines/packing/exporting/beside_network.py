"""The ONNX graph that a package holds beside its network, where it can be had.

The graph is for other engines: what cannot be exported, or scores otherwise, is left out, and its
package is as good as any. So nothing here is a failure of packaging; one line says what came of it.
"""

from concurrent import futures
from contextlib import redirect_stderr
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
import io
import re
import time

from torch import nn

from configs.errors import ModelError, Refusal, crashes_as_errors
from model_zoo.arrays import Arrays
from model_zoo.package.card import ModelCard
from model_zoo.package.onnx_graph import parse_graph
from model_zoo.scoring.daemon_threads import DaemonThreads
from pipelines.packing.converters.graph_files import MODEL, make_files
from pipelines.packing.converters.torch_program import refuse_size, shorten
from pipelines.packing.exporting.network_graph import export_network
from pipelines.packing.libraries import list_versions
from pipelines.packing.proof.proof import prove
from pipelines.packing.writing.content import Content

# What exports a network, and what scores it then.
LIBRARIES = ("onnx", "onnxruntime", "onnxscript")
_ENGINE = "onnxruntime"
# Most networks take seconds; one that takes longer than this is the exporter's own trouble.
EXPORT_SECONDS = 600.0
# What torch means where it speaks of its own insides.
_MEANINGS = {
    "your code specialized it to be a constant": (
        "its code makes a fixed number of how many rows there are, and a graph takes any"
    ),
    "data-dependent": "its code goes one way or another by numbers of its input (data-dependent)",
}
_END_OF_SENTENCE = re.compile(r"[.!] (?=[A-Z])")


@dataclass(frozen=True)
class Original:
    """The network that is exported, and what it gave.

    Attributes:
        network: the author's, in evaluation mode.
        modules: of the author, from which it comes.
        inputs: of the sample, arrays (rows, ...) by name.
        outputs: that the network gave for them.
        tolerance: how far scores of the graph may be from those, as `find_difference` tells it.
    """

    network: nn.Module
    modules: tuple[str, ...]
    inputs: Arrays
    outputs: Arrays
    tolerance: float


@dataclass(frozen=True)
class Beside:
    """What a package holds, and what became of the graph, in words."""

    content: Content
    note: str


def add_graph(content: Content, original: Original) -> Beside:
    """Return the package's content with the graph, if the graph scores as the network does.

    Args:
        content: of the package, with the network alone.
        original: the network.
    """
    began = time.monotonic()
    try:
        _refuse_absent_libraries()
        with_graph = _export_in_time(content, original)
        difference = prove(
            with_graph,
            original.modules,
            original.inputs,
            original.outputs,
            original.tolerance,
            engine=_ENGINE,
        )
    # Torch and onnxscript raise errors of any class, and the package is good without a graph.
    except Exception as error:  # noqa: BLE001
        return Beside(content, f"stays torch's: {_say_reason(error)}")
    seconds = time.monotonic() - began
    note = f"also as ONNX: scores differ by at most {difference:.1g} (exported in {seconds:.0f} s)"
    return Beside(with_graph, note)


def _refuse_absent_libraries() -> None:
    absent = [name for name in LIBRARIES if find_spec(name) is None]
    if absent:
        names = " and ".join(absent)
        raise ModelError(
            f"exporting to ONNX needs {names}, not installed here; "
            "install the extra: pip install '.[onnx]'"
        )


def _export_in_time(content: Content, original: Original) -> Content:
    # On a thread that can be left behind, as an exporter cannot be interrupted.
    threads = DaemonThreads(1, "onnx-export")
    export = partial(_export, content, original)
    exported = threads.submit(export)
    try:
        # Torch prints the whole program that it could not export.
        with redirect_stderr(io.StringIO()):
            return exported.result(timeout=EXPORT_SECONDS)
    except futures.TimeoutError as error:
        raise ModelError(f"exporting took longer than {EXPORT_SECONDS:g} s") from error


def _export(content: Content, original: Original) -> Content:
    # Its files are not described yet, and say nothing of the network.
    card = ModelCard.model_validate({**content.card, "files": {}})
    if card.graph is not None:
        raise ModelError("a network of graphs has edges of any number, and is not exported")
    refuse_size("the network", list(original.network.state_dict().values()))
    with crashes_as_errors():
        model = export_network(original.network, card, original.inputs)
    files = make_files(model)
    sizes = {name: len(numbers) for name, numbers in files.data.items()}
    # As scoring will: what it refuses is found here.
    parse_graph(files.content, sizes)
    fields = {
        **content.card,
        "onnx": {"model": MODEL, "data": list(files.data)},
        "libraries": {**content.card["libraries"], **list_versions(LIBRARIES)},
    }
    contents = {**content.files, MODEL: files.content, **files.data}
    return replace(content, card=fields, files=contents)


def _say_reason(error: BaseException) -> str:
    """Return why there is no graph, as one line."""
    text = shorten(error)
    if isinstance(error, Refusal):
        # What is behind the first `;` of a proof is for a package that would not be written.
        reason, _, advice = text.partition(";")
        return text if "pip install" in advice else reason
    for sign, words in _MEANINGS.items():
        if sign in text:
            return words
    # What follows is advice to whoever develops torch.
    return _END_OF_SENTENCE.split(text)[0]
