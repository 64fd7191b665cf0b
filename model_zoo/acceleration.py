"""A float32 network as its settings want it: its dtype, its layout, its machine code."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from configs.errors import ModelError
from model_zoo.card import ModelCard
from model_zoo.compiled import compiled
from model_zoo.machine import machine_kind
from model_zoo.not_finite import NanWhereInputIsNotFinite
from model_zoo.quantised import quantised
from model_zoo.quantised_linear import quantised_linear
from model_zoo.settings import Settings

_FLOATING = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
_LAYOUTS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}


def input_dtype(settings: Settings) -> torch.dtype:
    """Dtype in which floating-point inputs reach the network; networks in int8 take float32."""
    return _FLOATING.get(settings.dtype, torch.float32)


def memory_format(settings: Settings) -> torch.memory_format:
    """Memory format of inputs with four dimensions."""
    return _LAYOUTS[settings.layout]


def compute_float32_in_full() -> None:
    """CUDA devices have units that read float32 with 10 bits of precision instead of 23, which torch uses for convolutions unless told
    otherwise; whoever wants that says `bfloat16` or `float16`.
    """
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False


def accelerate(network: nn.Module, card: ModelCard, digest: str, settings: Settings, device: torch.device) -> Any:
    """The network, which computes in float32, as the settings want it; called as before, with tensors on `device`.

    Args:
        digest: names the model among compiled ones.

    Raises:
        ModelError: it does not go with this network or device.
    """
    example = example_inputs(card, settings, device)
    if settings.dtype in ("int8", "int8_linear"):
        if device.type != "cpu":
            raise ModelError(f"{settings.dtype} is for the CPU; on CUDA use bfloat16 or float16")
        linear = settings.dtype == "int8_linear"
        network = quantised_linear(network, settings.linear_scales) if linear else quantised(network, example, settings.scales)
        network = NanWhereInputIsNotFinite(network)
    else:
        network = network.to(_FLOATING[settings.dtype])
    if settings.layout == "channels_last":
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if not settings.compiled:
        return network
    if card.mask is not None:
        raise ModelError("a model of texts is not compiled: each length of text would need machine code of its own")
    identity: Mapping[str, Any] = {"model": digest, "settings": settings.as_dict(), "machine": machine_kind(device)}
    return compiled(network, example, identity)


def example_inputs(card: ModelCard, settings: Settings, device: torch.device) -> dict[str, torch.Tensor]:
    """A mini-batch of zeros, as it reaches the network."""
    inputs = {}
    for name, tensor in card.inputs.items():
        dtype = getattr(torch, tensor.dtype)
        dtype = input_dtype(settings) if dtype.is_floating_point else dtype
        zeros = torch.zeros((settings.batch_rows, *tensor.shape), dtype=dtype, device=device)
        inputs[name] = zeros.contiguous(memory_format=memory_format(settings)) if zeros.ndim == 4 else zeros
    return inputs
