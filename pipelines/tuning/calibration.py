"""Rows of the sample in mini-batches, as an engine calibrates a network with them."""

from collections.abc import Iterator
from typing import TypeAlias

import torch

from model_zoo.arrays import Arrays, count_rows
from model_zoo.package.card import ModelCard
from model_zoo.scoring.length_buckets import cut_to_longest
from model_zoo.tensors import to_tensors
from pipelines.tuning.reference import Reference, select_rows
from pipelines.tuning.sample import Parts

Tensors: TypeAlias = dict[str, torch.Tensor]


def make_mini_batches(
    card: ModelCard,
    parts: Parts,
    reference: Reference,
    batch_rows: int,
    most_rows: int,
) -> Iterator[Tensors]:
    """Yield the first rows that float32 scores, in mini-batches.

    Texts come without the padding that no text of their mini-batch needs.

    Args:
        card: the model's.
        parts: the sample's inputs, arrays (rows, ...) by name.
        reference: tells which rows float32 scores.
        batch_rows: rows of a mini-batch.
        most_rows: rows of all mini-batches, at most.
    """
    left = most_rows
    for good in _select_good(parts, reference):
        for start in range(0, count_rows(good), batch_rows):
            if left <= 0:
                return
            rows = min(batch_rows, left)
            batch = _cut_rows(good, start, rows)
            # The last rows of a part may be fewer.
            left -= count_rows(batch)
            without_padding = cut_to_longest(card, batch)
            yield to_tensors(without_padding)


def _select_good(parts: Parts, reference: Reference) -> Iterator[Arrays]:
    """Yield the rows of each part that float32 scores."""
    start = 0
    for part in parts:
        stop = start + count_rows(part)
        is_good = reference.is_good[start:stop]
        yield select_rows(part, is_good)
        start = stop


def _cut_rows(arrays: Arrays, start: int, rows: int) -> Arrays:
    stop = start + rows
    taken = slice(start, stop)
    return {name: values[taken] for name, values in arrays.items()}
