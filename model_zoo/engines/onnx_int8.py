"""A package's ONNX graph -> the same graph with 8-bit integers, measured on rows of a sample.

Each tensor gets one scale, from the least and the largest number that it had on the sample; weights
get one per output channel. The scales stand in the graph, so a row's score depends on no other row:
the library's other way, scales measured while it computes, takes them from a whole mini-batch.
Source: Jacob et al. 2018; ONNX Runtime's `quantize_static`.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
import logging
from pathlib import Path
import sys
import tempfile
from typing import Any

from configs.errors import ModelError
from model_zoo.arrays import Arrays
from model_zoo.engines.engine import Inputs
from model_zoo.engines.failures import shorten_failure
from model_zoo.engines.graph_settings import arrange_batches
from model_zoo.engines.machine import adds_bytes_without_overflow
from model_zoo.engines.whole_graph import read_whole_graph
from model_zoo.package.packed_model import PackedModel

# Both are names in a folder of this call alone.
_PLAIN = "plain.onnx"
_QUANTISED = "int8.onnx"


def quantise_graph(package: PackedModel, batches: Iterable[Inputs]) -> bytes:
    """Return a package's graph in int8, as the content of a file.

    Args:
        package: of a card that names a graph.
        batches: one tensor (rows, *shape) per input each.

    Raises:
        ModelError: the graph cannot be quantised, there is no mini-batch, or this processor would
            lose bits of sums of bytes.
    """
    if not adds_bytes_without_overflow():
        raise ModelError(
            "int8 needs a processor that adds products of bytes in 32 bits (VNNI, AMX), as others "
            "lose some; tune with --without int8"
        )
    graph = read_whole_graph(package)
    try:
        with _quiet(), tempfile.TemporaryDirectory(prefix="int8-") as folder:
            return _quantise(graph.content, batches, Path(folder))
    except ModelError:
        raise
    except Exception as error:  # the library's own, of any class
        reason = shorten_failure(error)
        raise ModelError(
            f"the ONNX graph cannot be computed in int8: {reason}; tune with --without int8"
        ) from error


class _Reader:
    """Mini-batches as the library asks for them, one after the other."""

    def __init__(self, batches: Iterator[Arrays]) -> None:
        self._batches = batches

    def get_next(self) -> Arrays | None:
        """Return the arrays of the next mini-batch; None behind the last one."""
        return next(self._batches, None)


def _quantise(content: bytes, batches: Iterable[Inputs], folder: Path) -> bytes:
    import onnx

    quantization = _import_quantization()
    model = onnx.ModelProto.FromString(content)
    plain = folder / _PLAIN
    quantised = folder / _QUANTISED
    plain.write_bytes(content)
    quantization.quantize_static(
        plain,
        quantised,
        _Reader(arrange_batches(model, batches)),
        quant_format=quantization.QuantFormat.QDQ,
        per_channel=True,
        activation_type=quantization.QuantType.QUInt8,
        weight_type=quantization.QuantType.QInt8,
        calibrate_method=quantization.CalibrationMethod.MinMax,
    )
    made = onnx.load(quantised)
    kinds = {node.op_type for node in made.graph.node}
    # Of trees, for example: nothing of them is a sum of products.
    if "QuantizeLinear" not in kinds:
        raise ModelError(
            "the ONNX graph has no layer that is computed in int8; tune with --without int8"
        )
    _leave_scores_whole(made.graph)
    # Names and versions of what wrote it, which say nothing of how it computes.
    del made.metadata_props[:]
    whole: bytes = made.SerializeToString(deterministic=True)
    return whole


def _import_quantization() -> Any:
    """Return the library's module, without the folder that it puts on the import path."""
    before = list(sys.path)
    try:
        return import_module("onnxruntime.quantization")
    finally:
        # A folder of its own with names like `optimizer` and `models`, which a user's module may have.
        sys.path[:] = before


def _leave_scores_whole(graph: Any) -> None:
    """Take the rounding to 8 bits off what the graph gives.

    Scores would have 256 values, and none beyond those of the sample; nothing is won by it.

    Args:
        graph: `onnx.GraphProto`, changed in place.
    """
    makers = {}
    takers: dict[str, list[Any]] = {}
    for node in graph.node:
        for name in node.output:
            makers[name] = node
        for name in node.input:
            takers.setdefault(name, []).append(node)
    for output in graph.output:
        widen = makers.get(output.name)
        if widen is None or widen.op_type != "DequantizeLinear":
            continue
        in_bytes = widen.input[0]
        narrow = makers.get(in_bytes)
        # What other layers take of it stays as it is.
        is_last = output.name not in takers and takers[in_bytes] == [widen]
        if narrow is None or not is_last:
            continue
        in_floats = narrow.input[0]
        maker = makers.get(in_floats)
        if maker is None or takers[in_floats] != [narrow]:
            continue
        places = list(maker.output)
        place = places.index(in_floats)
        places[place] = output.name
        maker.output[:] = places
        graph.node.remove(narrow)
        graph.node.remove(widen)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the library from writing advice on how graphs are better prepared."""
    root = logging.getLogger()
    before = root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
