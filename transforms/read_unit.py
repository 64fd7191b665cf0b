"""Read the rows of one unit.

Apart from the transform, as planning reads the rows that name files, without Beam.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from pyarrow import Schema

from transforms.batches import RawBatch, RowRecord, WorkUnit
from transforms.formats.format import Format
from transforms.formats.held_shards import hold_small
from transforms.formats.unchanged import check_unchanged
from transforms.lost_rows import read_around_broken
from transforms.shards_together import read_together


def read_unit(
    unit: WorkUnit,
    schema: Schema,
    format: Format,
    rows_per_batch: int,
    record: RowRecord,
    goes_on: bool = False,
) -> Iterator[RawBatch]:
    """Yield the rows of one unit, in order; see `Format.read`.

    Args:
        unit: the unit.
        schema: the columns to read, with their types.
        format: how its file is read.
        rows_per_batch: rows of a batch, at most.
        record: what is kept of a rejected row.
        goes_on: whether a shard that breaks or changes costs its own rows alone, see `lost_rows.py`.

    Raises:
        InputError: the shard changed since the plan was made, or cannot be read.
    """
    read_member = partial(
        read_unit,
        schema=schema,
        format=format,
        rows_per_batch=rows_per_batch,
        record=record,
        goes_on=goes_on,
    )
    if unit.members:
        yield from read_together(unit, read_member, rows_per_batch)
        return
    read = partial(
        _read_unchanged,
        schema=schema,
        format=format,
        rows_per_batch=rows_per_batch,
        record=record,
        looks_at_all=goes_on,
    )
    batches = read(unit)
    if goes_on:
        batches = read_around_broken(unit, read, check_unchanged, format, schema, record)
    for batch in batches:
        yield replace(batch, record=record)


def _read_unchanged(
    unit: WorkUnit,
    schema: Schema,
    format: Format,
    rows_per_batch: int,
    record: RowRecord,
    looks_at_all: bool,
) -> Iterator[RawBatch]:
    """Yield the rows of one shard's unit, as they were when the plan was made.

    Args:
        unit, schema, format, rows_per_batch, record: as for `read_unit`.
        looks_at_all: whether each batch is known to be of the planned content before it goes on, and
            not only the unit before it ends.

    Raises:
        InputError: the shard changed, or cannot be read.
    """
    with hold_small(unit) as is_held:
        if not is_held:
            check_unchanged(unit)
        for batch in format.read(unit, schema, rows_per_batch, record):
            # Looked at before the writer records the unit as done: a retried bundle would not look
            # again. What is held is of one version, and cannot change.
            if not is_held and (batch.last or looks_at_all):
                check_unchanged(unit)
            yield batch
