"""Linear layers in 8-bit integers, all else in float32: for Transformers, which are linear layers.

What flows into a layer is first divided by one factor per feature, and its weights are multiplied by
it, so that a few large features do not use up the 256 steps that all of them share (SmoothQuant:
Xiao et al., 2023). Scales and factors are measured once on a sample, so a row's score does not
depend on its neighbours. Some layers bear this worse than others: the least sensitive come first.
"""

from collections.abc import Iterable, Mapping, Sequence
import copy
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import nn

from configs.errors import ModelError
from model_zoo.engines import torch_private
from model_zoo.engines.int8 import quantising
from model_zoo.engines.machine import adds_bytes_without_overflow
from model_zoo.engines.settings import LinearScale
from model_zoo.engines.torch_private import Inputs

_STEPS = 255  # between the 256 integers that an input may become
_WEIGHT_STEPS = 127  # of weights on each side of zero, which stays zero
# Enough to compare migrations by; a sample of texts would fill memory with what flows into layers.
_KEPT_ROWS = 512
# A feature that is always zero has no size to divide by.
_SMALLEST = 1e-5
# How much of the large features' size goes over to the weights; the authors' range for hard models.
_MIGRATIONS = (0.5, 0.6, 0.7, 0.8, 0.9)


def measure_linear_scales(network: nn.Module, batches: Iterable[Inputs]) -> tuple[LinearScale, ...]:
    """Return scales for `quantise_linear`, one per layer that is used, the least sensitive first.

    A layer's sensitivity is how much the network's outputs for the first mini-batch change when that
    layer alone is quantised, for each of its weights.

    Args:
        network: in float32 and eval mode.
        batches: one tensor (rows, *shape) per input each.

    Raises:
        ModelError: the processor is too old, there is no row, or there is no linear layer.
    """
    _refuse_old_processor()
    # Layers are put in and taken out again: the caller's network stays as it is.
    network = copy.deepcopy(network)
    with quantising(), torch.inference_mode():
        first, observed = _observe_layers(network, batches)
        expected = _compute_outputs(network, first)
        measured = []
        for place, layer in observed.items():
            scale = _choose_scale(place, layer)
            quantised = _LinearIn8Bits(layer.linear, scale)
            # This layer alone: the one in float32 is back before the next is tried.
            _put_layer(network, place, quantised)
            outputs = _compute_outputs(network, first)
            _put_layer(network, place, layer.linear)

            change = _sum_squares(outputs, expected)
            # For each weight: a large layer gains more time, and may change more.
            sensitivity = change / layer.linear.weight.numel()
            measured.append(_MeasuredScale(sensitivity, scale))
    measured.sort(key=_rank_scale)
    return tuple(layer.scale for layer in measured)


def quantise_linear(network: nn.Module, scales: Sequence[LinearScale]) -> nn.Module:
    """Return the network with these of its linear layers in int8.

    Args:
        network: in float32 and eval mode.
        scales: some of those that `measure_linear_scales` returns.

    Raises:
        ModelError: the processor is too old, or the scales are those of another network.
    """
    _refuse_old_processor()
    quantised = copy.deepcopy(network)
    layers = _find_linear_layers(quantised)
    with quantising():
        for scale in scales:
            layer = layers.get(scale.place)
            features = len(scale.factors)
            if layer is None or layer.in_features != features:
                raise ModelError(
                    "the scales of int8_linear belong to another network; run pipelines.tune again"
                )
            in_8_bits = _LinearIn8Bits(layer, scale)
            _put_layer(quantised, scale.place, in_8_bits)
    return quantised


class _MeasuredScale(NamedTuple):
    """A layer's scale, and how much the network's outputs change for each weight of the layer."""

    sensitivity: float
    scale: LinearScale


def _rank_scale(measured: _MeasuredScale) -> tuple[float, str]:
    # By place where changes are equal, so that the same sample gives the same order.
    return measured.sensitivity, measured.scale.place


@dataclass
class _ObservedLayer:
    """A linear layer, and what flowed into it.

    Attributes:
        low, high: least and largest value of each feature, float32 (features,).
        rows: some of the values, (rows, features); none before the layer is called.
    """

    linear: nn.Linear
    low: torch.Tensor | None = None
    high: torch.Tensor | None = None
    rows: list[torch.Tensor] = field(default_factory=list)

    def observe(self, _: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        """Note the values of a mini-batch, (..., features): a hook that torch calls before the layer."""
        values = inputs[0]
        features = values.shape[-1]
        # A text has a row for each of its tokens.
        rows = values.reshape(-1, features)
        low = rows.amin(0)
        high = rows.amax(0)
        if self.low is not None and self.high is not None:
            low = torch.minimum(self.low, low)
            high = torch.maximum(self.high, high)
        self.low = low
        self.high = high
        if not self.rows:
            # Every n-th row, so that they come from all over the mini-batch.
            step = -(-len(rows) // _KEPT_ROWS)
            kept = rows[::step]
            # A copy: a view would keep all rows in memory.
            self.rows.append(kept.clone())


class _LinearIn8Bits(nn.Module):
    """Takes and gives float32 (..., features), as the layer that it stands for does."""

    def __init__(self, linear: nn.Linear, scale: LinearScale) -> None:
        super().__init__()
        factors = torch.tensor(scale.factors)
        weight = linear.weight.detach() * factors
        largest = weight.abs().amax(1)
        steps = largest / _WEIGHT_STEPS
        # A row of zeros has no largest weight, and a step of zero would divide by it.
        smallest = torch.finfo(torch.float32).tiny
        steps = steps.clamp(min=smallest)
        steps = steps.double()
        bias: torch.Tensor | None = linear.bias
        if bias is not None:
            bias = bias.detach()
        self.packed = torch_private.pack_linear(
            weight=weight,
            steps=steps,
            bias=bias,
        )
        self.inverse = 1 / factors
        self.scale = scale.scale
        self.zero_point = scale.zero_point

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        smooth = values * self.inverse
        return torch_private.compute_linear(
            smooth,
            scale=self.scale,
            zero_point=self.zero_point,
            packed=self.packed,
        )


def _refuse_old_processor() -> None:
    if not adds_bytes_without_overflow():
        raise ModelError(
            "int8_linear needs a processor with VNNI or AMX, "
            "which adds products of bytes without overflow"
        )


def _find_linear_layers(network: nn.Module) -> dict[str, nn.Linear]:
    """Return linear layers by their places; the network itself, which has no place, is none."""
    return {
        place: module
        for place, module in network.named_modules()
        # Not their subclasses, whose weights others may use without calling them.
        if place and type(module) is nn.Linear
    }


def _observe_layers(
    network: nn.Module,
    batches: Iterable[Inputs],
) -> tuple[Inputs, dict[str, _ObservedLayer]]:
    """Return the first mini-batch, and the linear layers that are called."""
    layers = {}
    hooks = []
    for place, linear in _find_linear_layers(network).items():
        layer = _ObservedLayer(linear)
        hook = linear.register_forward_pre_hook(layer.observe)
        layers[place] = layer
        hooks.append(hook)

    first: Inputs | None = None
    for inputs in batches:
        if first is None:
            first = inputs
        network(**inputs)
    for hook in hooks:
        hook.remove()
    if first is None:
        raise ModelError("no rows to measure the scales of int8_linear on")

    # A layer that is there and not called has nothing to be measured by.
    called = {place: layer for place, layer in layers.items() if layer.rows}
    if not called:
        raise ModelError("there is no linear layer that int8_linear could quantise")
    return first, called


def _choose_scale(place: str, layer: _ObservedLayer) -> LinearScale:
    """Return the scale of the migration that changes the layer's own outputs least."""
    scales = [_make_scale(place, layer, migration) for migration in _MIGRATIONS]
    # Of equals the first, and smallest, migration.
    return min(scales, key=partial(_measure_error, layer))


def _make_scale(
    place: str,
    layer: _ObservedLayer,
    migration: float,
) -> LinearScale:
    """Return factors and scale of a layer.

    Args:
        place: of the layer in its network.
        layer: with the least and largest values that flowed into it.
        migration: how much of the features' differences in size the factors take away, 0 to 1.
    """
    assert layer.low is not None  # noqa: S101 - only layers that were called come here
    assert layer.high is not None  # noqa: S101
    sizes = torch.maximum(layer.high, -layer.low)
    factors = _choose_factors(sizes, layer.linear.weight, migration)
    divisors = torch.tensor(factors)
    lows = layer.low / divisors
    highs = layer.high / divisors
    # Zero is among them, as an integer of its own: padding and ReLU leave many.
    lowest = float(lows.min())
    low = min(0.0, lowest)
    highest = float(highs.max())
    high = max(0.0, highest)
    # A layer that was given zeros alone still needs a step.
    step = (high - low) / _STEPS or 1.0
    zero_point = round(-low / step)
    return LinearScale(
        place=place,
        scale=step,
        zero_point=zero_point,
        factors=factors,
    )


def _choose_factors(
    sizes: torch.Tensor,
    weight: torch.Tensor,
    migration: float,
) -> tuple[float, ...]:
    """Return what each feature is divided by, and its weights are multiplied by.

    Args:
        sizes: largest absolute value of each feature, float32 (features,).
        weight: of the layer, float32 (outputs, features).
        migration: as of `_make_scale`.
    """
    features = sizes.clamp(min=_SMALLEST)
    weights = weight.abs().amax(0)
    weights = weights.clamp(min=_SMALLEST)
    # The paper's equation 4.
    numerators = features**migration
    denominators = weights ** (1 - migration)
    exact = numerators / denominators
    factors = []
    for factor in exact.tolist():
        # Three digits do, and make a report of thousands of them much shorter.
        rounded = f"{factor:.3g}"
        factors.append(float(rounded))
    return tuple(factors)


def _measure_error(layer: _ObservedLayer, scale: LinearScale) -> float:
    rows = layer.rows[0]
    quantised = _LinearIn8Bits(layer.linear, scale)
    actual = quantised(rows)
    expected = layer.linear(rows)
    return _sum_squares([actual], [expected])


def _compute_outputs(network: nn.Module, inputs: Inputs) -> list[torch.Tensor]:
    outputs: Mapping[str, Any] = network(**inputs)
    # float64, so that comparing them rounds nothing.
    return [tensor.double() for tensor in outputs.values()]


def _sum_squares(actual: Sequence[torch.Tensor], expected: Sequence[torch.Tensor]) -> float:
    """Return the sum of squared differences."""
    total = 0.0
    for found, wanted in zip(actual, expected, strict=True):
        differences = found - wanted
        squares = differences.square()
        total += float(squares.sum())
    return total


def _put_layer(network: nn.Module, place: str, module: nn.Module) -> None:
    above, _, name = place.rpartition(".")
    parent = network.get_submodule(above)
    setattr(parent, name, module)
