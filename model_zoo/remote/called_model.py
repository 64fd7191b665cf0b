"""A server's model, called with arrays as a card has them, in the shapes that the server wants."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from model_zoo.arrays import Arrays
from model_zoo.remote.client import Description
from model_zoo.remote.texts import TEXTS, read_texts


@dataclass(frozen=True)
class CalledModel:
    """A model that is called with any rows that one request may have.

    Attributes:
        call: sends a request, and gives its outputs.
        described: what the server says of it.
    """

    call: Callable[[Arrays], Arrays]
    described: Description

    def __call__(self, inputs: Arrays) -> Arrays:
        """Return all outputs (rows, ...), by name.

        Args:
            inputs: one array (rows, ...) per input.
        """
        rows = len(next(iter(inputs.values())))
        shaped = {name: self._shape(name, array) for name, array in inputs.items()}
        outputs = self.call(self._fill(shaped, rows))
        return {name: array[:rows] for name, array in outputs.items()}

    def _shape(self, name: str, array: np.ndarray) -> np.ndarray:
        """Return texts where the server takes those, and numbers and texts as lists of one, where it takes those."""
        spec = self.described.inputs.get(name)
        if spec is None:
            return array
        if spec.dtype == TEXTS:
            array = read_texts(array)
        if array.ndim > len(spec.shape):
            return array
        return array.reshape(len(array), *[1] * len(spec.shape))

    def _fill(self, arrays: Arrays, rows: int) -> Arrays:
        """Return as many rows as the server insists on: the last one again and again."""
        wanted = self.described.most_rows
        if self.described.takes_fewer_rows or wanted is None or rows >= wanted:
            return arrays
        places = np.minimum(np.arange(wanted), rows - 1)
        return {name: array[places] for name, array in arrays.items()}
