"""Arrays to where the network computes, and back.

On a CPU nothing is copied that need not be. On CUDA the rows of a call go over at once, through pinned memory, on a stream of the
calling thread's own, so that one thread's copies run beside another's mini-batches; outputs stay on the device until the call is
done, and come back in one copy.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
import threading
import time

import numpy as np
import torch

from model_zoo.card import Tensor
from model_zoo.device_errors import is_out_of_memory

Arrays = dict[str, np.ndarray]
Tensors = dict[str, torch.Tensor]


@dataclass
class Placing:
    """How rows reach one device.

    Attributes:
        dtype: of floating-point inputs on the device.
        layout: memory format of inputs with four dimensions (images); other inputs stay as they are.
    """

    device: torch.device
    dtype: torch.dtype
    layout: torch.memory_format = torch.contiguous_format

    def __post_init__(self) -> None:
        self._of_thread = threading.local()

    def stream(self) -> AbstractContextManager[object]:
        """The calling thread's own stream; work of one thread waits for nobody else's."""
        if self.device.type != "cuda":
            return nullcontext()
        if not hasattr(self._of_thread, "stream"):
            self._of_thread.stream = torch.cuda.Stream(self.device)  # type: ignore[no-untyped-call]
        return torch.cuda.stream(self._of_thread.stream)

    def given(self, inputs: Arrays) -> Tensors:
        """The rows of a call as tensors, on the device where there is room for them at once; else each mini-batch goes by itself."""
        tensors = {name: _tensor(array) for name, array in inputs.items()}
        if self.device.type != "cuda":
            return tensors
        try:
            return {name: self._pinned(name, tensor).to(self.device, non_blocking=True) for name, tensor in tensors.items()}
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
        return tensors

    def room(self, outputs: Mapping[str, Tensor], rows: int) -> Tensors:
        """Where the outputs of a call's rows will stand, on the device, (rows, *shape) each."""
        return {
            name: torch.empty((rows, *t.shape), dtype=getattr(torch, t.dtype), device=self.device) for name, t in outputs.items()
        }

    def slots(self, tensor: torch.Tensor, start: int, stop: int, before: int, after: int) -> torch.Tensor:
        """Rows `start` to `stop` as a mini-batch takes them; the slots `before` and `after` them hold its first row, which is a valid one."""
        rows = tensor[start:stop]
        if before or after:
            rows = torch.cat([rows[:1].expand(before, *rows.shape[1:]), rows, rows[:1].expand(after, *rows.shape[1:])])
        dtype = self.dtype if tensor.is_floating_point() else None
        placed = rows.to(self.device, dtype, non_blocking=True)
        return placed.contiguous(memory_format=self.layout) if placed.ndim == 4 else placed

    def wait(self) -> None:
        """Until all mini-batches that the thread has asked for are computed: a CUDA device computes while its caller goes on."""
        if self.device.type == "cuda":
            torch.cuda.current_stream(self.device).synchronize()

    def taken(self, outputs: Tensors) -> Arrays:
        """Outputs as arrays."""
        return {name: values.cpu().numpy() for name, values in outputs.items()}

    def _pinned(self, name: str, tensor: torch.Tensor) -> torch.Tensor:
        """The rows in pinned memory that the thread keeps for the input: pinning takes longer than copying."""
        kept: Tensors = self._of_thread.__dict__.setdefault("pinned", {})
        buffer = kept.get(name)
        if buffer is None or buffer.numel() < tensor.numel():
            buffer = kept[name] = torch.empty(tensor.numel(), dtype=tensor.dtype, pin_memory=True)
        rows = buffer[: tensor.numel()].view(tensor.shape)
        return rows.copy_(tensor)


class Stopwatch:
    """Nanoseconds that the threads of a call spend on something."""

    def __init__(self) -> None:
        self.nanoseconds = 0
        self._began: dict[int, int] = {}

    def __enter__(self) -> None:
        self._began[threading.get_ident()] = time.perf_counter_ns()

    def __exit__(self, *_: object) -> None:
        self.nanoseconds += time.perf_counter_ns() - self._began.pop(threading.get_ident())


def _tensor(array: np.ndarray) -> torch.Tensor:
    """The array as a tensor that shares its memory where it can."""
    usable = array.flags.writeable and min(array.strides, default=0) >= 0
    return torch.from_numpy(array if usable else array.copy())
