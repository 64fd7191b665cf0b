"""A server's model, called with arrays as a card has them, in the shapes that the server wants."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from model_zoo.arrays import Arrays, count_rows
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
        rows = count_rows(inputs)
        sent = {}
        for name, array in inputs.items():
            shaped = self._shape(name, array)
            sent[name] = self._fill(shaped)
        outputs = self.call(sent)
        # Without the scores of rows that were only there to fill the request.
        return {name: array[:rows] for name, array in outputs.items()}

    def _shape(self, name: str, array: np.ndarray) -> np.ndarray:
        """Return an input in the form that the server takes.

        Args:
            name: the input's.
            array: (rows, ...) as cards have it: a number a row, or texts as `text_bytes` makes them.
        """
        spec = self.described.inputs.get(name)
        # Some servers tell nothing; then it goes as it is.
        if spec is None:
            return array
        if spec.dtype == TEXTS:
            array = read_texts(array)
        sizes_of_row = len(spec.shape)
        if array.ndim > sizes_of_row:
            return array
        # The server wants a list where we have a single value: a list of one.
        ones = [1] * sizes_of_row
        return array.reshape(len(array), *ones)

    def _fill(self, array: np.ndarray) -> np.ndarray:
        """Return as many rows as the server insists on: the last one again and again."""
        wanted = self.described.most_rows
        if self.described.takes_fewer_rows or wanted is None:
            return array
        rows = len(array)
        if rows >= wanted:
            return array
        last = rows - 1
        positions = np.minimum(np.arange(wanted), last)
        return array[positions]
