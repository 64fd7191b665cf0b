"""Some rows of a job to tune on, and how they are handed to a network."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from configs.errors import InputError
from model_zoo.machine import cores
from pipelines.plan import Plan
from pipelines.speed import bytes_per_row
from transforms.batches import Arrays, RawBatch
from transforms.preprocess import preprocess_batch
from transforms.read import read_unit
from transforms.rejected import RowRecord

_SAMPLE_BYTES = 300 << 20
_TEXT_MINI_BATCHES = 16
_UNITS = 8


@dataclass(frozen=True)
class Sample:
    """Some rows of a job.

    Attributes:
        inputs: what the network takes of them, in pieces that workers take in turn.
        prepare: makes such a piece again from the rows that were read, as a worker does.
    """

    inputs: tuple[Arrays, ...]
    prepare: Callable[[int], Arrays]

    @property
    def rows(self) -> int:
        return sum(rows_of(piece) for piece in self.inputs)


def sample_of(plan: Plan, most_rows: int) -> Sample:
    """Rows from the beginnings of units all over the input, in pieces of a mini-batch; of texts of several, as lengths differ."""
    card = plan.package.card
    wanted = min(most_rows, max(1, _SAMPLE_BYTES // bytes_per_row(card)))
    piece = plan.speed.settings.batch_rows * (1 if card.mask is None else _TEXT_MINI_BATCHES)
    raw: list[RawBatch] = []
    inputs: list[Arrays] = []
    rows = 0
    for batch in _batches(plan, min(piece, -(-wanted // cores()))):
        features = preprocess_batch(batch, plan.missing, plan.steps, plan.inputs)
        if len(features):
            raw.append(batch)
            inputs.append(features.inputs)
            rows += len(features)
        if rows >= wanted:
            break
    if not rows:
        raise InputError("there is no row to tune on that preprocessing takes; name an input with rows")
    return Sample(tuple(inputs), lambda i: preprocess_batch(raw[i], plan.missing, plan.steps, plan.inputs).inputs)


def rows_of(piece: Arrays) -> int:
    """How many."""
    return len(next(iter(piece.values())))


def joined(pieces: Sequence[Arrays], rows: int) -> Sequence[Arrays]:
    """The same rows in pieces of at least so many, so that no slot of a mini-batch stays empty but in the last."""
    if all(rows_of(piece) >= rows for piece in pieces[:-1]):
        return pieces
    together: list[list[Arrays]] = []
    for piece in pieces:
        if together and sum(map(rows_of, together[-1])) < rows:
            together[-1].append(piece)
        else:
            together.append([piece])
    return [{name: _concatenated([p[name] for p in parts]) for name in parts[0]} for parts in together]


def _concatenated(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """As numpy does it, with the layout in memory that preprocessing gave them."""
    room = np.empty_like(arrays[0], shape=(sum(map(len, arrays)), *arrays[0].shape[1:]), order="K")
    return np.concatenate(arrays, out=room)


def _batches(plan: Plan, rows: int) -> Iterator[RawBatch]:
    """The first batches of some units, spread over the plan; then the second ones of all, and so on."""
    units = [u for u in plan.units if u.rows != 0]
    chosen = units[:: max(1, len(units) // _UNITS)][:_UNITS]
    readers = [read_unit(u, plan.schema, plan.job.source.format, rows, RowRecord(), plan.csv) for u in chosen]
    while readers:
        for reader in tuple(readers):
            batch = next(reader, None)
            if batch is None:
                readers.remove(reader)
            else:
                yield batch
