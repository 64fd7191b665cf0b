"""Files of JSON lines, and what is read of them."""

from pathlib import Path
from typing import Any

import pyarrow as pa

from tests.support.builders import unit_of
from transforms.batches import RawBatch, RowRecord
from transforms.formats.json_lines import JsonLinesFormat
from transforms.read_unit import read_unit

SCHEMA = pa.schema([("id", pa.int64()), ("x", pa.float64()), ("s", pa.string())])


def read(
    path: Path,
    schema: pa.Schema = SCHEMA,
    rows_per_batch: int = 1_000,
    key: str | None = "id",
    values: bool = False,
    **options: Any,
) -> list[RawBatch]:
    batches = list(
        read_unit(
            unit_of(path, None),
            schema,
            JsonLinesFormat(**options),
            rows_per_batch,
            RowRecord(key, values),
        )
    )
    next_row = 0
    for batch in batches:
        assert batch.id.first_row == next_row
        next_row += batch.rows_in
        assert len(batch.row_numbers) == len(batch)
    assert [batch.last for batch in batches] == [False] * (len(batches) - 1) + [True]
    return batches


def rows_of(batches: list[RawBatch]) -> list[dict[str, Any]]:
    return [row for batch in batches for row in batch.rows.to_pylist()]


def rejected_of(batches: list[RawBatch]) -> dict[int, tuple[Any, str]]:
    """Row number to (key, message) of the rejected rows."""
    return {
        record["row"]: (record.get("key"), record["message"])
        for batch in batches
        for rejected in batch.rejected
        for record in rejected.rows.to_pylist()
    }
