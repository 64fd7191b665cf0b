"""Let a graph compute in a process of its own before it does in the worker's.

Some graphs end their process, or fill its memory, and a worker would be lost without a word. So each
is read, compiled and computed on the smoke batch by a child first; what is lost with that is one line.
"""

from collections.abc import Mapping
from contextlib import suppress
import hashlib
from typing import Any

from configs.errors import ModelError
from model_zoo.arrays import Arrays
from model_zoo.engines.child.process import ChildError, start_child
from model_zoo.package.packed_model import PackedModel
from model_zoo.tensor_columns import from_column

_MODULE = "model_zoo.engines.child.openvino_trial"
# As many as most packages have; a child has less memory than a worker.
_MOST_ROWS = 8
# To compile it and to compute those rows; a loop in a graph may have no end.
_MOST_SECONDS = 300.0
# Digests of the graphs that their trial has passed in this process: tuning loads one many times.
_passed: set[str] = set()


def try_in_child(
    package: PackedModel,
    path: str,
    content: bytes,
    properties: Mapping[str, Any],
) -> None:
    """Refuse a graph that OpenVINO does not survive.

    Args:
        package: whose smoke batch is computed.
        path: of the graph, for messages.
        content: of the graph, which has been looked through.
        properties: what OpenVINO is told.

    Raises:
        ModelError: OpenVINO does not take it, fails on the smoke batch, does not survive it, or
            computes it without end.
    """
    digest = hashlib.sha256(content).hexdigest()
    if digest in _passed:
        return
    told = {"properties": dict(properties)}
    child = start_child(_MODULE, content, told, threads=1, what=path)
    try:
        child(_read_rows(package), most_bytes=0, most_seconds=_MOST_SECONDS)
    # Here and now: each of the rows would be tried again alone, in this process.
    except (ChildError, MemoryError) as error:
        raise ModelError(f"{path}: fails on the package's own smoke batch: {error}") from error
    _passed.add(digest)


def _read_rows(package: PackedModel) -> Arrays:
    """Return the inputs of the smoke batch, as far as they are there: its own check tells the rest."""
    arrays: Arrays = {}
    for name, tensor in package.card.inputs.items():
        with suppress(KeyError, ValueError, AttributeError):
            column = package.smoke.column(f"input.{name}").combine_chunks()
            values = from_column(column, tensor.shape)
            arrays[name] = values[:_MOST_ROWS].astype(tensor.dtype)
    return arrays
