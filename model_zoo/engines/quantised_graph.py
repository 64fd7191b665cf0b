"""Keep and read graphs in 8-bit integers, which tuning makes on rows of a job.

    calibrate -> this process's memory -> a file beside the tuning report -> every worker

What is read is data from outside, as a package's graph is: it is compared with its digest, looked
through, and held to the card.
"""

import hashlib

from configs.errors import ModelError
from model_zoo.engines.checked_graph import Graph
from model_zoo.engines.settings import QuantisedGraph, Settings
from model_zoo.package.onnx_graph import list_kinds, parse_graph
from storage import files

# Until it is known which settings win, no file is left on any disk.
_MEMORY = "memory://quantised"


def keep_in_memory(content: bytes) -> QuantisedGraph:
    """Keep a graph for as long as this process lives, and return where."""
    digest = hashlib.sha256(content).hexdigest()
    url = f"{_MEMORY}/{digest}.onnx"
    files.replace(url, content)
    return QuantisedGraph(url=url, sha256=digest, bytes=len(content))


def read_quantised(settings: Settings) -> Graph:
    """Return the graph of int8 settings, once it is known to be data.

    Raises:
        ModelError: they name none, it is gone or another one, or it could do more than compute.
    """
    graph = settings.graph
    if graph is None:
        raise ModelError(
            f"{settings} needs a graph that was quantised on rows of the job; "
            "set model.dtype to auto, and run pipelines.tune"
        )
    content = read_content(graph)
    try:
        parsed = parse_graph(content, {})
    except ValueError as error:
        raise ModelError(f"{graph.url}: {error}; run pipelines.tune again") from error
    return Graph(graph.url, content, {}, list_kinds(parsed))


def read_content(graph: QuantisedGraph) -> bytes:
    """Return the content of a quantised graph's file.

    Raises:
        ModelError: it cannot be read, or is not what was tuned.
    """
    try:
        content = files.read(graph.url)
    except (OSError, ImportError, ValueError) as error:
        raise ModelError(f"{graph.url}: cannot be read: {error}; mend its place") from error
    if content is None:
        raise ModelError(
            f"{graph.url}: the graph that the tuning report names is gone; "
            "put it back, or run pipelines.tune again"
        )
    digest = hashlib.sha256(content).hexdigest()
    if digest != graph.sha256:
        raise ModelError(
            f"{graph.url}: is not the graph that the tuning report names; run pipelines.tune again"
        )
    return content
