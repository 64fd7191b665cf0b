"""Find the devices that a job means, and share the cores of a machine among workers."""

from typing import TYPE_CHECKING

from configs.errors import ModelError
from model_zoo.engines.machine import cores
from model_zoo.engines.settings import Device

# For its types alone: torch takes a second to import, and a run that is published needs none of it.
if TYPE_CHECKING:
    import torch

# On whatever machine, they are there.
_ALWAYS_THERE = ("cpu", "auto")


def resolve_devices(device: Device, field: str = "model.device") -> "list[torch.device]":
    """Return the devices that are meant.

    Args:
        device: `cpu`, `cuda:<number>`, `cuda` for all CUDA devices, or `auto` for those when there
            are any, and else the CPU.
        field: of the job that says so, for messages.

    Raises:
        ModelError: it asks for a CUDA device that is not there.
    """
    import torch

    # Asked once: it starts CUDA's driver, and its answer does not change.
    has_cuda = torch.cuda.is_available()
    if device == "cpu" or (device == "auto" and not has_cuda):
        return [torch.device("cpu")]
    # Never a CPU in its place: a run that is a hundred times slower than asked for is no success.
    if not has_cuda:
        raise ModelError(
            f"{field} is {device}, but torch finds no CUDA device here; "
            "use a GPU worker, or device: cpu or auto"
        )
    count = torch.cuda.device_count()
    if device in ("auto", "cuda"):
        return [torch.device("cuda", number) for number in range(count)]
    _, _, digits = device.partition(":")
    number = int(digits)
    if number >= count:
        raise ModelError(
            f"{field} is {device}, but there are {count} CUDA devices here, "
            f"cuda:0 to cuda:{count - 1}"
        )
    return [torch.device("cuda", number)]


def refuse_missing_device(device: Device) -> None:
    """Refuse a device that this machine does not have.

    Raises:
        ModelError: it asks for a CUDA device that is not there.
    """
    # Without asking torch, which takes a second to import.
    if device not in _ALWAYS_THERE:
        resolve_devices(device)


def threads_for(workers: int) -> int:
    """Return threads for each of `workers` workers, so that together they use every core once."""
    share = cores() // max(1, workers)
    # More workers than cores still compute, one thread each.
    return max(1, share)
