"""Transfer arrays to where the network computes, and back.

On a CPU nothing is copied that need not be. On CUDA the rows of a call go over at once, through
pinned memory, on a stream of the calling thread's own, so that one thread's copies run beside
another's mini-batches; outputs stay on the device until the call is done, and come back in one copy.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
import threading

import numpy as np
import torch

from model_zoo.arrays import Arrays
from model_zoo.engines.device_errors import is_out_of_memory
from model_zoo.package.card import Tensor
from model_zoo.scoring.call import Tensors
from model_zoo.scoring.windows import Window


@dataclass
class DeviceTransfer:
    """Transfers rows to one device, and outputs back.

    Attributes:
        dtype: of floating-point inputs on the device; None for their own.
        layout: memory format of inputs with four dimensions (images); others stay as they are.
        kept_dtype: of inputs that keep it, whatever `dtype` is.
    """

    device: torch.device
    dtype: torch.dtype | None
    layout: torch.memory_format = torch.contiguous_format
    kept_dtype: torch.dtype | None = None
    # Streams and pinned buffers: a thread's copies must not wait for another's, or share its memory.
    _of_thread: threading.local = field(default_factory=threading.local, init=False)

    def use_own_stream(self) -> AbstractContextManager[object]:
        """Return a block in which the calling thread computes and copies on its own stream."""
        if self.device.type != "cuda":
            return nullcontext()
        own = self._of_thread
        if not hasattr(own, "stream"):
            own.stream = torch.cuda.Stream(self.device)  # type: ignore[no-untyped-call]
        return torch.cuda.stream(own.stream)

    def transfer_inputs(self, inputs: Arrays) -> Tensors:
        """Return the rows of a call as tensors, on the device where all of them fit there.

        Where they do not, they stay on the host, and `cut_mini_batch` takes over what it needs.
        """
        tensors = {}
        for name, array in inputs.items():
            tensors[name] = _share_memory(array)
        if self.device.type != "cuda":
            return tensors

        try:
            return self._copy_over(tensors)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
        # Outside of the handler: the error's frames hold what has been copied so far.
        return tensors

    def allocate_outputs(
        self,
        outputs: Mapping[str, Tensor],
        rows: int,
    ) -> Tensors:
        """Return memory on the device for the outputs of a call, (rows, *shape) each.

        Args:
            outputs: dtype and shape of each.
            rows: of the call.
        """
        allocated = {}
        for name, declared in outputs.items():
            shape = (rows, *declared.shape)
            dtype = getattr(torch, declared.dtype)
            # Not filled: every row that is not rejected is written to.
            allocated[name] = torch.empty(shape, dtype=dtype, device=self.device)
        return allocated

    def cut_mini_batch(
        self,
        tensor: torch.Tensor,
        window: Window,
    ) -> torch.Tensor:
        """Return the rows of a window as the network takes them, (batch_rows, *shape).

        Args:
            tensor: an input of the whole call, (rows, *shape).
            window: which rows, and where in their mini-batch they stand.
        """
        rows = tensor[window.start : window.stop]
        # Most mini-batches are full, and joining their rows would copy them.
        if window.rows < window.batch_rows:
            rows = _pad(rows, window)
        dtype = None
        if tensor.is_floating_point() and tensor.dtype is not self.kept_dtype:
            dtype = self.dtype
        placed = rows.to(self.device, dtype, non_blocking=True)
        # Images alone have a layout.
        if placed.ndim != 4:
            return placed
        return placed.contiguous(memory_format=self.layout)

    def synchronise(self) -> None:
        """Wait for all mini-batches of the calling thread: CUDA computes while its caller goes on."""
        if self.device.type == "cuda":
            stream = torch.cuda.current_stream(self.device)
            stream.synchronize()

    def fetch_outputs(self, outputs: Tensors) -> Arrays:
        """Return outputs as arrays on the host."""
        arrays = {}
        for name, values in outputs.items():
            on_host = values.cpu()
            arrays[name] = on_host.numpy()
        return arrays

    def _copy_over(self, tensors: Tensors) -> Tensors:
        copied = {}
        for name, tensor in tensors.items():
            pinned = self._pin(name, tensor)
            # From pinned memory alone does a copy run beside the thread that asked for it.
            copied[name] = pinned.to(self.device, non_blocking=True)
        return copied

    def _pin(self, name: str, tensor: torch.Tensor) -> torch.Tensor:
        """Return the rows in pinned memory, which the thread keeps for this input."""
        # Kept, because pinning memory takes longer than copying it.
        buffers: Tensors = self._of_thread.__dict__.setdefault("pinned", {})
        buffer = buffers.get(name)
        numbers = tensor.numel()
        # A larger one serves too: its first numbers are taken.
        if buffer is None or buffer.numel() < numbers:
            buffer = torch.empty(
                numbers,
                dtype=tensor.dtype,
                pin_memory=True,
            )
            buffers[name] = buffer
        rows = buffer[:numbers]
        rows = rows.view(tensor.shape)
        return rows.copy_(tensor)


def _pad(rows: torch.Tensor, window: Window) -> torch.Tensor:
    """Return a whole mini-batch: the rows of a window in their places, padding in the others."""
    # A copy of a valid row: a network may not be able to take zeros, for one as a text's length.
    padding = rows[:1]
    shape = rows.shape[1:]
    # Views, which take no memory before they are joined.
    before = padding.expand(window.padding_before, *shape)
    after = padding.expand(window.padding_after, *shape)
    return torch.cat([before, rows, after])


def _share_memory(array: np.ndarray) -> torch.Tensor:
    """Return an array as a tensor that shares its memory where it can."""
    # torch warns about memory that it may not write, and refuses strides that go backwards.
    goes_forwards = min(array.strides, default=0) >= 0
    is_usable = array.flags.writeable and goes_forwards
    if not is_usable:
        array = array.copy()
    return torch.from_numpy(array)
