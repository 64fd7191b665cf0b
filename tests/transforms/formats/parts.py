"""Parts of row groups: files with many small pages, and what is read of them."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from tests.support.builders import unit_of
from transforms.batches import RowRecord, WorkUnit
from transforms.formats.parquet import ParquetFormat

ROWS = 3_000
# So that columns of this size have many pages, none of which begins where another column's does.
SMALL_PAGES: dict[str, Any] = {
    "data_page_size": 700,
    "write_batch_size": 13,
    "dictionary_pagesize_limit": 2_000,
}


def make_rows(rows: int = ROWS) -> pa.Table:
    random = np.random.default_rng(7)
    numbers = random.standard_normal(rows)
    texts = [None if row % 7 == 0 else f"text {row % 50}" for row in range(rows)]
    return pa.table(
        {
            "id": np.arange(rows),
            "x": pa.array(numbers.astype(np.float32), mask=numbers > 1.5),
            "few": random.integers(0, 3, rows).astype(np.int16),
            "text": texts,
            "own": [f"{row} " * (row % 9) for row in range(rows)],
            "plan": pa.array(texts).dictionary_encode(),
            "flag": random.integers(0, 2, rows).astype(bool),
            "pair": [None if row % 11 == 0 else {"a": row, "b": texts[row]} for row in range(rows)],
            "nothing": pa.nulls(rows),
            "at": pa.array(np.arange(rows) * 1_000, pa.timestamp("ms")),
            "money": pa.array(range(rows), pa.int64()).cast(pa.decimal128(22, 2)),
        }
    )


def part_of(path: Path, row: int, rows: int, group: int = 0, before: int = 0) -> WorkUnit:
    return unit_of(path, rows, first_row=before + row, span=(group, 1, row))


def read(unit: WorkUnit, schema: pa.Schema, rows_per_batch: int = 500) -> pa.Table:
    batches = list(ParquetFormat().read(unit, schema, rows_per_batch, RowRecord()))
    assert [batch.last for batch in batches] == [False] * (len(batches) - 1) + [True]
    assert all(len(batch) <= rows_per_batch for batch in batches)
    numbers = np.concatenate([batch.row_numbers for batch in batches])
    np.testing.assert_array_equal(numbers, unit.first_row + np.arange(unit.rows or 0))
    return pa.Table.from_batches([batch.rows for batch in batches], schema)
