"""A session of ONNX Runtime, called with tensors by name as a network is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch

from model_zoo.engines.graph_arrays import lay_out, shape_rows
from model_zoo.engines.onnx_session import DTYPES

Tensors: TypeAlias = dict[str, torch.Tensor]
# Of a row of each output that is wanted, by name.
Shapes: TypeAlias = Mapping[str, Sequence[int]]
_LOST = (
    "the graph makes NaN or infinity of numbers, and ONNX Runtime would go on with another number"
)


@dataclass(frozen=True)
class Graph:
    """A session that computes on a CPU.

    Attributes:
        shapes: of a row of each output that is wanted, by name.
        ranks: dimensions of each input with the rows, by name.
        flags: names of outputs that are finite where no row makes NaN, or infinity, that is lost.
    """

    session: Any
    shapes: Shapes
    ranks: Mapping[str, int]
    flags: Sequence[str] = ()

    def __call__(self, **inputs: torch.Tensor) -> Tensors:
        """Return the outputs of a mini-batch.

        Raises:
            ValueError: the graph makes NaN or infinity of a row, and loses it.
        """
        arrays = {}
        for name, tensor in inputs.items():
            arrays[name] = lay_out(tensor, self.ranks[name])
        names = list(self.shapes)
        found = self.session.run([*self.flags, *names], arrays)
        told, found = found[: len(self.flags)], found[len(self.flags) :]
        if not np.isfinite(told).all():
            raise ValueError(_LOST)
        outputs = {}
        for name, array in zip(names, found, strict=True):
            rows = shape_rows(array, self.shapes[name])
            outputs[name] = torch.from_numpy(rows)
        return outputs


@dataclass(frozen=True)
class OnDevice:
    """A session that takes tensors where they lie on a device, and leaves its outputs there.

    Attributes:
        shapes: of a row of each output that is wanted, by name.
        ranks: dimensions of each input and output with the rows, by name.
        dtypes: of each output, as torch names them.
        device: where the tensors are.
    """

    session: Any
    shapes: Shapes
    ranks: Mapping[str, int]
    dtypes: Mapping[str, str]
    device: torch.device

    def __call__(self, **inputs: torch.Tensor) -> Tensors:
        """Return the outputs of a mini-batch."""
        # One of each call: several threads call the session at the same time.
        binding = self.session.io_binding()
        # Kept until the call is done, as the library knows nothing but their addresses.
        laid_out = {}
        rows = 0
        for name, tensor in inputs.items():
            rows = tensor.shape[0]
            laid_out[name] = self._lay_out(name, tensor)
            self._bind(binding.bind_input, name, laid_out[name])
        outputs = self._allocate(rows)
        for name, output in outputs.items():
            self._bind(binding.bind_output, name, output)
        if self.device.type == "cuda":
            # The library has a stream of its own, which knows nothing of what torch still copies.
            stream = torch.cuda.current_stream(self.device)
            stream.synchronize()
        self.session.run_with_iobinding(binding)
        binding.synchronize_outputs()
        shaped = {}
        for name, output in outputs.items():
            shaped[name] = output.view(rows, *self.shapes[name])
        return shaped

    def _lay_out(self, name: str, tensor: torch.Tensor) -> torch.Tensor:
        """Return an input as the graph takes it, its numbers side by side."""
        in_order = tensor.contiguous()
        # A column is (rows, 1) in many graphs, and (rows,) in a table.
        if in_order.ndim + 1 == self.ranks[name]:
            return in_order[:, None]
        return in_order

    def _allocate(self, rows: int) -> Tensors:
        """Return memory for the outputs, as the graph gives them."""
        outputs = {}
        for name, shape in self.shapes.items():
            given = (rows, *shape)
            if len(given) + 1 == self.ranks[name]:
                given = (*given, 1)
            dtype = getattr(torch, self.dtypes[name])
            outputs[name] = torch.empty(given, dtype=dtype, device=self.device)
        return outputs

    def _bind(self, bind: Any, name: str, tensor: torch.Tensor) -> None:
        dtype = str(tensor.dtype).removeprefix("torch.")
        bind(
            name=name,
            device_type=self.device.type,
            device_id=self.device.index or 0,
            element_type=dtype,
            shape=tuple(tensor.shape),
            buffer_ptr=tensor.data_ptr(),
        )


def make_graph(session: Any, shapes: Shapes, flags: Sequence[str] = ()) -> Graph:
    """Return a session as something that is called like a network, on a CPU.

    Args:
        session: as `make_session` returns it.
        shapes: of a row of each output that is wanted, by name.
        flags: names of outputs that are finite where no row makes NaN, or infinity, that is lost.
    """
    ranks = {}
    for found in session.get_inputs():
        ranks[found.name] = len(found.shape)
    return Graph(session, shapes, ranks, flags)


def make_graph_on(device: torch.device, session: Any, shapes: Shapes) -> OnDevice:
    """Return a session as something that is called like a network, on a device.

    Args:
        device: where the session computes.
        session: as `make_session` returns it.
        shapes: of a row of each output that is wanted, by name.
    """
    ranks = {}
    dtypes = {}
    for found in session.get_inputs():
        ranks[found.name] = len(found.shape)
    for found in session.get_outputs():
        ranks[found.name] = len(found.shape)
        dtypes[found.name] = DTYPES[found.type]
    return OnDevice(session, shapes, ranks, dtypes, device)
