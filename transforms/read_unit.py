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
        goes_on: whether a shard that breaks costs its own rows alone, see `lost_rows.py`.

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
    with hold_small(unit) as is_held:
        if not is_held:
            check_unchanged(unit)
        if goes_on:
            batches = read_around_broken(
                unit, format, schema, rows_per_batch, record, check_unchanged
            )
        else:
            batches = format.read(unit, schema, rows_per_batch, record)
        for batch in batches:
            # Looked at before the writer records the unit as done: a retried bundle would not look
            # again. What is held is of one version, and cannot change.
            if batch.last and not is_held:
                check_unchanged(unit)
            yield replace(batch, record=record)
