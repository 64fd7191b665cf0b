"""Networks with 8-bit integers, by torch's FX graph mode quantisation (Jacob et al., 2018).

The scales are measured once on a sample (`measure_scales`), kept with the settings, and put back
wherever the network is loaded, so that every worker computes the same. Weights get a scale per
output channel.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from configs.errors import ModelError
from model_zoo.architectures.named_tensors import NamedTensors
from model_zoo.engines import torch_private
from model_zoo.engines.machine import adds_bytes_without_overflow
from model_zoo.engines.settings import Scale
from model_zoo.engines.torch_private import Inputs

_BACKEND = "x86"


def can_quantise() -> bool:
    """Tell whether torch still has what this is built on, and a backend for it here."""
    return torch_private.has_graph_quantisation() and torch_private.has_backend(_BACKEND)


def measure_scales(
    network: nn.Module,
    batches: Iterable[Inputs],
) -> tuple[Scale, ...]:
    """Return scales for `quantise`, from what flows through the network on some mini-batches.

    Args:
        network: in float32 and eval mode.
        batches: one tensor (rows, *shape) per input each.

    Raises:
        ModelError: the network cannot be traced, or there is no mini-batch.
    """
    with quantising():
        prepared: nn.Module | None = None
        with torch.inference_mode():
            for inputs in batches:
                if prepared is None:
                    prepared = _prepare(network, inputs)
                prepared(**inputs)
        if prepared is None:
            raise ModelError("no rows to measure the scales of int8 on")
        scales = []
        for place, observer in torch_private.list_observers(prepared):
            scale = _read_scale(place, observer)
            scales.append(scale)
        return tuple(scales)


def quantise(
    network: nn.Module,
    example: Inputs,
    scales: Sequence[Scale],
) -> nn.Module:
    """Return the network in int8, with these scales.

    Args:
        network: in float32 and eval mode.
        example: a mini-batch.
        scales: as `measure_scales` returns them.

    Raises:
        ModelError: the scales are those of another network.
    """
    with quantising():
        prepared = _prepare(network, example)
        observers = torch_private.list_observers(prepared)
        places = [place for place, _ in observers]
        measured = [scale.place for scale in scales]
        # A place without a scale would be measured on whatever rows come first.
        if sorted(places) != sorted(measured):
            raise ModelError(
                "the scales of int8 belong to another network; run pipelines.tune again"
            )
        for scale in scales:
            torch_private.fix_scale(
                prepared,
                place=scale.place,
                scale=scale.scale,
                zero_point=scale.zero_point,
                bounds=(scale.low, scale.high),
            )
        if isinstance(prepared, NamedTensors):
            traced: Any = prepared.network
            return prepared.wrap(torch_private.convert_int8(traced))
        return torch_private.convert_int8(prepared)


@contextmanager
def quantising() -> Iterator[None]:
    """Quantise in this block with the backend for x86.

    Raises:
        ModelError: torch has no such backend here.
    """
    if not torch_private.has_graph_quantisation():
        raise ModelError(
            "int8 of torch needs torch.ao.quantization, which this version of torch has not any more; "
            "run pipelines.tune again, which then tries int8 of OpenVINO and ONNX Runtime"
        )
    if not torch_private.has_backend(_BACKEND):
        raise ModelError("int8 needs an x86 processor here; use float32 or bfloat16")
    with torch_private.use_backend(_BACKEND):
        yield


def _prepare(network: nn.Module, example: Inputs) -> Any:
    # The author's network alone: what is around it looks at what comes out.
    if isinstance(network, NamedTensors):
        return network.wrap(_prepare(network.network, example))
    # The defaults of onednn use all 8 bits; those of x86 use 7, as older processors add products
    # of bytes in 16 bits, and lose what does not fit.
    defaults = _BACKEND
    if adds_bytes_without_overflow():
        defaults = "onednn"
    try:
        return torch_private.prepare_int8(network, example, defaults)
    except Exception as error:  # whatever tracing meets in a network that was not written for it
        raise ModelError(
            f"the network cannot be traced for int8 ({type(error).__name__}): torch.fx follows no "
            "forward that looks at values or takes any arguments; use float32 or bfloat16"
        ) from error


def _read_scale(place: str, observer: Any) -> Scale:
    scale, zero_point = observer.calculate_qparams()
    # Plain numbers in place of tensors: they are written to a tuning report.
    return Scale(
        place=place,
        scale=float(scale),
        zero_point=int(zero_point),
        low=observer.quant_min,
        high=observer.quant_max,
    )
