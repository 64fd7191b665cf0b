"""Let a graph compute in a process of its own before it does in the worker's.

Some graphs end their process, fill its memory, or never end, and a worker would be lost without a
word. So each is loaded and computed on the smoke batch by a child first; what is lost with that is one
line. A machine remembers what has passed, as a run each night has the same graph.
"""

from collections.abc import Mapping
from contextlib import suppress
import hashlib
import json
import platform
from typing import Any

from configs.errors import ModelError
from model_zoo.arrays import Arrays
from model_zoo.engines.checked_graph import Graph
from model_zoo.engines.child.process import ChildError, start_child
from model_zoo.engines.machine import instructions
from model_zoo.package import cache
from model_zoo.package.packed_model import PackedModel
from model_zoo.tensor_columns import from_column

# As many as most packages have; a child has less memory than a worker.
_MOST_ROWS = 8
# To compile it and to compute those rows; a loop in a graph may have no end.
_MOST_SECONDS = 300.0
_FIX = "pack the model again with pipelines.package"
# Who has passed in this process, as `_name_trial` says it: tuning loads a graph many times.
_passed: set[str] = set()
# Who has passed on this machine: an empty file for each, which only this user can have made.
_FOLDER = "graph-trials"


def try_graph(
    package: PackedModel,
    graph: Graph,
    module: str,
    told: Mapping[str, Any],
    version: str,
) -> None:
    """Refuse a graph that its library does not survive.

    Args:
        package: whose smoke batch is computed.
        graph: which has been looked through.
        module: of the child, whose `load` reads it.
        told: what the library is told, as plain values.
        version: the library's name and version.

    Raises:
        ModelError: the library does not take it, fails on the smoke batch, takes more memory than
            the child has, does not survive it, or computes it without end.
    """
    trial = _name_trial(package, graph, module, told, version)
    if _has_passed(trial):
        return
    sizes = {graph.path: len(graph.content)}
    for name, numbers in graph.data.items():
        sizes[name] = len(numbers)
    whole = graph.content
    # Without a copy of what is in one piece already.
    if graph.data:
        whole = b"".join((graph.content, *graph.data.values()))
    card = {**told, "sizes": sizes}
    child = start_child(module, whole, card, threads=1, what=graph.path)
    rows = _read_rows(package)
    if len(rows) < len(package.card.inputs):
        # The check of the smoke batch says what is missing, before anything is computed.
        return
    # Here and now: each of the rows would be tried again alone, in this process.
    try:
        child(rows, most_bytes=0, most_seconds=_MOST_SECONDS)
    except MemoryError as error:
        raise ModelError(
            f"{graph.path}: the package's own smoke batch takes more memory than "
            f"{child.most_bytes >> 20:,} MiB: {error}; look for what it repeats, or {_FIX}"
        ) from error
    except ChildError as error:
        raise ModelError(
            f"{graph.path}: fails on the package's own smoke batch: {error}; {_FIX}"
        ) from error
    _remember(trial)


def _has_passed(trial: str) -> bool:
    return trial in _passed or cache.has_mark(_FOLDER, trial)


def _remember(trial: str) -> None:
    _passed.add(trial)
    cache.leave_mark(_FOLDER, trial)


def _name_trial(
    package: PackedModel,
    graph: Graph,
    module: str,
    told: Mapping[str, Any],
    version: str,
) -> str:
    """Return what a trial is known by: all that decides how it ends."""
    machine = [platform.release(), *instructions()]
    words = json.dumps([package.digest, module, told, version, machine])
    digest = hashlib.sha256(words.encode())
    # The graph's too: one that was quantised is not the package's own.
    for content in (graph.content, *graph.data.values()):
        of_file = hashlib.sha256(content)
        digest.update(of_file.digest())
    return digest.hexdigest()


def _read_rows(package: PackedModel) -> Arrays:
    """Return the inputs of the smoke batch, as far as they are there: its own check tells the rest."""
    arrays: Arrays = {}
    for name, tensor in package.card.inputs.items():
        with suppress(KeyError, ValueError, AttributeError):
            column = package.smoke.column(f"input.{name}").combine_chunks()
            values = from_column(column, tensor.shape)
            arrays[name] = values[:_MOST_ROWS].astype(tensor.dtype)
    return arrays
