"""A `.tflite` file, in the child: LiteRT on a CPU, with an interpreter for each call, as it computes one at a time.

Rows are given to it by making its inputs as long as the mini-batch; a model that has a fixed number of rows is
given that many at a time. Inputs and outputs of a quantised model are numbers of the job's all the same: they
are made integers, and of integers, by the scales that the file holds.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from model_zoo.engines.child.messages import Arrays

_FEWEST_BYTES = 16


@dataclass(frozen=True)
class Place:
    """An input or an output of a model.

    Attributes:
        name: for a job.
        index: for the interpreter.
        shape: of a row.
        dtype: in which the model has it.
        scale, zero_point: of a quantised one; 0 and 0 of another.
        is_free: whether any number of rows is taken.
    """

    name: str
    index: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    scale: float
    zero_point: int
    is_free: bool

    @property
    def is_quantised(self) -> bool:
        """Tell whether its numbers are integers that stand for others."""
        return bool(self.scale)

    def to_model(self, array: np.ndarray) -> np.ndarray:
        """Return numbers of a job as the model has them."""
        if not self.is_quantised:
            return np.ascontiguousarray(array, self.dtype)
        # An integer cannot be NaN: a row with NaN would be given a score.
        if not np.isfinite(array).all():
            raise ValueError("an input is not finite, and the model computes in integers")
        limits = np.iinfo(self.dtype)
        steps = np.round(array / self.scale) + self.zero_point
        return np.clip(steps, limits.min, limits.max).astype(self.dtype)

    def from_model(self, array: np.ndarray) -> np.ndarray:
        """Return numbers of the model as a job has them."""
        if not self.is_quantised:
            # A copy: the interpreter's own are overwritten by the next mini-batch.
            return np.array(array)
        steps = array.astype(np.float32) - np.float32(self.zero_point)
        return steps * np.float32(self.scale)


def load(content: bytes, card: Mapping[str, Any]) -> Callable[[], Callable[[Arrays], Arrays]]:
    """Return what makes a call for each thread.

    Args:
        content: of the file.
        card: not needed: the file names what it takes and gives.
    """
    return lambda: Model(content)


class Model:
    """An interpreter of a file, called with arrays by name."""

    def __init__(self, content: bytes) -> None:
        from ai_edge_litert.interpreter import Interpreter

        if len(content) < _FEWEST_BYTES or content[4:8] != b"TFL3":
            raise ValueError("it is no .tflite file")
        # Of the interpreter, which keeps reading it.
        self._interpreter = Interpreter(model_content=content, num_threads=1)
        self.inputs = _list_places(self._interpreter.get_input_details())
        self.outputs = _list_places(self._interpreter.get_output_details())
        self._rows = 0
        self._fixed_rows = _find_fixed_rows(self._interpreter)
        if self._fixed_rows:
            self._interpreter.allocate_tensors()

    def __call__(self, inputs: Arrays) -> Arrays:
        """Return the outputs of some rows.

        Raises:
            Exception: of the library, which does not take them.
        """
        rows = len(inputs[self.inputs[0].name])
        if not self._fixed_rows:
            return self._compute(inputs, rows)
        pieces: dict[str, list[np.ndarray]] = {place.name: [] for place in self.outputs}
        for start in range(0, rows, self._fixed_rows):
            piece = {}
            for name, array in inputs.items():
                piece[name] = _fill_up(array[start : start + self._fixed_rows], self._fixed_rows)
            for name, array in self._compute(piece, self._fixed_rows).items():
                pieces[name].append(array)
        # Without the rows that it was filled up with.
        return {name: np.concatenate(arrays)[:rows] for name, arrays in pieces.items()}

    def _compute(self, inputs: Arrays, rows: int) -> Arrays:
        if rows != self._rows and not self._fixed_rows:
            for place in self.inputs:
                self._interpreter.resize_tensor_input(place.index, [rows, *place.shape])
            self._interpreter.allocate_tensors()
            self._rows = rows
        for place in self.inputs:
            array = place.to_model(inputs[place.name])
            self._interpreter.set_tensor(place.index, array)
        self._interpreter.invoke()
        outputs = {}
        for place in self.outputs:
            array = self._interpreter.get_tensor(place.index)
            outputs[place.name] = place.from_model(array)
        return outputs


def _list_places(details: Any) -> tuple[Place, ...]:
    places = []
    for detail in details:
        scales = detail["quantization_parameters"]["scales"]
        zero_points = detail["quantization_parameters"]["zero_points"]
        is_quantised = len(scales) == 1
        place = Place(
            name=_shorten(detail["name"]),
            index=int(detail["index"]),
            shape=tuple(int(size) for size in detail["shape"][1:]),
            dtype=np.dtype(detail["dtype"]),
            scale=float(scales[0]) if is_quantised else 0.0,
            zero_point=int(zero_points[0]) if is_quantised else 0,
            is_free=_has_free_rows(detail),
        )
        places.append(place)
    return tuple(places)


def _shorten(name: str) -> str:
    """Return a tensor's name without what TensorFlow puts around an argument's: `serving_default_x:0`."""
    plain, _, _ = name.partition(":")
    return plain.removeprefix("serving_default_")


def _has_free_rows(detail: Any) -> bool:
    signature = detail["shape_signature"]
    return len(signature) > 0 and int(signature[0]) < 0


def _find_fixed_rows(interpreter: Any) -> int:
    """Return how many rows the model always takes; 0 where it takes any number."""
    details = interpreter.get_input_details()
    if not details or any(len(detail["shape"]) == 0 for detail in details):
        raise ValueError("it has an input without rows")
    if all(_has_free_rows(detail) for detail in details):
        return 0
    counts = {int(detail["shape"][0]) for detail in details}
    if len(counts) != 1 or min(counts) < 1:
        raise ValueError("its inputs take different numbers of rows")
    return counts.pop()


def _fill_up(array: np.ndarray, rows: int) -> np.ndarray:
    """Return an array of exactly so many rows, the last one again and again."""
    missing = rows - len(array)
    if not missing:
        return array
    return np.concatenate([array, np.repeat(array[-1:], missing, axis=0)])
