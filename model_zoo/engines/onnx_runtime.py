"""ONNX Runtime: graphs that were exported beside a network, or that other libraries have written, and trees.

On a CPU each thread that scores computes its mini-batch alone in one session that all share.

On CUDA the tensors of a mini-batch stay where they are; that CUDAExecutionProvider takes the graph,
and gives torch's scores, `make gpu-check` shows. What its error of memory says no GPU has shown yet.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

from configs.errors import ModelError
from model_zoo.engines.engine import Network, Sample
from model_zoo.engines.failures import start_library
from model_zoo.engines.graph_settings import calibrate_graph, list_dtypes, refine_nothing
from model_zoo.engines.graph_trial import try_graph
from model_zoo.engines.machine import adds_bytes_without_overflow
from model_zoo.engines.nan_guard import Limit, NanGuard
from model_zoo.engines.onnx_calls import make_graph, make_graph_on
from model_zoo.engines.onnx_int8 import quantise_graph
from model_zoo.engines.onnx_library import is_out_of_memory
from model_zoo.engines.onnx_nan import used_inputs, watch_nan
from model_zoo.engines.onnx_providers import choose_providers
from model_zoo.engines.onnx_session import open_graph
from model_zoo.engines.quantised_graph import read_quantised
from model_zoo.engines.settings import DType, Settings
from model_zoo.engines.whole_graph import read_graph
from model_zoo.package.card import ModelCard
from model_zoo.package.packed_model import PackedModel

_TRIAL = "model_zoo.engines.child.onnx_trial"
# The library under the names of its releases: the second one has CUDA, too.
_RELEASES = ("onnxruntime", "onnxruntime-gpu")
# Of them the least and the largest numbers are taken.
_CALIBRATION_ROWS = 256


class OnnxRuntimeEngine:
    """ONNX Runtime, which computes packages that hold a graph."""

    name = "onnxruntime"
    libraries = ("onnx", "onnxruntime")
    extra = "onnx"
    device_types = ("cpu", "cuda")

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
        is_int8 = settings.dtype == "int8"
        graph = read_quantised(settings) if is_int8 else read_graph(package)
        start_library(self.name, self.extra, _import_library)
        # The process of a trial has no GPU, and a CPU may lack what a graph for one asks for.
        watched = watch_nan(graph)
        if device.type == "cpu":
            # Operators for a CPU lose it; a GPU has its own ones.
            graph = watched.graph
            try_graph(package, graph, _TRIAL, {}, self.describe_version())
        session = open_graph(package.card, graph, choose_providers(device))
        network = make_network(package, device, session, watched.flags)
        limits = watched.limits
        if is_int8:
            # An integer cannot be NaN: a row with NaN would be given a score.
            limits = dict.fromkeys(used_inputs(graph), Limit())
        if not limits:
            return network
        return replace(network, compute=NanGuard(network.compute, limits))

    def describe_version(self) -> str:
        """Return ONNX Runtime's version."""
        return f"onnxruntime {find_version()}"

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
        """Return int8, where the processor computes it; else the graph says how it is computed."""
        is_fast = device.type == "cpu" and adds_bytes_without_overflow()
        dtypes: tuple[DType, ...] = ("int8",) if is_fast else ()
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
        """Make a graph of int8, as `Engine.calibrate`."""
        quantise = partial(quantise_graph, package)
        return calibrate_graph(settings, sample, _CALIBRATION_ROWS, quantise)


def _import_library() -> None:
    # Half a second of start-up, for packages with a graph alone.
    import_module("onnxruntime")


def _refuse_other_settings(url: str, device: torch.device, settings: Settings) -> None:
    is_int8 = settings.dtype == "int8"
    plain = Settings(settings.batch_rows, settings.dtype, engine=settings.engine)
    is_plain = replace(settings, graph=None) == plain
    if not is_plain or settings.dtype not in ("float32", "int8"):
        raise ModelError(
            f"{url}: an ONNX graph has its own types, and is not computed in {settings}; "
            "set model.dtype to float32, which leaves them as they are"
        )
    if is_int8 and device.type != "cpu":
        raise ModelError(
            f"{url}: an ONNX graph is computed in int8 on a CPU, and not on {device.type}; "
            "set model.dtype to float32"
        )


def make_network(
    package: PackedModel,
    device: torch.device,
    session: Any,
    flags: Sequence[str] = (),
) -> Network:
    """Return a session of a package's graph as the network that scores.

    Args:
        package: whose card says what it takes and gives.
        device: where the session computes.
        session: as `open_graph` returns it.
        flags: names of outputs that say on a CPU that a row's numbers are lost.
    """
    shapes = {}
    for name, tensor in package.card.outputs.items():
        shapes[name] = tensor.shape
    compute: Any
    if device.type == "cpu":
        compute = make_graph(session, shapes, flags)
    else:
        compute = make_graph_on(device, session, shapes)
    provider, *_ = session.get_providers()
    return Network(
        compute=compute,
        dtype=None,
        layout=torch.contiguous_format,
        provider=provider,
    )


def find_version() -> str:
    """Return the version of ONNX Runtime that is installed; nothing where it says none."""
    for name in _RELEASES:
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return ""
