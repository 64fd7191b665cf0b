"""A `.tflite` file, in the child: LiteRT on a CPU, with an interpreter for each call, as it computes one at a time.

Rows are given to it by making its inputs as long as the mini-batch; a model that has a fixed number of rows is
given that many at a time. Inputs and outputs of a quantised model are numbers of the job's all the same: they
are made integers, and of integers, by the scales that the file holds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from model_zoo.engines.child.messages import Arrays, MakeCall

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
        # No integer is NaN, and of floats its largest of several and its powers are numbers, too: a
        # row with NaN would be given a score, and of infinity NaN may come inside.
        if not np.isfinite(array).all():
            raise ValueError("an input is NaN or infinite, and LiteRT may make a number of that")
        if not self.is_quantised:
            return np.ascontiguousarray(array, self.dtype)
        limits = np.iinfo(self.dtype)
        steps = np.round(array / self.scale)
        integers = np.clip(steps + self.zero_point, limits.min, limits.max)
        return integers.astype(self.dtype)

    def from_model(self, array: np.ndarray) -> np.ndarray:
        """Return numbers of the model as a job has them."""
        if not self.is_quantised:
            # A copy: the interpreter's own are overwritten by the next mini-batch.
            return np.array(array)
        numbers = array.astype(np.float32)
        zero_point = np.float32(self.zero_point)
        scale = np.float32(self.scale)
        return (numbers - zero_point) * scale


def load(content: bytes, card: Mapping[str, Any]) -> MakeCall:
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
        interpreter = Interpreter(model_content=content, num_threads=1)
        taken = interpreter.get_input_details()
        given = interpreter.get_output_details()
        self.inputs = _list_places(taken)
        self.outputs = _list_places(given)
        self._interpreter = interpreter
        self._rows = 0
        self._fixed_rows = _find_fixed_rows(interpreter)
        if self._fixed_rows:
            interpreter.allocate_tensors()

    def __call__(self, inputs: Arrays) -> Arrays:
        """Return the outputs of some rows.

        Raises:
            Exception: of the library, which does not take them.
        """
        first, *_ = self.inputs
        rows = len(inputs[first.name])
        count = self._fixed_rows
        if not count:
            return self._compute(inputs, rows)
        names = [place.name for place in self.outputs]
        pieces: dict[str, list[np.ndarray]] = {name: [] for name in names}
        for start in range(0, rows, count):
            stop = start + count
            piece = {}
            for name, array in inputs.items():
                given = array[start:stop]
                piece[name] = _fill_up(given, count)
            computed = self._compute(piece, count)
            for name, array in computed.items():
                pieces[name].append(array)
        outputs = {}
        for name, arrays in pieces.items():
            together = np.concatenate(arrays)
            # Without the rows that it was filled up with.
            outputs[name] = together[:rows]
        return outputs

    def _compute(self, inputs: Arrays, rows: int) -> Arrays:
        interpreter = self._interpreter
        if rows != self._rows and not self._fixed_rows:
            self._make_room(rows)
        for place in self.inputs:
            array = place.to_model(inputs[place.name])
            interpreter.set_tensor(place.index, array)
        interpreter.invoke()
        outputs = {}
        for place in self.outputs:
            array = interpreter.get_tensor(place.index)
            outputs[place.name] = place.from_model(array)
        return outputs

    def _make_room(self, rows: int) -> None:
        """Make the inputs as long as a mini-batch."""
        for place in self.inputs:
            shape = [rows, *place.shape]
            self._interpreter.resize_tensor_input(place.index, shape)
        self._interpreter.allocate_tensors()
        self._rows = rows


def _list_places(details: Any) -> tuple[Place, ...]:
    places = list(map(_make_place, details))
    return tuple(places)


def _make_place(detail: Any) -> Place:
    parameters = detail["quantization_parameters"]
    scale = 0.0
    zero_point = 0
    # Several are those of weights, each channel with its own.
    if len(parameters["scales"]) == 1:
        scale = float(parameters["scales"][0])
        zero_point = int(parameters["zero_points"][0])
    sizes = detail["shape"][1:]
    return Place(
        name=_shorten(detail["name"]),
        index=int(detail["index"]),
        shape=tuple(map(int, sizes)),
        dtype=np.dtype(detail["dtype"]),
        scale=scale,
        zero_point=zero_point,
        is_free=_has_free_rows(detail),
    )


def _shorten(name: str) -> str:
    """Return a tensor's name without what TensorFlow puts around an argument's: `serving_default_x:0`."""
    plain, _, _ = name.partition(":")
    return plain.removeprefix("serving_default_")


def _has_free_rows(detail: Any) -> bool:
    signature = detail["shape_signature"]
    if len(signature) == 0:
        return False
    rows = int(signature[0])
    # The library's word for a size that is not fixed is -1.
    return rows < 0


def _find_fixed_rows(interpreter: Any) -> int:
    """Return how many rows the model always takes; 0 where it takes any number."""
    details = interpreter.get_input_details()
    shapes = [detail["shape"] for detail in details]
    are_lists = [len(shape) > 0 for shape in shapes]
    if not details or not all(are_lists):
        raise ValueError("it has an input without rows")
    if all(map(_has_free_rows, details)):
        return 0
    counts = {int(shape[0]) for shape in shapes}
    if len(counts) != 1 or min(counts) < 1:
        raise ValueError("its inputs take different numbers of rows")
    return counts.pop()


def _fill_up(array: np.ndarray, rows: int) -> np.ndarray:
    """Return an array of exactly so many rows, the last one again and again."""
    missing = rows - len(array)
    if not missing:
        return array
    last = array[-1:]
    repeated = np.repeat(last, missing, axis=0)
    return np.concatenate([array, repeated])
