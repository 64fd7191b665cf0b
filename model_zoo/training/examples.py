"""Rows that a network learns from, or is judged by: what it takes, and what it is to give."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
import hashlib
import json
from typing import TypeAlias

import numpy as np

from model_zoo.arrays import Arrays

# The inputs of one mini-batch and what to draw from -> inputs of the same names, shapes and dtypes.
# Each mini-batch has a generator of its own, so that a resumed training draws what it would have.
Augment: TypeAlias = Callable[[Arrays, np.random.Generator], Arrays]


@dataclass(frozen=True)
class Examples:
    """Rows with their answers.

    Attributes:
        inputs: of the network, (rows, ...) by name.
        targets: class numbers, int64 (rows,); or numbers, float32 (rows,) or (rows, numbers): of a
            regression, and 0 or 1 of two classes and of label sets.
    """

    inputs: Arrays
    targets: np.ndarray

    def __len__(self) -> int:
        return len(self.targets)


def digest_examples(examples: Examples) -> str:
    """Return a digest of all numbers, their names, shapes and dtypes."""
    return digest_arrays({**examples.inputs, "": examples.targets})


def digest_arrays(arrays: Mapping[str, np.ndarray]) -> str:
    """Return a digest of all numbers, their names, shapes and dtypes, in this order."""
    digest = hashlib.sha256()
    for name, array in arrays.items():
        # Bytes alone would be alike for other shapes.
        kind = json.dumps([name, str(array.dtype), array.shape])
        digest.update(kind.encode())
        contiguous = np.ascontiguousarray(array)
        flat = contiguous.reshape(-1)
        as_bytes = flat.view(np.uint8)
        digest.update(as_bytes.data)
    return digest.hexdigest()
