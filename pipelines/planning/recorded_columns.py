"""Whether rows can be rejected: taken out of their batch one by one, and recorded in Parquet."""

import pyarrow as pa
from pyarrow import DataType, Schema

from configs.errors import JobError
from transforms.formats.parquet_output import can_store
from transforms.logical_types import take_values


def refuse_unrecorded(
    schema: Schema,
    key: str | None,
    with_values: bool,
) -> None:
    """Refuse columns with which no row could be rejected, before one has to be.

    Args:
        schema: the columns that are read.
        key: the one that names a row in its record.
        with_values: whether the others are recorded, too.

    Raises:
        JobError: there is such a column.
    """
    for field in schema:
        if not _can_take(field.type):
            raise JobError(
                f"column {field.name!r} is {field.type}, of which no single row can be taken, and so "
                "none be rejected; leave it out, or write the file with another type"
            )

    recorded = [field for field in schema if with_values or field.name == key]
    # Nearly always: at once.
    if can_store(pa.schema(recorded)):
        return
    for field in recorded:
        if can_store(pa.schema([field])):
            continue
        way_out = "leave errors.store_values out"
        if field.name == key:
            way_out = "name another key"
        raise JobError(
            f"column {field.name!r} is {field.type}, which Parquet has no place for, and rejected "
            f"rows are recorded in Parquet; {way_out}"
        )


def _can_take(dtype: DataType) -> bool:
    missing = pa.nulls(1, dtype)
    first = pa.array([0])
    try:
        take_values(missing, first)
    except pa.ArrowNotImplementedError:
        return False
    return True
