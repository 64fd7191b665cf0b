"""Linear layers in 8-bit integers, all else in float32: for Transformers, whose time goes into linear layers.

What flows into a layer is first divided by one factor per feature, and its weights are multiplied by it, so that a few large features
do not use up the 256 steps that all of them share (SmoothQuant: Xiao et al., 2023). Scales and factors are measured once on a sample,
so a row's score does not depend on its neighbours. Some layers bear this worse than others: the least sensitive ones come first.
"""

from collections.abc import Iterable, Mapping, Sequence
import copy
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from configs.errors import ModelError
from model_zoo.machine import adds_bytes_without_overflow
from model_zoo.quantised import quantising
from model_zoo.settings import LinearScale

Inputs = Mapping[str, torch.Tensor]
_STEPS = 255
_WEIGHT_STEPS = 127
_KEPT_ROWS = 512
_SMALLEST = 1e-5
_MIGRATIONS = (0.5, 0.6, 0.7, 0.8, 0.9)  # how much of the large features' size goes over to the weights


def measured_linear_scales(network: nn.Module, batches: Iterable[Inputs]) -> tuple[LinearScale, ...]:
    """Scales for `quantised_linear`, one for each layer that some mini-batches flow through, the least sensitive first.

    A layer's sensitivity is how much the network's outputs for the first mini-batch change when that layer alone is quantised, for
    each of its weights.

    Raises:
        ModelError: the processor is too old, there is no row, or there is no linear layer.
    """
    _refuse_old_processor()
    network = copy.deepcopy(network)
    with quantising(), torch.inference_mode():
        first, seen = _seen(network, batches)
        expected = _outputs(network, first)
        ranked = []
        for place, layer in seen.items():
            scale = min((_scale(place, layer, m) for m in _MIGRATIONS), key=lambda s, layer=layer: _error(layer, s))  # type: ignore[misc]
            _put(network, place, _LinearIn8Bits(layer.linear, scale))
            change = sum(float((a - b).square().sum()) for a, b in zip(_outputs(network, first), expected, strict=True))
            _put(network, place, layer.linear)
            ranked.append((change / layer.linear.weight.numel(), place, scale))
    return tuple(scale for _, _, scale in sorted(ranked, key=lambda r: r[:2]))


def quantised_linear(network: nn.Module, scales: Sequence[LinearScale]) -> nn.Module:
    """The network with these of its linear layers in int8.

    Raises:
        ModelError: the processor is too old, or the scales are those of another network.
    """
    _refuse_old_processor()
    result = copy.deepcopy(network)
    layers = _linear_layers(result)
    with quantising():
        for scale in scales:
            layer = layers.get(scale.place)
            if layer is None or layer.in_features != len(scale.factors):
                raise ModelError("the scales of int8_linear belong to another network; run pipelines.tune again")
            _put(result, scale.place, _LinearIn8Bits(layer, scale))
    return result


@dataclass
class _Seen:
    """A linear layer, and what flowed into it: least and largest value of each feature, and some rows."""

    linear: nn.Linear
    low: torch.Tensor | None = None
    high: torch.Tensor | None = None
    rows: list[torch.Tensor] = field(default_factory=list)

    def note(self, values: torch.Tensor) -> None:
        rows = values.reshape(-1, values.shape[-1])
        low, high = rows.amin(0), rows.amax(0)
        self.low = low if self.low is None else torch.minimum(self.low, low)
        self.high = high if self.high is None else torch.maximum(self.high, high)
        if not self.rows:
            self.rows.append(rows[:: -(-len(rows) // _KEPT_ROWS)].clone())


class _LinearIn8Bits(nn.Module):
    """Takes and gives float32 (..., features), as the layer that it stands for does."""

    def __init__(self, linear: nn.Linear, scale: LinearScale) -> None:
        super().__init__()
        factors = torch.tensor(scale.factors)
        weight = linear.weight.detach() * factors
        steps = (weight.abs().amax(1) / _WEIGHT_STEPS).clamp(min=torch.finfo(torch.float32).tiny).double()
        zeros = torch.zeros(len(steps), dtype=torch.int64)
        integers = torch.quantize_per_channel(weight, steps, zeros, 0, torch.qint8)
        bias = None if linear.bias is None else linear.bias.detach()
        self.packed = torch.ops.quantized.linear_prepack(integers, bias)
        self.inverse = 1 / factors
        self.scale, self.zero_point = scale.scale, scale.zero_point

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32(
            values * self.inverse, self.scale, self.zero_point, self.packed
        )
        return result


def _refuse_old_processor() -> None:
    if not adds_bytes_without_overflow():
        raise ModelError("int8_linear needs a processor with VNNI or AMX, which adds products of bytes without overflow")


def _linear_layers(network: nn.Module) -> dict[str, nn.Linear]:
    """By their places; not their subclasses, whose weights others may use without calling them."""
    return {place: module for place, module in network.named_modules() if place and type(module) is nn.Linear}


def _seen(network: nn.Module, batches: Iterable[Inputs]) -> tuple[Inputs, dict[str, _Seen]]:
    """The first mini-batch, and the linear layers that are called."""
    layers = {place: _Seen(linear) for place, linear in _linear_layers(network).items()}
    hooks = [s.linear.register_forward_pre_hook(lambda _, given, s=s: s.note(given[0])) for s in layers.values()]
    first: Inputs | None = None
    for inputs in batches:
        first = first or inputs
        network(**inputs)
    for hook in hooks:
        hook.remove()
    if first is None:
        raise ModelError("no rows to measure the scales of int8_linear on")
    called = {place: layer for place, layer in layers.items() if layer.rows}
    if not called:
        raise ModelError("there is no linear layer that int8_linear could quantise")
    return first, called


def _scale(place: str, layer: _Seen, migration: float) -> LinearScale:
    """Factors that take `migration` of the features' differences in size away from them (1: all; 0: none)."""
    assert layer.low is not None  # noqa: S101 - only layers that were called come here
    assert layer.high is not None  # noqa: S101
    features = torch.maximum(layer.high, -layer.low).clamp(min=_SMALLEST)
    weights = layer.linear.weight.abs().amax(0).clamp(min=_SMALLEST)
    factors = tuple(float(f"{factor:.3g}") for factor in (features**migration / weights ** (1 - migration)).tolist())
    low = min(0.0, float((layer.low / torch.tensor(factors)).min()))
    high = max(0.0, float((layer.high / torch.tensor(factors)).max()))
    step = (high - low) / _STEPS or 1.0
    return LinearScale(place, step, round(-low / step), factors)


def _error(layer: _Seen, scale: LinearScale) -> float:
    rows = layer.rows[0]
    return float((_LinearIn8Bits(layer.linear, scale)(rows) - layer.linear(rows)).square().sum())


def _outputs(network: nn.Module, inputs: Inputs) -> list[torch.Tensor]:
    outputs: Mapping[str, Any] = network(**inputs)
    return [tensor.double() for tensor in outputs.values()]


def _put(network: nn.Module, place: str, module: nn.Module) -> None:
    above, _, name = place.rpartition(".")
    setattr(network.get_submodule(above), name, module)
