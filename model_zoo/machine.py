"""What kind of machine this is, as far as it decides how fast a network computes and how it rounds."""

import os
from pathlib import Path
import platform

import torch

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


def machine_kind(device: torch.device) -> dict[str, str]:
    """Processor, its instructions, cores, the device, and torch's version."""
    return {
        "processor": _cpuinfo("model name") or platform.processor() or platform.machine(),
        "instructions": " ".join(instructions()),
        "cores": str(cores()),
        "device": device_name(device),
        "torch": torch.__version__,
    }


def instructions() -> list[str]:
    """Of the instructions that the libraries choose their kernels by, those that the processor has, in order of their names."""
    return sorted(set(_cpuinfo("flags", "Features").split()).intersection(_INSTRUCTIONS))


def adds_bytes_without_overflow() -> bool:
    """Whether the processor has instructions that sum products of all 8 bits; older ones lose what does not fit in 16."""
    return not {"avx512_vnni", "avx_vnni", "amx_int8"}.isdisjoint(instructions())


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def device_name(device: torch.device) -> str:
    """The device as a manifest names it."""
    return f"cuda ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else device.type


def _cpuinfo(*names: str) -> str:
    """What Linux says of the first processor; nothing on other systems."""
    path = Path("/proc/cpuinfo")
    for line in path.read_text().splitlines() if path.exists() else ():
        name, _, value = line.partition(":")
        if name.strip() in names:
            return value.strip()
    return ""
