"""OpenVINO on a CPU: a package's ONNX graph in float32, bfloat16, or 8-bit integers.

Each mini-batch is computed by one thread, so a score does not depend on how many share the machine.
The graph is read and looked through as bytes, so no name in it opens a file.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from importlib.metadata import version
from typing import Any

import torch

from configs.errors import ModelError
from model_zoo.engines import openvino_int8
from model_zoo.engines.engine import Network, Sample
from model_zoo.engines.failures import start_library
from model_zoo.engines.graph_settings import calibrate_graph, list_dtypes, refine_nothing
from model_zoo.engines.graph_trial import try_graph
from model_zoo.engines.machine import adds_bytes_without_overflow, cores, instructions
from model_zoo.engines.openvino_graph import OpenVinoGraph
from model_zoo.engines.openvino_guards import guard_rows
from model_zoo.engines.openvino_inputs import choose_guard
from model_zoo.engines.openvino_library import import_openvino, is_out_of_memory, shorten
from model_zoo.engines.openvino_model import read_model
from model_zoo.engines.quantisation import CALIBRATION_ROWS, can_quantise, quantise
from model_zoo.engines.quantised_graph import read_quantised
from model_zoo.engines.settings import DType, Settings
from model_zoo.engines.whole_graph import read_whole_graph
from model_zoo.package.card import ModelCard
from model_zoo.package.packed_model import PackedModel

_DEVICE = "CPU"
_TRIAL = "model_zoo.engines.child.openvino_trial"
_PRECISION = "INFERENCE_PRECISION_HINT"
_GROUP = "DYNAMIC_QUANTIZATION_GROUP_SIZE"
# In which it computes what a graph has in floating point. What is left of a graph with measured scales
# is float32: next to products of bytes, bfloat16 is no faster.
_PRECISIONS: dict[DType, str] = {"float32": "f32", "bfloat16": "bf16", "int8": "f32"}
# Without one of them bfloat16 is float32 that is rounded, and slower than float32.
_BFLOAT16 = frozenset({"avx512_bf16", "amx_bf16", "bf16"})


class OpenVinoEngine:
    """OpenVINO, which computes packages that hold an ONNX graph."""

    name = "openvino"
    libraries = ("onnx", "openvino")
    extra = "openvino"
    device_types = ("cpu",)

    def reads(self, card: ModelCard) -> str | None:
        """Return the file of the graph."""
        return None if card.onnx is None else card.onnx.model

    def load(
        self,
        package: PackedModel,
        device: torch.device,
        threads: int,
        settings: Settings,
    ) -> Network:
        """Load the graph, as `Engine.load`; every thread that calls it computes on its own."""
        _refuse_other_settings(package.url, device, settings)
        # First: the trial would blame the graph for a library that does not start.
        openvino = start_library(self.name, self.extra, import_openvino)
        is_int8 = settings.dtype == "int8"
        read = read_quantised(settings) if is_int8 else read_whole_graph(package)
        group = openvino_int8.find_group(read.content) if is_int8 else 0
        properties = _choose_properties(settings, group)
        told = {"properties": properties}
        try_graph(package, read, _TRIAL, told, self.describe_version())
        core = openvino.Core()
        model = read_model(core, package.card, read.path, read.content)
        # Before the guards are added, which are operators, too.
        protect = choose_guard(model)
        flags = guard_rows(openvino.opset13, model)
        if group:
            openvino_int8.guard_products(openvino.opset13, model)
            flags = (*flags, openvino_int8.LOST)
        graph = OpenVinoGraph(
            model=model,
            make_code=partial(_make_code, core, properties, package.url),
            outputs=package.card.outputs,
            has_free_shapes=_has_free_shapes(package.card),
            flags=flags,
        )
        return Network(compute=protect(graph), dtype=None, layout=torch.contiguous_format)

    def describe_version(self) -> str:
        """Return OpenVINO's version."""
        return f"openvino {version('openvino')}"

    def is_out_of_memory(self, error: Exception) -> bool:
        """Tell whether fewer rows may fit."""
        return is_out_of_memory(error)

    def list_settings(
        self,
        card: ModelCard,
        device: torch.device,
        batch_rows: int,
        without: Sequence[str],
    ) -> Iterator[Settings]:
        """Return the dtypes that the processor computes fast, as `Engine.list_settings`."""
        dtypes: list[DType] = []
        is_on_cpu = device.type == "cpu"
        if is_on_cpu and has_bfloat16():
            dtypes.append("bfloat16")
        # Older processors lose what the sums of two products of bytes have beyond 16 bits.
        if is_on_cpu and adds_bytes_without_overflow() and _can_quantise(card):
            dtypes.append("int8")
        return list_dtypes(self.name, dtypes, batch_rows, without)

    def list_refinements(
        self, card: ModelCard, fastest: Sequence[Settings], without: Sequence[str]
    ) -> Iterator[Settings]:
        """Return nothing, as `refine_nothing`."""
        return refine_nothing()

    def calibrate(
        self,
        package: PackedModel,
        settings: Settings,
        sample: Sample,
    ) -> Settings:
        """Quantise the graph of int8, as `Engine.calibrate`."""
        if _rounds_while_computing(package.card):
            rows = openvino_int8.CALIBRATION_ROWS
            make = partial(openvino_int8.quantise_weights, package)
        else:
            rows = CALIBRATION_ROWS
            make = partial(quantise, package)
        return calibrate_graph(settings, sample, rows, make)


def has_bfloat16() -> bool:
    """Tell whether the processor computes in bfloat16."""
    return not _BFLOAT16.isdisjoint(instructions())


def _rounds_while_computing(card: ModelCard) -> bool:
    """Tell whether int8 of a model rounds what flows by its size in that row, and not by measured scales."""
    # Encoders of texts have features of a hundred times the others': with scales for all rows the cosine
    # to float32 is 0.98, and so 0.999.
    return card.mask is not None


def _can_quantise(card: ModelCard) -> bool:
    if _rounds_while_computing(card):
        return openvino_int8.can_quantise()
    return can_quantise()


def _refuse_other_settings(url: str, device: torch.device, settings: Settings) -> None:
    if device.type != "cpu":
        raise ModelError(
            f"{url}: its graph is computed by OpenVINO on a CPU here, and not on {device.type}; "
            "set model.device to cpu"
        )
    graph = settings.graph if settings.dtype == "int8" else None
    plain = Settings(settings.batch_rows, settings.dtype, engine=settings.engine, graph=graph)
    if settings.dtype not in _PRECISIONS or settings != plain:
        raise ModelError(
            f"{url}: OpenVINO computes in float32, bfloat16 or int8, and not in {settings}; "
            "set model.dtype to one of them"
        )
    if settings.dtype == "bfloat16" and not has_bfloat16():
        raise ModelError(
            f"{url}: this processor has no instructions for bfloat16; set model.dtype to float32"
        )


def _has_free_shapes(card: ModelCard) -> bool:
    """Tell whether mini-batches come in many shapes: of texts they are cut to the longest."""
    return card.mask is not None or card.graph is not None


def _choose_properties(settings: Settings, group: int) -> dict[str, Any]:
    """Return what OpenVINO is told, all of it: its defaults are made for one user and a deadline.

    Args:
        settings: how it computes.
        group: so many numbers of a row are rounded to 8 bits together; 0 for none.
    """
    threads = cores()
    precision = _PRECISIONS[settings.dtype]
    # What is left of such a graph takes a third of the time, and is as exact as its products.
    if group and has_bfloat16():
        precision = _PRECISIONS["bfloat16"]
    return {
        # Its default is bfloat16, wherever the processor has that.
        _PRECISION: precision,
        # A thread for each mini-batch, and never two for one: those would add in another order. As
        # many as there are cores, since threads that score may share one network.
        "NUM_STREAMS": threads,
        "INFERENCE_NUM_THREADS": threads,
        "ENABLE_HYPER_THREADING": True,
        # Another process on this machine would pin its threads to the same cores.
        "ENABLE_CPU_PINNING": False,
        # It would round inputs of linear layers to 8 bits, row by row, wherever weights are packed.
        _GROUP: group,
    }


def _make_code(
    core: Any,
    properties: Mapping[str, Any],
    url: str,
    model: Any,
) -> Any:
    """Return machine code of a model, as it was asked for and not otherwise."""
    try:
        compiled = core.compile_model(model, _DEVICE, properties)
    except Exception as error:  # the library's classes come of its compiled module
        # With its shapes a model takes the memory of what it computes in between, too.
        if is_out_of_memory(error):
            raise
        raise ModelError(f"{url}: OpenVINO cannot compile its graph: {shorten(error)}") from error
    precision = compiled.get_property(_PRECISION).get_type_name()
    # It computes in another one in silence where the processor has not what was asked for.
    if precision != properties[_PRECISION]:
        raise ModelError(
            f"{url}: OpenVINO computes in {precision} in place of {properties[_PRECISION]}"
        )
    return compiled
