"""torch: float32 as it was trained, other dtypes and layouts, machine code, and 8-bit integers."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from configs.errors import ModelError, Refusal
from model_zoo.architectures.taken_dtypes import find_taken_dtypes
from model_zoo.engines import device_errors
from model_zoo.engines.compiled import compile_network
from model_zoo.engines.engine import Inputs, Network, Sample
from model_zoo.engines.failures import shorten_failure
from model_zoo.engines.int8 import can_quantise, measure_scales, quantise
from model_zoo.engines.machine import machine_kind
from model_zoo.engines.nan_guard import NanGuard
from model_zoo.engines.settings import DType, Layout, Settings
from model_zoo.package.card import ModelCard
from model_zoo.package.packed_model import PackedModel
from model_zoo.package.weights import load_network

# Networks in int8 take float32, and make integers of it themselves.
_FLOATING = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}
_LAYOUTS = {
    "contiguous": torch.contiguous_format,
    "channels_last": torch.channels_last,
}
# float16 has no fast kernels on CPUs, and torch's 8-bit kernels are for CPUs alone.
_DTYPES: dict[str, tuple[DType, ...]] = {
    "cpu": ("float32", "bfloat16", "int8"),
    "cuda": ("float32", "bfloat16", "float16"),
}
_CALIBRATION_ROWS = 256


class TorchEngine:
    """torch, which every package can be loaded with."""

    name = "torch"
    libraries = ("torch",)
    extra = None
    device_types = ("cpu", "cuda")

    def reads(self, card: ModelCard) -> str | None:
        """Return the file of the state dict."""
        return card.weights if card.has_network else None

    def load(
        self,
        package: PackedModel,
        device: torch.device,
        threads: int,
        settings: Settings,
    ) -> Network:
        """Load the network, as `Engine.load`; `threads` needs no preparation."""
        if package.card.graph is not None and device.type != "cpu":
            raise ModelError(
                f"{package.url}: a network of graphs is computed on a CPU: {device.type} adds what "
                "comes over edges in any order, and scores would differ from run to run; "
                "set model.device to cpu"
            )
        _compute_float32_in_full()
        network: Any = load_network(package)
        network = network.eval().to(device)
        dtype = _input_dtype(settings)
        kept_dtype = None
        if not settings.is_reference:
            network = _accelerate(network, package, settings, device)
        else:
            dtype, kept_dtype = find_taken_dtypes(network, package.card.builder)
        if device.type == "cuda":
            # Threads that score have streams of their own, which do not wait for this one.
            torch.cuda.synchronize(device)
        return Network(
            compute=network,
            dtype=dtype,
            layout=_LAYOUTS[settings.layout],
            kept_dtype=kept_dtype,
        )

    def describe_version(self) -> str:
        """Return torch's version."""
        return f"torch {torch.__version__}"

    def is_out_of_memory(self, error: Exception) -> bool:
        """Tell whether fewer rows may fit."""
        return device_errors.is_out_of_memory(error)

    def list_settings(
        self,
        card: ModelCard,
        device: torch.device,
        batch_rows: int,
        without: Sequence[str],
    ) -> Iterator[Settings]:
        """Yield every dtype in every layout, as `Engine.list_settings`."""
        layouts: tuple[Layout, ...] = ("contiguous",)
        has_images = _has_images(card)
        # The order of channels is a question of images alone.
        if has_images and "channels_last" not in without:
            layouts = ("contiguous", "channels_last")
        for dtype in _DTYPES[device.type]:
            if dtype in without:
                continue
            # Of anything else it was nowhere the fastest: of tables float32 is, and of texts bfloat16.
            if dtype == "int8" and not (has_images and can_quantise()):
                continue
            for layout in layouts:
                settings = Settings(batch_rows, dtype, layout)
                # Whoever tunes measures the reference anyway.
                if not settings.is_reference:
                    yield settings

    def list_refinements(
        self,
        card: ModelCard,
        fastest: Sequence[Settings],
        without: Sequence[str],
    ) -> Iterator[Settings]:
        """Yield machine code of the fastest floating-point settings."""
        # Each length of text would need machine code of its own, and so would each set of edges: layers
        # of graphs take edges out and put others in.
        is_of_one_shape = card.mask is None and card.graph is None
        if "compile" in without or not is_of_one_shape:
            return
        floating = [settings for settings in fastest if settings.dtype in _FLOATING]
        yield replace(floating[0], compiled=True)

    def calibrate(
        self,
        package: PackedModel,
        settings: Settings,
        sample: Sample,
    ) -> Settings:
        """Measure the scales of int8, as `Engine.calibrate`."""
        if settings.dtype != "int8":
            return settings
        # The scales are those of the float32 network, whatever the layout.
        network = load_network(package).eval().float()
        with _failures_as_refusals():
            batches = _cast_floats(sample(_CALIBRATION_ROWS))
            scales = measure_scales(network, batches)
        return replace(settings, scales=scales)


def _compute_float32_in_full() -> None:
    """Have CUDA devices compute float32 with all of its 23 bits of precision."""
    # They have units that read 10 bits of it, which torch uses for convolutions unless told
    # otherwise; whoever wants that says `bfloat16` or `float16`.
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False


def _has_images(card: ModelCard) -> bool:
    """Tell whether an input is (channels, height, width)."""
    return any(len(tensor.shape) == 3 for tensor in card.inputs.values())


def _input_dtype(settings: Settings) -> torch.dtype:
    return _FLOATING.get(settings.dtype, torch.float32)


@contextmanager
def _failures_as_refusals() -> Iterator[None]:
    """Refuse int8, in this block, where its scales cannot be measured because the network fails."""
    try:
        yield
    except Refusal:
        raise
    # A network that others wrote may raise anything, of rows in another dtype than its own for example.
    except Exception as error:
        reason = shorten_failure(error)
        raise ModelError(
            f"int8 is measured in float32, on which the network fails: {reason}"
        ) from error


def _cast_floats(batches: Iterable[Inputs]) -> Iterator[Inputs]:
    """Yield mini-batches as a network in float32 takes them: one of float64 has rows of float64."""
    for inputs in batches:
        yield {
            name: tensor.float() if tensor.is_floating_point() else tensor
            for name, tensor in inputs.items()
        }


def _accelerate(
    network: nn.Module,
    package: PackedModel,
    settings: Settings,
    device: torch.device,
) -> Any:
    """Return the float32 network as the settings want it, called as before.

    Raises:
        ModelError: they do not go with this network or device.
    """
    example = _make_example(package.card, settings, device)
    if settings.dtype in _FLOATING:
        network = network.to(_FLOATING[settings.dtype])
    else:
        quantised = _quantise(network.float(), example, settings, device)
        # An integer cannot be NaN: a row with NaN would be given a score.
        network = NanGuard(quantised)
    if settings.layout == "channels_last":
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if not settings.compiled:
        return network
    if package.card.mask is not None:
        raise ModelError(
            "a model of texts is not compiled: "
            "each length of text would need machine code of its own"
        )
    if package.card.graph is not None:
        raise ModelError(
            "a network of graphs is not compiled: its layers take edges out and put others in"
        )
    identity = {
        "model": package.digest,
        "settings": settings.as_dict(),
        "machine": machine_kind(device),
    }
    return compile_network(network, example, identity)


def _quantise(
    network: nn.Module,
    example: Inputs,
    settings: Settings,
    device: torch.device,
) -> nn.Module:
    if device.type != "cpu":
        raise ModelError(f"{settings.dtype} is for the CPU; on CUDA use bfloat16 or float16")
    return quantise(network, example, settings.scales)


def _make_example(
    card: ModelCard,
    settings: Settings,
    device: torch.device,
) -> Inputs:
    """Return a mini-batch of zeros, as it reaches the network."""
    example = {}
    for name, tensor in card.inputs.items():
        dtype = getattr(torch, tensor.dtype)
        if dtype.is_floating_point:
            dtype = _input_dtype(settings)
        shape = (settings.batch_rows, *tensor.shape)
        zeros = torch.zeros(shape, dtype=dtype, device=device)
        # Images, the only inputs that have a layout.
        if zeros.ndim == 4:
            zeros = zeros.contiguous(memory_format=_LAYOUTS[settings.layout])
        example[name] = zeros
    return example
