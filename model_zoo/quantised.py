"""Networks with 8-bit integers, by torch's FX graph mode quantisation (Jacob et al., 2018) on the x86 engine.

The scales of `int8` are measured once on a sample (`measured_scales`), kept with the settings, and put back wherever the network is
loaded, so that every worker computes the same. Weights get a scale per output channel.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
import warnings

import torch
from torch import nn
from torch.fx import GraphModule

from configs.errors import ModelError
from model_zoo.machine import adds_bytes_without_overflow
from model_zoo.settings import Scale

Inputs = Mapping[str, torch.Tensor]
_ENGINE = "x86"


def measured_scales(network: nn.Module, batches: Iterable[Inputs]) -> tuple[Scale, ...]:
    """Scales for `quantised`, from what flows through the network on some mini-batches.

    Raises:
        ModelError: the network cannot be traced, or nothing in it can be quantised.
    """
    with quantising():
        prepared = None
        with torch.inference_mode():
            for inputs in batches:
                prepared = _prepared(network, inputs) if prepared is None else prepared
                prepared(**inputs)
        if prepared is None:
            raise ModelError("no rows to measure the scales of int8 on")
        return tuple(_scale(place, observer) for place, observer in _observers(prepared))


def quantised(network: nn.Module, example: Inputs, scales: Iterable[Scale]) -> nn.Module:
    """The network in int8, with these scales.

    Raises:
        ModelError: the scales are those of another network.
    """
    from torch.ao.quantization import FixedQParamsObserver
    from torch.ao.quantization.quantize_fx import convert_fx

    given = {scale.place: scale for scale in scales}
    with quantising():
        prepared = _prepared(network, example)
        places = [place for place, _ in _observers(prepared)]
        if sorted(places) != sorted(given):
            raise ModelError("the scales of int8 belong to another network; run pipelines.tune again")
        for place in places:
            s = given[place]
            above, _, name = place.rpartition(".")
            fixed = FixedQParamsObserver(s.scale, s.zero_point, dtype=torch.quint8, quant_min=s.low, quant_max=s.high)  # type: ignore[no-untyped-call]
            setattr(prepared.get_submodule(above), name, fixed)
        result: nn.Module = convert_fx(prepared)
        return result


def _prepared(network: nn.Module, example: Inputs) -> GraphModule:
    from torch.ao.quantization import get_default_qconfig_mapping
    from torch.ao.quantization.quantize_fx import prepare_fx

    try:
        result: GraphModule = prepare_fx(network, get_default_qconfig_mapping(_range()), tuple(example.values()))
    except Exception as error:  # whatever tracing meets in a network that was not written for it
        raise ModelError(f"the network cannot be traced for int8: {type(error).__name__}") from error
    return result


def _range() -> str:
    """Whose defaults to take: all 8 bits where the processor adds products of bytes without overflow, else 7 of them."""
    return "onednn" if adds_bytes_without_overflow() else _ENGINE


def _observers(prepared: nn.Module) -> Iterator[tuple[str, Any]]:
    from torch.ao.quantization import ObserverBase

    for place, module in prepared.named_modules(remove_duplicate=False):
        if isinstance(module, ObserverBase):
            yield place, module


def _scale(place: str, observer: Any) -> Scale:
    scale, zero_point = observer.calculate_qparams()
    return Scale(place, float(scale), int(zero_point), observer.quant_min, observer.quant_max)


@contextmanager
def quantising() -> Iterator[None]:
    """The engine for x86, chosen for the whole process, without torch's advice about a successor of this interface.

    Raises:
        ModelError: torch has no such engine here.
    """
    if _ENGINE not in torch.backends.quantized.supported_engines:
        raise ModelError("int8 needs an x86 processor here; use float32 or bfloat16")
    torch.backends.quantized.engine = _ENGINE
    with warnings.catch_warnings(), _without_stack_traces():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def _without_stack_traces() -> Iterator[None]:
    """Does not note where each step of a traced network stands in the source: for that torch would import its compiler, two seconds."""
    before, torch.fx.config.do_not_emit_stack_traces = torch.fx.config.do_not_emit_stack_traces, True
    try:
        yield
    finally:
        torch.fx.config.do_not_emit_stack_traces = before
