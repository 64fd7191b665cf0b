"""What is kept of a row that fails: where it came from, its key, the stage, and why; its values only if the job asks for them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from configs.errors import RowError
from configs.messages import shown

_LOOKED_AT_CHARACTERS = 200_000


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
        ours = isinstance(reason, RowError)
        yield shown(reason) if ours else shown(reason, _texts(rows, position))


def _texts(rows: pa.RecordBatch, position: int) -> list[str]:
    """The row's values as a library's message might hold them; numbers are blotted out anyway."""
    values = (column[position].as_py() for column in rows.columns if not pa.types.is_primitive(column.type))
    return [text[:_LOOKED_AT_CHARACTERS] for value in values for text in _leaves(value)]


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, dict | list | tuple):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _leaves(item)
    elif value is not None:
        yield value.decode("latin-1") if isinstance(value, bytes) else str(value)
