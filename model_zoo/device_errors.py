"""Which errors of a network mean that memory ran out, and which that the device is lost: neither is a matter of the rows."""

import torch

_OUT_OF_MEMORY = ("can't allocate memory", "not enough memory", "error: out of memory", "ALLOC_FAILED", "ALLOCATION_FAILED")
_DEVICE_FAULTS = ("CUDA error", "CUBLAS_STATUS", "cuDNN error", "CUDNN_STATUS", "device-side assert")


def is_out_of_memory(error: Exception) -> bool:
    """Whether fewer rows may fit: CUDA and its libraries have words of their own for that."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or any(words in str(error) for words in _OUT_OF_MEMORY)


def is_device_fault(error: Exception) -> bool:
    """Whether the device's state is lost, as after a device-side assertion: every later call in this process would fail, too."""
    if is_out_of_memory(error):
        return False
    return isinstance(error, torch.AcceleratorError) or any(words in str(error) for words in _DEVICE_FAULTS)


def without_frames(error: Exception) -> Exception:
    """The error without tracebacks: their frames would keep the tensors of a failed mini-batch."""
    link: BaseException | None = error
    while link is not None:
        link.__traceback__ = None
        link = link.__cause__ or link.__context__
    return error
