"""Rows of files that tell their types, in the types that a run has for them."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from pyarrow import Array, RecordBatch, Schema
from pyarrow.types import is_dictionary

from configs.errors import RejectedRows
from transforms.batches import RawBatch, RowRecord, WorkUnit
from transforms.formats.broken_texts import blank_unchecked_texts
from transforms.formats.format import number_slices
from transforms.formats.parquet_casts import cast_column, lacks_fixed_lists
from transforms.inside import list_inside
from transforms.logical_types import cast_exactly, holds, plain_type
from transforms.rejected import reject_rows


def cast_slices(
    unit: WorkUnit,
    stored: RecordBatch,
    done: int,
    schema: Schema,
    rows_per_batch: int,
    record: RowRecord,
) -> Iterator[RawBatch]:
    """Yield rows that are stored together as batches in the types of a schema.

    Args:
        unit: the unit.
        stored: some of its rows, which follow each other; nobody has looked at their texts and offsets.
        done: how many rows of the unit come before them.
        schema: the same columns, in the same order.
        rows_per_batch: how many a batch has at most.
        record: what is kept of a rejected row.

    Raises:
        ArrowInvalid: they would lead anywhere in memory.
    """
    valid, broken = blank_unchecked_texts(stored)
    valid = _mask_dictionaries(valid)
    for batch in number_slices(unit, valid, done, rows_per_batch):
        first = batch.id.first_row - unit.first_row - done
        reasons = {
            row - first: reason
            for row, reason in broken.items()
            if first <= row < first + len(batch)
        }
        yield cast_rows(batch, schema, record, reasons)


def cast_rows(
    batch: RawBatch,
    schema: Schema,
    record: RowRecord,
    reasons: Mapping[int, Exception],
) -> RawBatch:
    """Return a batch in the types of a schema.

    Rows with a value that its type cannot hold are rejected, and so are those that have reasons.

    Args:
        batch: as the file has it.
        schema: the same columns, in the same order.
        record: what is kept of a rejected row.
        reasons: by position, why rows could not be read exactly.
    """
    # Nearly always.
    is_whole = not any(map(lacks_fixed_lists, batch.rows.columns))
    if not reasons and is_whole and batch.rows.schema.equals(schema):
        return replace(batch, record=record)
    columns: list[Array] = []
    all_reasons = dict(reasons)
    for column, field in zip(batch.rows.columns, schema, strict=True):
        cast = column
        if column.type != field.type or lacks_fixed_lists(column):
            cast, why = cast_column(column, field)
            all_reasons.update(why)
        columns.append(cast)
    rows = RecordBatch.from_arrays(columns, schema=schema)
    batch = replace(batch, rows=rows, record=record)
    if not all_reasons:
        return batch
    return reject_rows(batch, RejectedRows(all_reasons), "read")


def _mask_dictionaries(rows: RecordBatch) -> RecordBatch:
    """Return rows of whose dictionaries none holds a missing value: where it stands, the row's is missing.

    R writes factors with such a level. No row's value would count as missing, and Parquet has no
    place for it.
    """
    columns: list[Array] = []
    for column in rows.columns:
        masked = column
        if _has_missing_category(column):
            plain = cast_exactly(column, plain_type(column.type))
            masked = cast_exactly(plain, column.type)
        columns.append(masked)
    return RecordBatch.from_arrays(columns, schema=rows.schema)


def _has_missing_category(column: Array) -> bool:
    if is_dictionary(column.type):
        return bool(column.dictionary.null_count)
    if not holds(column.type, is_dictionary):
        return False
    return any(map(_has_missing_category, list_inside(column)))
