"""What is kept of a row that fails: where it came from, its key, the stage, and why; its values only if the job asks for them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from configs.errors import RowError
from configs.messages import shown

_LOOKED_AT_BYTES = 200_000


@dataclass(frozen=True, order=True)
class BatchId:
    """Where a batch comes from: the input shard and the number of its first row there (0 is the first data row)."""

    shard: str
    first_row: int

    def __str__(self) -> str:
        return f"{self.shard} from row {self.first_row}"


@dataclass(frozen=True)
class RowRecord:
    """What a failed row is remembered by, beside its place: the value of column `key`, and with `values` all that was read of it."""

    key: str | None = None
    values: bool = False


@dataclass(frozen=True)
class FailedBatch:
    """Rows of one batch that failed in one stage, one record per row.

    Columns: source, row (number in the shard), key (if the job names one), stage, error (class), message, values (if the job asks
    for them: a struct of the columns that were read; null where the row could not be read).
    """

    id: BatchId
    stage: str
    rows: pa.RecordBatch


def failed_batch(
    id: BatchId, stage: str, row_numbers: np.ndarray, reasons: Sequence[Exception], rows: pa.RecordBatch, record: RowRecord
) -> FailedBatch:
    """The records of some rows.

    Args:
        row_numbers: int64 (rows,), their numbers in the shard.
        reasons: of each row.
        rows: the rows themselves, as far as they could be read.
    """
    count = len(row_numbers)
    columns = {"source": pa.repeat(pa.scalar(id.shard), count), "row": pa.array(row_numbers, type=pa.int64())}
    if record.key is not None:
        columns["key"] = rows.column(record.key)
    columns["stage"] = pa.repeat(pa.scalar(stage), count)
    columns["error"] = pa.array([type(r).__name__ for r in reasons], type=pa.string())
    columns["message"] = pa.array(_messages(reasons, rows), type=pa.string())
    if record.values:
        columns["values"] = rows.to_struct_array()
    return FailedBatch(id, stage, pa.RecordBatch.from_pydict(columns))


def _messages(reasons: Sequence[Exception], rows: pa.RecordBatch) -> Iterator[str]:
    for position, reason in enumerate(reasons):
        yield shown(reason) if isinstance(reason, RowError) else _foreign_message(reason, rows, position)


def _foreign_message(reason: Exception, rows: pa.RecordBatch, position: int) -> str:
    """The message without the row's values; without the message where it or they cannot be read, as then nothing tells one from the other."""
    try:
        return shown(reason, _texts(rows.take(pa.array([position]))))
    except Exception:  # noqa: BLE001 - a row that is rejected must not end the run
        return type(reason).__name__


def _texts(row: pa.RecordBatch) -> list[str]:
    """A row's values as a library's message might hold them; numbers are blotted out anyway."""
    return [text for column in row.columns for value in _bytes_in(column) for text in _decoded(value[:_LOOKED_AT_BYTES])]


def _bytes_in(column: pa.Array) -> Iterator[bytes]:
    """Every text and every binary value, however deep; as bytes, because a text of a file need not be valid UTF-8."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        yield from _bytes_in(column.dictionary_decode())
    elif pa.types.is_map(kind):
        yield from _bytes_in(column.keys)
        yield from _bytes_in(column.items)
    elif pa.types.is_struct(kind):
        for child in column.flatten():
            yield from _bytes_in(child)
    elif pa.types.is_nested(kind):
        yield from _bytes_in(column.flatten())
    elif not pa.types.is_primitive(kind) and not pa.types.is_decimal(kind):
        yield from column.drop_null().cast(pa.large_binary()).to_pylist()


def _decoded(value: bytes) -> Iterator[str]:
    """What a reader may make of the bytes, who takes them for UTF-8 or for Latin-1."""
    yield value.decode(errors="replace")
    if not value.isascii():
        yield value.decode("latin-1")
