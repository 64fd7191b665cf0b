"""Batches of a Parquet file: as many rows as the plan says, and fewer where rows are large, whatever column makes them so."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.builders import unit_of
from transforms.batches import RowRecord, WorkUnit
from transforms.formats import parquet
from transforms.formats.parquet import ParquetFormat

ROWS = 300


def write_rows(path: Path, text_bytes: int, groups: int = 1) -> WorkUnit:
    """Write rows with an id and a text of random letters, which no dictionary makes small."""
    random = np.random.default_rng(0)
    letters = random.integers(97, 123, (ROWS, text_bytes), dtype=np.uint8)
    texts = pa.array([row.tobytes().decode() for row in letters])
    rows = pa.table({"id": np.arange(ROWS), "text": texts})
    pq.write_table(rows, path, row_group_size=ROWS // groups, use_dictionary=False)
    return unit_of(path, ROWS, span=(0, groups))


def read_sizes(unit: WorkUnit, rows_per_batch: int, *names: str) -> list[int]:
    types = {"id": pa.int64(), "text": pa.string()}
    schema = pa.schema([(name, types[name]) for name in names])
    batches = list(ParquetFormat().read(unit, schema, rows_per_batch, RowRecord()))
    ids = np.concatenate([batch.rows.column("id").to_numpy() for batch in batches])
    np.testing.assert_array_equal(ids, np.arange(ROWS))
    return [len(batch) for batch in batches]


@pytest.mark.parametrize("groups", [1, 3])
def test_large_rows_travel_in_small_batches(
    groups: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 1,000 letters, 4 bytes for their length and an id, 100 rows are 101,200 bytes; headers of pages come to it."""
    unit = write_rows(tmp_path / "p.parquet", 1_000, groups)
    monkeypatch.setattr(parquet, "_BATCH_BYTES", 102_000)
    *whole, last = read_sizes(unit, 250, "id", "text")
    assert set(whole) <= set(range(95, 101))
    assert last <= 100
    # The plan may ask for less.
    assert read_sizes(unit, 60, "id", "text") == [60] * 5


def test_a_row_that_is_larger_than_a_batch_travels_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit = write_rows(tmp_path / "p.parquet", 1_000)
    monkeypatch.setattr(parquet, "_BATCH_BYTES", 999)
    assert read_sizes(unit, 250, "id", "text") == [1] * ROWS


def test_columns_that_nobody_wants_make_no_batch_small(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit = write_rows(tmp_path / "p.parquet", 1_000)
    monkeypatch.setattr(parquet, "_BATCH_BYTES", 102_000)
    assert read_sizes(unit, 250, "id") == [250, 50]


def test_ordinary_rows_travel_as_the_plan_says(tmp_path: Path) -> None:
    unit = write_rows(tmp_path / "p.parquet", 1_000)
    assert read_sizes(unit, 250, "id", "text") == [250, 50]


def test_plain_texts_are_read_into_the_dictionaries_that_a_run_has(tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    texts = pa.array(["b", None, "a", "b"])
    pq.write_table(pa.table({"text": texts, "other": texts}), path)
    dtype = pa.dictionary(pa.int32(), pa.string())
    schema = pa.schema({"other": pa.string(), "text": dtype})
    (batch,) = ParquetFormat().read(unit_of(path, 4, span=(0, 1)), schema, 10, RowRecord())
    assert batch.rows.schema == schema
    assert batch.rows.column("text").dictionary.to_pylist() == ["b", "a"]
    assert batch.rows.to_pydict() == {"other": texts.to_pylist(), "text": texts.to_pylist()}


def test_a_unit_without_rows_is_one_batch_that_ends_it(tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    pq.write_table(pa.table({"id": pa.array([], pa.int64())}), path)
    schema = pa.schema([("id", pa.int64())])
    for span in ((0, 0), (0, 1)):
        unit = unit_of(path, 0, span=span)
        (batch,) = ParquetFormat().read(unit, schema, 10, RowRecord())
        assert (len(batch), batch.rows_in, batch.last) == (0, 0, True)
        assert batch.rows.schema == schema
