"""Describe the machine, as far as it decides how fast a network computes and how it rounds."""

import os
from pathlib import Path
import platform
from typing import TYPE_CHECKING

# For its types alone: torch takes a second to import, and a run that is published needs none of it.
if TYPE_CHECKING:
    import torch

# Instructions that libraries choose their kernels by; other kernels add in another order.
_INSTRUCTIONS = (
    "avx2",
    "avx512f",
    "avx512_vnni",
    "avx_vnni",
    "avx512_bf16",
    "amx_bf16",
    "amx_int8",
    "asimd",
    "i8mm",
    "bf16",
    "sve",
)
# The products of bytes that these add have 32 bits; older instructions lose what 16 bits cannot hold.
_ADDING_BYTES_IN_32_BITS = frozenset({"avx512_vnni", "avx_vnni", "amx_int8"})


def machine_kind(device: "torch.device") -> dict[str, str]:
    """Return processor, its instructions, cores, the device, and torch's version."""
    import torch

    # ARM's cpuinfo has no model name, and other systems have no cpuinfo.
    processor = _read_cpuinfo("model name") or platform.processor() or platform.machine()
    return {
        "processor": processor,
        "instructions": " ".join(instructions()),
        "cores": str(cores()),
        "device": device_name(device),
        "torch": torch.__version__,
    }


def instructions() -> list[str]:
    """Return the processor's instructions that libraries choose their kernels by, sorted."""
    # x86 calls the line flags, ARM Features.
    line = _read_cpuinfo("flags", "Features")
    present = set(line.split())
    return sorted(present.intersection(_INSTRUCTIONS))


def adds_bytes_without_overflow() -> bool:
    """Tell whether the processor adds products of bytes without losing any of their bits."""
    return not _ADDING_BYTES_IN_32_BITS.isdisjoint(instructions())


def cores() -> int:
    """Return how many cores this process may use."""
    # A container often may use fewer than the machine has; not every system can tell.
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def device_name(device: "torch.device") -> str:
    """Return the device as a manifest names it."""
    if device.type == "cuda":
        import torch

        return f"cuda ({torch.cuda.get_device_name(device)})"
    return device.type


def _read_cpuinfo(*names: str) -> str:
    """Return what Linux says of the first processor; nothing on other systems."""
    path = Path("/proc/cpuinfo")
    if not path.exists():
        return ""
    for line in path.read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() in names:
            return value.strip()
    return ""
