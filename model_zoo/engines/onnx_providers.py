"""Which parts of ONNX Runtime (it calls them execution providers) compute on a device, and what they are told.

What was asked for is what computes. The library itself takes the CPU in silence where it does not
have what it is asked for, so it is asked what it has first, and what it took afterwards.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch

from configs.errors import ModelError
from model_zoo.engines.onnx_library import CPU_NAME

_HOW_TO_INSTALL = (
    "install onnxruntime-gpu in place of onnxruntime where workers run (and TensorRT for engine "
    "tensorrt), or set model.device to cpu and model.engine to onnxruntime"
)


@dataclass(frozen=True)
class Provider:
    """A part of ONNX Runtime that computes.

    Attributes:
        name: the library's.
        options: the library's words for how it computes.
    """

    name: str
    options: Mapping[str, str] = field(default_factory=dict)


CPU = Provider(CPU_NAME)


def make_cuda(device: torch.device) -> Provider:
    """Return the part that computes on a CUDA device, in float32 as it was trained."""
    return Provider(
        "CUDAExecutionProvider",
        {
            "device_id": str(device.index or 0),
            # Units that read 10 bits of a float32's 23, and are used unless told otherwise.
            "use_tf32": "0",
            # Measuring which kernel is fastest takes another one from run to run.
            "cudnn_conv_algo_search": "DEFAULT",
        },
    )


def choose_providers(device: torch.device) -> tuple[Provider, ...]:
    """Return the parts that compute on a device, the one that takes most first."""
    if device.type == "cpu":
        return (CPU,)
    # Sizes and shapes are computed on the CPU, wherever the rest is.
    return (make_cuda(device), CPU)


def refuse_absent(
    wanted: Sequence[Provider],
    available: Sequence[str],
    path: str,
) -> None:
    """Refuse to compute with what this ONNX Runtime does not have.

    Args:
        wanted: what is to compute.
        available: names that the library has.
        path: of the graph, for messages.

    Raises:
        ModelError: it does not have all of it.
    """
    absent = [provider.name for provider in wanted if provider.name not in available]
    if absent:
        names = " and ".join(absent)
        has = ", ".join(available)
        raise ModelError(f"{path}: ONNX Runtime has no {names} here, but {has}; {_HOW_TO_INSTALL}")


def refuse_others(wanted: Sequence[Provider], taken: Sequence[str], path: str) -> None:
    """Refuse a session that computes with something else than what was asked for.

    Args:
        wanted: what is to compute.
        taken: names of what the session computes with.
        path: of the graph, for messages.

    Raises:
        ModelError: it does, because a library of the device is missing for example.
    """
    names = [provider.name for provider in wanted]
    if list(taken) == names:
        return
    raise ModelError(
        f"{path}: ONNX Runtime computes with {list(taken)} in place of {names}, some library of "
        f"which does not load here (CUDA, cuDNN, TensorRT); {_HOW_TO_INSTALL}"
    )
