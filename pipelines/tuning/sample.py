"""Some rows of a job to tune on, and how they are handed to a network."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from configs.errors import InputError
from model_zoo.arrays import Arrays, count_rows
from model_zoo.engines.machine import cores
from pipelines.planning.inference_settings import bytes_per_row
from pipelines.planning.plan import Plan
from transforms.batches import FeatureBatch, RawBatch
from transforms.preprocess import preprocess_batch
from transforms.read import read_unit
from transforms.rejected import RowRecord

# All of it is in memory, beside the scores of every setting.
_SAMPLE_BYTES = 300 << 20
# Texts differ in length: what a mini-batch of them takes is seen only where there are several.
_TEXT_MINI_BATCHES = 16
# Enough to see the whole input, few enough to have their files open.
_UNITS = 8


@dataclass(frozen=True)
class Sample:
    """Some rows of a job.

    Attributes:
        inputs: what the network takes of them, in parts that workers take in turn.
        prepare: makes a part, named by its number, again from the rows that were read, as a worker
            does.
    """

    inputs: tuple[Arrays, ...]
    prepare: Callable[[int], Arrays]

    @property
    def rows(self) -> int:
        return sum(count_rows(part) for part in self.inputs)


def take_sample(plan: Plan, most_rows: int) -> Sample:
    """Return rows from the beginnings of units all over the input, in parts of a mini-batch.

    Of texts a part has several mini-batches.

    Args:
        plan: what the job would do.
        most_rows: no more rows than about so many.

    Raises:
        InputError: preprocessing takes no row.
    """
    card = plan.package.card
    fitting = max(1, _SAMPLE_BYTES // bytes_per_row(card))
    wanted = min(most_rows, fitting)
    mini_batches = 1 if card.mask is None else _TEXT_MINI_BATCHES
    part_rows = plan.inference.settings.batch_rows * mini_batches
    # Every core shall have a part.
    rows_per_core = -(-wanted // cores())
    raw: list[RawBatch] = []
    inputs: list[Arrays] = []
    rows = 0
    for batch in _read_batches(plan, min(part_rows, rows_per_core)):
        features = _preprocess(plan, batch)
        if len(features):
            raw.append(batch)
            inputs.append(features.inputs)
            rows += len(features)
        if rows >= wanted:
            break
    if not rows:
        raise InputError(
            "there is no row to tune on that preprocessing takes; name an input with rows"
        )
    return Sample(tuple(inputs), lambda number: _preprocess(plan, raw[number]).inputs)


def join_parts(parts: Sequence[Arrays], rows: int) -> Sequence[Arrays]:
    """Return the same rows in parts of at least `rows` rows.

    No place in a mini-batch then stays empty but in the last one.

    Args:
        parts: arrays (rows, ...) by name.
        rows: of a mini-batch.
    """
    if all(count_rows(part) >= rows for part in parts[:-1]):
        return parts
    groups: list[list[Arrays]] = []
    for part in parts:
        is_full = not groups or _count_group(groups[-1]) >= rows
        if is_full:
            groups.append([part])
        else:
            groups[-1].append(part)
    return [_join_group(group) for group in groups]


def _preprocess(plan: Plan, batch: RawBatch) -> FeatureBatch:
    card = plan.package.card
    return preprocess_batch(batch, card.columns, plan.steps, card.inputs)


def _count_group(group: Sequence[Arrays]) -> int:
    return sum(count_rows(part) for part in group)


def _join_group(group: Sequence[Arrays]) -> Arrays:
    joined: Arrays = {}
    for name in group[0]:
        joined[name] = _concatenate([part[name] for part in group])
    return joined


def _concatenate(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Join as numpy does, with the layout in memory that preprocessing gave the arrays."""
    shape = (sum(len(array) for array in arrays), *arrays[0].shape[1:])
    # numpy alone would make rows of what stands in columns, and hide what turning it takes.
    joined = np.empty_like(arrays[0], shape=shape, order="K")
    return np.concatenate(arrays, out=joined)


def _read_batches(plan: Plan, rows: int) -> Iterator[RawBatch]:
    """Yield the first batches of units all over the plan, then their second ones, and so on."""
    units = [unit for unit in plan.units if unit.rows != 0]
    step = max(1, len(units) // _UNITS)
    chosen = units[::step][:_UNITS]
    readers = [read_unit(unit, plan.schema, plan.format, rows, RowRecord()) for unit in chosen]
    while readers:
        for reader in tuple(readers):
            batch = next(reader, None)
            if batch is None:
                readers.remove(reader)
            else:
                yield batch
