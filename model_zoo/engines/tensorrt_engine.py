"""TensorRT, by ONNX Runtime's provider of it: a package's graph as a plan made for one GPU.

A plan takes minutes to make, and is kept in a folder that nobody else may read or write, because
whoever loads a plan runs it. Its name says of which graph, settings, GPU and versions it is, so that
no other is taken for it. Mini-batches have 1 to `batch_rows` rows; texts, whose mini-batches come in
many shapes, are refused.

On a GPU the provider was seen to take these options, and to keep float32 whole (`NVIDIA_TF32_OVERRIDE`,
which the library reads once); a whole plan was not made yet, for want of a TensorRT for that GPU. What
is left for `make gpu-check` to show: that a plan is found again by its prefix, how fast it is, and which
nodes of a graph are left to CUDA. What is computed in another order from plan to plan is why scores
are not exact.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
import ctypes
from dataclasses import replace
import fcntl
import hashlib
from importlib.metadata import PackageNotFoundError, version
import json
import os
from pathlib import Path

import torch

from configs.errors import ModelError
from model_zoo.engines.engine import Network
from model_zoo.engines.onnx_library import is_out_of_memory
from model_zoo.engines.onnx_providers import CPU, Provider, make_cuda
from model_zoo.engines.onnx_runtime import find_version, make_network
from model_zoo.engines.onnx_session import open_graph
from model_zoo.engines.settings import DType, Settings
from model_zoo.engines.untuned import Untuned
from model_zoo.engines.whole_graph import read_graph
from model_zoo.package.cache import private_folder
from model_zoo.package.card import ModelCard
from model_zoo.package.packed_model import PackedModel

_FOLDER = "tensorrt-plans"
_NAME_CHARACTERS = 32
# Under which names pip may have brought it; else the system has it.
_RELEASES = ("tensorrt", "tensorrt-cu12", "tensorrt-cu13", "tensorrt-cu11")
_LIBRARIES = ("libnvinfer.so.11", "libnvinfer.so.10", "libnvinfer.so")
# float32 is what a plan computes in that is told nothing.
_PRECISIONS: dict[DType, Mapping[str, str]] = {
    "float32": {},
    "float16": {"trt_fp16_enable": "True"},
    "bfloat16": {"trt_bf16_enable": "True"},
}
# Units that read 10 bits of a float32's 23; there is no option of the provider's for them.
_TF32 = "NVIDIA_TF32_OVERRIDE"


class TensorRtEngine(Untuned):
    """TensorRT, which computes packages that hold a graph on GPUs of NVIDIA."""

    name = "tensorrt"
    libraries = ("onnx", "onnxruntime")
    extra = "onnx"
    device_types = ("cuda",)

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
        """Load the graph, as `Engine.load`, and make its plan where none is kept."""
        _refuse_unfit(package, device, settings)
        tensorrt = find_tensorrt_version()
        if tensorrt is None:
            raise ModelError(
                f"{package.url}: engine tensorrt needs TensorRT, which is not installed here; "
                "install tensorrt and onnxruntime-gpu where workers run, or set model.engine to "
                "onnxruntime"
            )
        # Before its libraries are loaded, which read it once.
        os.environ[_TF32] = "0"
        folder = private_folder(_FOLDER)
        if folder is None:
            raise ModelError(
                f"plans of TensorRT cannot be kept: {_FOLDER}-<user> in the temporary folder is not "
                "this user's alone; remove it"
            )
        prefix = _name_plan(package, device, settings, tensorrt)
        options = make_options(package.card, device, settings, folder, prefix)
        provider = Provider("TensorrtExecutionProvider", options)
        # What TensorRT does not take is left to CUDA, which is another part of the same GPU.
        providers = (provider, make_cuda(device), CPU)
        graph = read_graph(package)
        with _one_at_a_time(folder):
            session = open_graph(package.card, graph, providers)
        network = make_network(package, device, session)
        return replace(network, is_exact=False)

    def describe_version(self) -> str:
        """Return versions of TensorRT and of ONNX Runtime, which calls it."""
        found = find_tensorrt_version() or "not installed"
        return f"tensorrt {found}, onnxruntime {find_version()}"

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
        """Yield the other dtypes, on the only devices that it computes on."""
        if device.type != "cuda":
            return
        for dtype in _PRECISIONS:
            settings = Settings(batch_rows, dtype, engine=self.name)
            if dtype not in without and not settings.is_reference:
                yield settings


def find_tensorrt_version() -> str | None:
    """Return the version of TensorRT that is installed here; None where there is none."""
    for name in _RELEASES:
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    # Opened and not looked for: that would start a compiler.
    for library in _LIBRARIES:
        try:
            loaded = ctypes.CDLL(library)
        except OSError:
            continue
        # 10900 of 10.9.0, for example.
        return str(loaded.getInferLibVersion())
    return None


def make_options(
    card: ModelCard,
    device: torch.device,
    settings: Settings,
    folder: Path,
    prefix: str,
) -> dict[str, str]:
    """Return what the provider is told.

    Args:
        card: what the model takes.
        device: a CUDA device.
        settings: decide the precision, and how many rows a mini-batch has.
        folder: where plans are kept.
        prefix: of this plan's file.
    """
    return {
        "device_id": str(device.index or 0),
        "trt_engine_cache_enable": "True",
        "trt_engine_cache_path": str(folder),
        "trt_engine_cache_prefix": prefix,
        # How fast kernels are that were measured for another plan.
        "trt_timing_cache_enable": "True",
        "trt_timing_cache_path": str(folder),
        # Without them a plan is made anew whenever a mini-batch has another number of rows.
        "trt_profile_min_shapes": _list_shapes(card, 1),
        "trt_profile_opt_shapes": _list_shapes(card, settings.batch_rows),
        "trt_profile_max_shapes": _list_shapes(card, settings.batch_rows),
        **_PRECISIONS[settings.dtype],
    }


def _refuse_unfit(
    package: PackedModel,
    device: torch.device,
    settings: Settings,
) -> None:
    """Refuse what TensorRT does not compute."""
    url = package.url
    if device.type != "cuda":
        raise ModelError(
            f"{url}: engine tensorrt computes on a GPU, and not on {device.type}; set model.device "
            "to cuda, or model.engine to onnxruntime"
        )
    if package.card.mask is not None:
        raise ModelError(
            f"{url}: engine tensorrt would make a plan for each length of text; set model.engine to "
            "onnxruntime or torch"
        )
    plain = Settings(settings.batch_rows, settings.dtype, engine=settings.engine)
    if settings.dtype not in _PRECISIONS or settings != plain:
        raise ModelError(
            f"{url}: engine tensorrt computes in {', '.join(_PRECISIONS)}, and not in {settings}; "
            "set model.dtype to one of them"
        )


def _name_plan(
    package: PackedModel,
    device: torch.device,
    settings: Settings,
    tensorrt: str,
) -> str:
    """Return the beginning of the plan's file name: what else decides a plan decides it."""
    known = {
        # By what is computed: packages of one graph share it.
        "graph": [package.card.files[name].sha256 for name in _list_files(package.card)],
        "settings": settings.as_dict(),
        "gpu": torch.cuda.get_device_name(device),
        "tensorrt": tensorrt,
        "onnxruntime": find_version(),
    }
    text = json.dumps(known, sort_keys=True)
    digest = hashlib.sha256(text.encode())
    return digest.hexdigest()[:_NAME_CHARACTERS]


def _list_files(card: ModelCard) -> tuple[str, ...]:
    if card.onnx is None:
        return ()
    return (card.onnx.model, *card.onnx.data)


def _list_shapes(card: ModelCard, rows: int) -> str:
    """Return the shape of each input for so many rows, in the provider's words."""
    shapes = []
    for name, tensor in card.inputs.items():
        sizes = [str(size) for size in (rows, *tensor.shape)]
        shape = "x".join(sizes)
        shapes.append(f"{name}:{shape}")
    return ",".join(shapes)


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Wait for other workers of this machine that make a plan, of which half may be written."""
    number = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(number, fcntl.LOCK_EX)
        yield
    finally:
        # Lets go of it, too.
        os.close(number)
