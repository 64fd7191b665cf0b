"""A graph in OpenVINO that is called like a network, by several threads at the same time."""

from collections.abc import Callable, Mapping, Sequence
import threading
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch

from model_zoo.arrays import Arrays, count_rows
from model_zoo.engines.graph_arrays import lay_out, shape_rows
from model_zoo.engines.openvino_guards import OUTSIDE
from model_zoo.engines.openvino_int8 import LOST
from model_zoo.engines.openvino_library import shorten
from model_zoo.engines.openvino_nan import NAN
from model_zoo.engines.openvino_numbers import LARGE, ZERO
from model_zoo.package.card import Tensor

# Takes a model of OpenVINO, and gives machine code.
MakeCode: TypeAlias = Callable[[Any], Any]
# The shape of each input, by name.
Shapes: TypeAlias = tuple[tuple[str, tuple[int, ...]], ...]

# Mini-batches have one size, or few where memory ran out: each has machine code of its own.
_MOST_COMPILED = 4
_WIDE = (np.int64, np.uint32, np.uint64)
# OpenVINO has no larger integers on a CPU, and cuts off what they do not hold.
_LARGEST_INTEGER = np.iinfo(np.int32).max
_SMALLEST_INTEGER = np.iinfo(np.int32).min
# What a flag says of a row.
_ERRORS: Mapping[str, tuple[type[Exception], str]] = {
    OUTSIDE: (IndexError, "an index is outside of what it is looked up in"),
    LARGE: (
        OverflowError,
        "the graph computes with a larger integer than OpenVINO holds on a CPU; "
        "set model.engine to onnxruntime",
    ),
    ZERO: (ZeroDivisionError, "the graph divides an integer by 0"),
    NAN: (
        ValueError,
        "the graph makes NaN of numbers, and OpenVINO would go on with another number",
    ),
    LOST: (ValueError, "the graph makes NaN of a row, and 8 bits would make a number of that"),
}


class _Request(NamedTuple):
    """What a thread computes with.

    Attributes:
        compiled: the machine code.
        request: memory of the thread's own for what it computes.
    """

    compiled: Any
    request: Any


class OpenVinoGraph:
    """A graph that is called with tensors and gives tensors, as a network does.

    Args:
        model: OpenVINO's, not compiled.
        make_code: compiles it, or one with other shapes.
        outputs: dtype and shape of each output that is wanted.
        has_free_shapes: whether mini-batches come in so many shapes that one machine code serves all;
            otherwise each shape has its own, of which convolutions are up to three times as fast.
        flags: names of the outputs that it has beside those, each a bool of all rows.
    """

    def __init__(
        self,
        model: Any,
        make_code: MakeCode,
        outputs: Mapping[str, Tensor],
        has_free_shapes: bool,
        flags: Sequence[str],
    ) -> None:
        self._model = model
        self._make_code = make_code
        self._outputs = outputs
        self._has_free_shapes = has_free_shapes
        self._flags = flags
        self._ranks = {}
        for port in model.inputs:
            self._ranks[port.any_name] = len(port.partial_shape)
        self._compiled: dict[Shapes, Any] = {}
        self._lock = threading.Lock()
        self._of_thread = threading.local()

    def __call__(self, **inputs: torch.Tensor) -> dict[str, torch.Tensor]:
        """Compute a mini-batch on one thread.

        Args:
            inputs: one tensor (rows, *shape) per input of the graph, by name.

        Raises:
            OverflowError: an integer is larger than OpenVINO's, of the rows or inside the graph.
            IndexError: a row looks up what is not there, or has more steps than its sequence.
            ZeroDivisionError: the graph divides an integer of a row by 0.
            ValueError: the graph makes NaN of a row, and loses it.
            RuntimeError: what OpenVINO says of the rows, or of memory.
        """
        arrays = self._lay_out(inputs)
        # Of no rows OpenVINO gives those of the call before.
        if count_rows(arrays) == 0:
            return self._make_empty()
        try:
            request = self._find_request(arrays)
            # Shared: what is computed is copied below, before the arrays are let go.
            request.infer(arrays, share_inputs=True)
        except RuntimeError as error:
            raise RuntimeError(shorten(error)) from error
        for flag in self._flags:
            if request.get_tensor(flag).data:
                kind, words = _ERRORS[flag]
                raise kind(words)
        return self._copy_outputs(request)

    def _lay_out(self, inputs: Mapping[str, torch.Tensor]) -> Arrays:
        arrays = {}
        # Without those of which the graph makes nothing: OpenVINO has left them out.
        for name, rank in self._ranks.items():
            array = lay_out(inputs[name], rank)
            _refuse_large(name, array)
            arrays[name] = array
        return arrays

    def _copy_outputs(self, request: Any) -> dict[str, torch.Tensor]:
        outputs = {}
        for name, declared in self._outputs.items():
            computed = request.get_tensor(name)
            # A view of memory that the next call writes to.
            own = computed.data.copy()
            rows = shape_rows(own, declared.shape)
            outputs[name] = torch.from_numpy(rows)
        return outputs

    def _find_request(self, arrays: Arrays) -> Any:
        """Return the calling thread's own request: one that is shared mixes rows of two calls."""
        shapes: Shapes = ()
        if not self._has_free_shapes:
            shapes = tuple((name, array.shape) for name, array in arrays.items())
        compiled = self._find_compiled(shapes)
        own: dict[Shapes, _Request] = self._of_thread.__dict__.setdefault("requests", {})
        kept = own.get(shapes)
        # The machine code of a shape is made anew when others have taken its place.
        if kept is not None and kept.compiled is compiled:
            return kept.request
        if len(own) == _MOST_COMPILED:
            own.clear()
        request = compiled.create_infer_request()
        own[shapes] = _Request(compiled, request)
        return request

    def _find_compiled(self, shapes: Shapes) -> Any:
        # Several threads come with the first mini-batch at the same time.
        with self._lock:
            found = self._compiled.get(shapes)
            if found is not None:
                return found
            if len(self._compiled) == _MOST_COMPILED:
                oldest = next(iter(self._compiled))
                del self._compiled[oldest]
            compiled = self._compile_for(shapes)
            self._compiled[shapes] = compiled
            return compiled

    def _compile_for(self, shapes: Shapes) -> Any:
        if not shapes:
            return self._make_code(self._model)
        fixed = self._model.clone()
        fixed.reshape(dict(shapes))
        return self._make_code(fixed)

    def _make_empty(self) -> dict[str, torch.Tensor]:
        outputs = {}
        for name, declared in self._outputs.items():
            dtype = getattr(torch, declared.dtype)
            shape = (0, *declared.shape)
            outputs[name] = torch.empty(shape, dtype=dtype)
        return outputs


def _refuse_large(name: str, array: np.ndarray) -> None:
    """Refuse integers that OpenVINO cannot hold: it would compute with others, in silence."""
    is_wide = array.dtype in _WIDE
    if not is_wide or not array.size:
        return
    is_large = array.max() > _LARGEST_INTEGER or array.min() < _SMALLEST_INTEGER
    if is_large:
        raise OverflowError(
            f"{name} has an integer beyond 32 bits, and OpenVINO computes with 32 on a CPU; "
            "set model.engine to onnxruntime"
        )
