"""A sample of a job's rows, as the network takes them, in parts that workers take in turn."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple, TypeAlias

import numpy as np

from model_zoo.arrays import Arrays, count_rows

Parts: TypeAlias = Sequence[Arrays]


class ReadRows(NamedTuple):
    """Some rows as they were read.

    Attributes:
        batch: the number of the batch that they are of.
        start: the first of them in that batch.
        length: how many they are.
    """

    batch: int
    start: int
    length: int


# Makes what the network takes of rows, as a worker does.
Prepare: TypeAlias = Callable[[ReadRows], Arrays]


@dataclass(frozen=True)
class Sample:
    """Some rows of a job.

    Attributes:
        inputs: what the network takes of them, in parts that workers take in turn.
        batches: how many rows each batch has that was read. A worker preprocesses a whole batch at
            once: of the few rows of a mini-batch each would take many times as long.
        prepare: makes inputs again from rows that were read, as a worker does.
        read_seconds: that one worker takes to read a row.
    """

    inputs: tuple[Arrays, ...]
    batches: tuple[int, ...]
    prepare: Prepare
    read_seconds: float = 0.0

    @property
    def rows(self) -> int:
        return count_all_rows(self.inputs)


def count_all_rows(parts: Parts) -> int:
    """Return the number of rows of all parts together."""
    return sum(count_rows(part) for part in parts)


def cut_batches(batches: Sequence[int], most_rows: int) -> list[ReadRows]:
    """Return all rows of batches, in equal pieces of each batch.

    Args:
        batches: how many rows each has.
        most_rows: of a piece.
    """
    pieces = []
    for number, rows in enumerate(batches):
        count = -(-rows // most_rows)
        edges = [rows * edge // count for edge in range(count + 1)]
        for start, stop in pairwise(edges):
            pieces.append(ReadRows(number, start, stop - start))
    return pieces


def join_parts(parts: Parts, rows: int) -> Parts:
    """Return the same rows in parts of at least `rows` rows.

    Only the last mini-batch can then have places that no row fills.

    Args:
        parts: arrays (rows, ...) by name.
        rows: of a mini-batch.
    """
    sizes = [count_rows(part) for part in parts]
    # The last one may have fewer.
    if all(size >= rows for size in sizes[:-1]):
        # Nothing is copied.
        return parts

    groups: list[list[Arrays]] = [[]]
    rows_in_group = 0
    for part in parts:
        if rows_in_group >= rows:
            groups.append([])
            rows_in_group = 0
        group = groups[-1]
        group.append(part)
        rows_in_group += count_rows(part)
    return [_join_group(group) for group in groups]


def _join_group(group: Parts) -> Arrays:
    joined: Arrays = {}
    for name in group[0]:
        arrays = [part[name] for part in group]
        joined[name] = _concatenate(arrays)
    return joined


def _concatenate(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Join as numpy does, with the layout in memory that preprocessing gave the arrays."""
    first = arrays[0]
    rows = sum(map(len, arrays))
    row_shape = first.shape[1:]
    shape = (rows, *row_shape)
    # numpy alone would make rows of what stands in columns, and so hide the time that a worker
    # needs to turn them.
    joined = np.empty_like(first, shape=shape, order="K")
    return np.concatenate(arrays, out=joined)
