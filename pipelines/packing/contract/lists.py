"""Columns of lists in the sample -> steps that give each the one shape that a network takes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import TypeAlias

import numpy as np
import pyarrow as pa
from pydantic import ValidationError

from configs.errors import JobError
from configs.packaging import PackagingJob
from model_zoo.steps.arrays import holds_numbers
from model_zoo.steps.columns import Column
from model_zoo.steps.lists import find_item_type, is_list, list_lengths
from model_zoo.steps.pad import Pad
from model_zoo.steps.table import AnyStep

Job: TypeAlias = PackagingJob[AnyStep]

Columns: TypeAlias = Mapping[str, Column]
# 2 GiB of doubles; and what a smoke batch, a few rows, has room for.
_MOST_NUMBERS = 1 << 28
_MOST_NUMBERS_OF_A_ROW = 1 << 20


@dataclass(frozen=True)
class PaddedLists:
    """What becomes of the columns of lists.

    Attributes:
        steps: one for each column of lists.
        columns: all columns, with lists as arrays and their masks.
    """

    steps: tuple[Pad, ...]
    columns: dict[str, Column]

    @property
    def masks(self) -> frozenset[str]:
        """Return the names of the columns that are masks."""
        masks = [step.mask_into for step in self.steps if step.mask_into is not None]
        return frozenset(masks)

    def keep_taken(self, taken: Sequence[str]) -> list[Pad]:
        """Return the steps of columns that the network takes; a mask that it does not take is not made.

        Args:
            taken: names of the columns that it takes.
        """
        kept = []
        for step in self.steps:
            without_mask = step.model_copy(update={"mask_into": None})
            if step.mask_into in taken:
                kept.append(step)
            elif step.into in taken:
                kept.append(without_mask)
        return kept


def pad_lists(job: Job, columns: Columns, rows: int) -> PaddedLists:
    """Return how the columns that still are lists become arrays.

    Lists that are all of one length in the sample must be so when they are scored. Others are padded
    to the length that the job declares, or to that of the longest.

    Args:
        job: the job, which may declare lengths.
        columns: what the job's own steps have made.
        rows: their number.

    Raises:
        JobError: lists inside lists differ in length, or no list has an item.
    """
    steps = []
    made = dict(columns)
    for name, column in columns.items():
        if isinstance(column, np.ndarray) or not is_list(column.type):
            continue
        # Of empty lists alone Arrow knows no type of items.
        item_type = find_item_type(column.type)
        if pa.types.is_null(item_type):
            raise _refuse_empty(name)
        # Lists of texts are refused where the network would take them.
        if not holds_numbers(column.type):
            continue
        step = _find_step(job, name, column)
        numbers = prod(step.shape)
        refuse_large(name, numbers, rows)
        steps.append(step)
        made |= step.apply(columns, rows)
    return PaddedLists(tuple(steps), made)


def find_too_long(job: Job, sample: pa.Table) -> np.ndarray:
    """Return (bool) which rows of the sample have a list longer than the job declares, and not cut.

    Args:
        job: the job.
        sample: its rows.
    """
    is_too_long = np.zeros(sample.num_rows, bool)
    for name, most in job.lengths.items():
        # What is cut is never too long.
        if name in job.cut:
            continue
        lists = sample.column(name).combine_chunks()
        lengths = list_lengths(lists)
        is_too_long |= lengths > most
    return is_too_long


def _find_step(job: Job, name: str, lists: pa.Array) -> Pad:
    lengths = list_lengths(lists)
    longest = int(lengths.max(initial=0))
    if not longest:
        raise _refuse_empty(name)
    said = job.lengths.get(name)
    length = said or longest
    is_cut = name in job.cut
    are_alike = int(lengths.min()) == longest
    is_fixed = said is None and are_alike and not is_cut
    items = lists.flatten()
    inner_shape = _find_inner_shape(name, items)
    fields = {
        "step": "pad",
        "column": name,
        "shape": (length, *inner_shape),
        "longer": "cut" if is_cut else "reject",
        "shorter": "reject" if is_fixed else "pad",
        "into": name,
        "mask_into": None if is_fixed else f"{name}_mask",
    }
    try:
        return Pad.model_validate(fields)
    except ValidationError as error:
        first, *_ = error.errors()
        reason = first["msg"]
        raise JobError(
            f"column {name!r}: lists of {length:,} items are not taken: {reason}"
        ) from error


def _refuse_empty(name: str) -> JobError:
    return JobError(
        f"column {name!r}: no list of the sample has an item; leave it out in columns, or give a "
        "sample that has some"
    )


def refuse_large(name: str, numbers: int, rows: int) -> None:
    """Refuse lists that fill the memory once they are all as long as the longest.

    Args:
        name: of the column.
        numbers: of a row, once it is padded.
        rows: of the sample.

    Raises:
        JobError: they do.
    """
    # Once for the sample, and once for a row of it, as a smoke batch has a few.
    fills_memory = numbers * rows > _MOST_NUMBERS
    if fills_memory or numbers > _MOST_NUMBERS_OF_A_ROW:
        raise JobError(
            f"column {name!r}: {rows:,} rows of the sample come to {numbers:,} numbers each once "
            f"they are padded, which is too much; say a smaller lengths.{name} with cut: {name}, "
            "or give a smaller sample"
        )


def _find_inner_shape(name: str, values: pa.Array) -> tuple[int, ...]:
    """Return the lengths of the lists inside lists, which all must have."""
    shape = []
    while is_list(values.type):
        lengths = list_lengths(values)
        # Where all lists around them are empty.
        if not len(lengths):
            raise _refuse_empty(name)
        shortest = int(lengths.min())
        longest = int(lengths.max())
        if shortest != longest:
            raise JobError(
                f"column {name!r}: the lists inside its lists have {shortest:,} to {longest:,} "
                "items, and a network takes vectors of one length; make them so with a function step"
            )
        shape.append(longest)
        values = values.flatten()
    return tuple(shape)
