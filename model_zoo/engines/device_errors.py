"""Errors of a network that are no matter of its rows: memory ran out, or the device is lost."""

import torch

# CUDA, its libraries, and torch on a CPU have words of their own, and no class for most of them.
_OUT_OF_MEMORY = (
    "can't allocate memory",
    "not enough memory",
    "error: out of memory",
    "ALLOC_FAILED",
    "ALLOCATION_FAILED",
)
_DEVICE_FAULTS = (
    "CUDA error",
    "CUBLAS_STATUS",
    "cuDNN error",
    "CUDNN_STATUS",
    "device-side assert",
)


def is_out_of_memory(error: Exception) -> bool:
    """Tell whether fewer rows may fit."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    message = str(error)
    return any(words in message for words in _OUT_OF_MEMORY)


def is_device_fault(error: Exception) -> bool:
    """Tell whether the device's state is lost, so that every later call in this process would fail."""
    # Asked first: `CUDA error: out of memory` has the words of both.
    if is_out_of_memory(error):
        return False
    if isinstance(error, torch.AcceleratorError):
        return True
    message = str(error)
    return any(words in message for words in _DEVICE_FAULTS)


def drop_frames(error: Exception) -> Exception:
    """Return the error without tracebacks."""
    link: BaseException | None = error
    while link is not None:
        # Its frames would keep the tensors of a failed mini-batch, and the next one their memory.
        link.__traceback__ = None
        link = link.__cause__ or link.__context__
    return error
