"""Take rows out of a batch, and keep of each where it came from, its key, the stage, and why.

Its values are kept only if the job asks for them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
from pyarrow import Array, DataType, RecordBatch, Schema
from pyarrow.types import is_dictionary, is_map, is_nested, is_struct

from configs.errors import RejectedRows, RowError
from configs.redaction import shown
from transforms.batches import BatchId, RawBatch, RejectedBatch, RowRecord
from transforms.logical_types import cast_exactly, decode, nullable_type, to_lists_of_pairs
from transforms.record_batches import take_rows

# Of a long value only this much is looked for in messages, which are cut far below that.
_LOOKED_AT_BYTES = 200_000


def reject_rows(batch: RawBatch, rejected: RejectedRows, stage: str) -> RawBatch:
    """Return a batch without some rows, which are recorded.

    Args:
        batch: the batch.
        rejected: the positions of those rows, and why.
        stage: the stage that cannot take them.
    """
    in_order = sorted(rejected.reasons)
    reasons = [rejected.reasons[position] for position in in_order]
    positions = np.array(in_order, dtype=np.int64)
    rejected_rows = take_rows(batch.rows, positions)
    records = record_rows(
        batch.id,
        stage,
        batch.row_numbers[positions],
        reasons,
        rejected_rows,
        batch.record,
        list_shards(batch, positions),
    )
    kept = find_kept(len(batch), rejected)
    members = batch.members
    if members is not None:
        members = members[kept]
    return replace(
        batch,
        rows=take_rows(batch.rows, kept),
        row_numbers=batch.row_numbers[kept],
        rejected=(*batch.rejected, records),
        members=members,
    )


def list_shards(batch: RawBatch, positions: np.ndarray) -> Array:
    """Return the shards that some rows of a batch stood in, as texts.

    Args:
        batch: the batch.
        positions: int64, of the rows.
    """
    if batch.members is None:
        return _repeat_text(batch.unit.shard, len(positions))
    numbers = batch.members[positions]
    names = [member.shard for member in batch.unit.members]
    shards = pa.array(names, type=pa.string())
    return shards.take(pa.array(numbers))


def record_rows(
    id: BatchId,
    stage: str,
    row_numbers: np.ndarray,
    reasons: Sequence[Exception],
    rows: RecordBatch,
    record: RowRecord,
    shards: Array | None = None,
) -> RejectedBatch:
    """Return the records of some rows.

    Args:
        id: the batch that they stood in.
        stage: the stage that could not take them.
        row_numbers: int64 (rows,), their numbers in the shard.
        reasons: of each row.
        rows: the rows themselves, as far as they could be read.
        record: what is kept of them.
        shards: of each row, its shard; None where it is that of the batch.
    """
    count = len(row_numbers)
    if shards is None:
        shards = _repeat_text(id.shard, count)
    kinds = map(type, reasons)
    names = [kind.__name__ for kind in kinds]
    messages = list(_list_messages(reasons, rows))
    # In the order in which the file has them.
    columns = {
        "source": shards,
        "row": pa.array(row_numbers, type=pa.int64()),
    }
    if record.key is not None:
        key = rows.column(record.key)
        columns["key"] = _make_nullable(key)
    text = pa.string()
    columns["stage"] = _repeat_text(stage, count)
    columns["error"] = pa.array(names, type=text)
    columns["message"] = pa.array(messages, type=text)
    if record.values:
        columns["values"] = _gather_values(rows)
    records = RecordBatch.from_pydict(columns)
    return RejectedBatch(id, stage, records)


def describe_records(schema: Schema, record: RowRecord) -> Schema:
    """Return the columns of the records of a run's rejected rows.

    Args:
        schema: of the rows that are read.
        record: what is kept of them.
    """
    nothing = RecordBatch.from_arrays(
        [pa.nulls(0, type=column.type) for column in schema], schema=schema
    )
    no_numbers = np.array([], dtype=np.int64)
    nowhere = BatchId("", 0)
    return record_rows(nowhere, "", no_numbers, [], nothing, record).rows.schema


def find_kept(rows: int, rejected: RejectedRows) -> np.ndarray:
    """Return the positions, int64 (kept rows,), of the rows that were not rejected.

    Args:
        rows: how many rows there are.
        rejected: the positions of those that were rejected.
    """
    positions = np.arange(rows)
    in_order = sorted(rejected.reasons)
    return np.delete(positions, in_order)


def _repeat_text(text: str, count: int) -> Array:
    scalar = pa.scalar(text)
    return pa.repeat(scalar, count)


def _gather_values(rows: RecordBatch) -> Array:
    """Return all columns of rejected rows as one, of structs."""
    names = rows.schema.names
    columns = [_make_nullable(column) for column in rows.columns]
    return pa.StructArray.from_arrays(columns, names)


def _make_nullable(column: Array) -> Array:
    """Return a column of rejected rows, in which any value may be what could not be read."""
    dtype = nullable_type(column.type)
    return cast_exactly(column, dtype)


def _list_messages(reasons: Sequence[Exception], rows: RecordBatch) -> Iterator[str]:
    before: Exception | None = None
    message = ""
    for position, reason in enumerate(reasons):
        # Our own messages hold no value; a library's may quote one.
        if isinstance(reason, RowError):
            # Many rows may have the same one.
            if reason is not before:
                message = shown(reason)
                before = reason
            yield message
        else:
            yield _redact_message(reason, rows, position)


def _redact_message(
    reason: Exception,
    rows: RecordBatch,
    position: int,
) -> str:
    """Return a library's message without the row's values.

    Where it or they cannot be read, nothing tells one from the other: the class alone is left.
    """
    try:
        row = rows.slice(position, 1)
        values = _list_texts(row)
        names = rows.schema.names
        return shown(reason, values, known=names)
    except Exception:  # noqa: BLE001 - a row that is rejected must not end the run
        return type(reason).__name__


def _list_texts(row: RecordBatch) -> list[str]:
    """Return a row's texts as a library's message might hold them.

    Numbers are blotted out anyway.
    """
    texts: list[str] = []
    for column in row.columns:
        for value in _list_bytes(column):
            looked_at = value[:_LOOKED_AT_BYTES]
            texts += _decode(looked_at)
    return texts


def _list_bytes(column: Array) -> Iterator[bytes]:
    """Yield every text and every binary value, however deep.

    As bytes, because a text of a file need not be valid UTF-8.
    """
    kind = column.type
    if is_dictionary(kind):
        plain = decode(column)
        yield from _list_bytes(plain)
    elif is_map(kind):
        # Arrow flattens no maps.
        pairs = to_lists_of_pairs(column)
        yield from _list_bytes(pairs)
    elif is_struct(kind):
        for child in column.flatten():
            yield from _list_bytes(child)
    elif is_nested(kind):
        # Lists, as what has fields was met above.
        inside = column.flatten()
        yield from _list_bytes(inside)
    elif not _is_number(kind):
        plain = decode(column)
        values = plain.drop_null()
        as_bytes = values.cast(pa.large_binary())
        yield from as_bytes.to_pylist()


def _is_number(dtype: DataType) -> bool:
    is_primitive = pa.types.is_primitive(dtype)
    is_decimal = pa.types.is_decimal(dtype)
    return bool(is_primitive or is_decimal)


def _decode(value: bytes) -> Iterator[str]:
    """Yield what a reader makes of the bytes, who takes them for UTF-8 or for Latin-1."""
    yield value.decode(errors="replace")
    # ASCII is the same in both.
    if not value.isascii():
        yield value.decode("latin-1")
