"""Parts of a row group: the rows that pyarrow reads there, whatever pages, encodings and writers."""

from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from configs.errors import InputError
from storage.inputs import describe_url
from tests.transforms.formats.parts import ROWS, SMALL_PAGES, make_rows, part_of, read
from transforms.batches import RowRecord
from transforms.formats import parquet, parquet_split, parquet_ways
from transforms.formats.column import Column
from transforms.formats.parquet import ParquetFormat


def assert_same(actual: pa.Table, expected: pa.Table) -> None:
    """Compare by values: where a file has no dictionary, each batch gets one of its own."""
    for name, wanted in zip(expected.column_names, expected.columns, strict=True):
        assert actual[name].type == wanted.type
        assert actual[name].to_pylist() == wanted.to_pylist(), name


WAYS: dict[str, dict[str, Any]] = {
    "usual": {},
    "small pages": SMALL_PAGES,
    "small pages, zstd": {**SMALL_PAGES, "compression": "zstd"},
    "no dictionaries": {**SMALL_PAGES, "use_dictionary": False},
    "second version": {**SMALL_PAGES, "data_page_version": "2.0", "version": "2.4"},
    "checksums": {**SMALL_PAGES, "write_page_checksum": True},
    "an index of pages": {**SMALL_PAGES, "write_page_index": True},
    "one page": {"data_page_size": 1 << 30, "max_rows_per_page": 1 << 30},
    "differences": {
        **SMALL_PAGES,
        "use_dictionary": False,
        "column_encoding": {"id": "DELTA_BINARY_PACKED", "own": "DELTA_BYTE_ARRAY"},
    },
}


@pytest.mark.parametrize("way", WAYS)
def test_a_part_is_the_rows_that_stand_there(tmp_path: Path, way: str) -> None:
    table = make_rows()
    path = tmp_path / "p.parquet"
    pq.write_table(table, path, row_group_size=ROWS, **WAYS[way])
    whole = pq.read_table(path)
    for row, rows in ((0, 10), (1, ROWS - 1), (1_234, 777), (ROWS - 1, 1), (2_500, 500)):
        assert_same(read(part_of(path, row, rows), whole.schema), whole.slice(row, rows))


def test_parts_of_each_row_group_come_together(tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    pq.write_table(make_rows(), path, row_group_size=1_000, **SMALL_PAGES)
    whole = pq.read_table(path)
    parts = []
    for group in range(3):
        for row in (0, 400):
            rows = 400 if row == 0 else 600
            unit = part_of(path, row, rows, group, before=1_000 * group)
            parts.append(read(unit, whole.schema))
    assert pa.concat_tables(parts).equals(whole)


def test_columns_that_are_wanted_come_in_their_order(tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    pq.write_table(make_rows(), path, **SMALL_PAGES)
    names = ["own", "x", "id"]
    whole = pq.read_table(path).select(names)
    assert read(part_of(path, 1_500, 1_000), whole.schema).equals(whole.slice(1_500, 1_000))


def test_files_of_duckdb_are_cut_too(tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    duckdb.sql(
        f"COPY (SELECT i AS id, i % 100 AS few, 'text ' || (i % 1000) AS text, i / 7.0 AS x FROM range(200000) t(i)) "
        f"TO '{path}' (FORMAT parquet, ROW_GROUP_SIZE 1000000)"
    )
    whole = pq.read_table(path)
    assert pq.read_metadata(path).num_row_groups == 1
    for row, rows in ((123_456, 7_000), (199_999, 1)):
        actual = read(part_of(path, row, rows), whole.schema, 5_000)
        assert actual.equals(whole.slice(row, rows))


def test_lists_are_cut_between_rows(tmp_path: Path) -> None:
    lists = [[row, row + 1] if row % 5 else [] for row in range(ROWS)]
    fixed = pa.array([[row, row] for row in range(ROWS)], pa.list_(pa.int64(), 2))
    table = make_rows().append_column("lists", [lists]).append_column("fixed", fixed)
    path = tmp_path / "p.parquet"
    pq.write_table(table, path, **SMALL_PAGES)
    whole = pq.read_table(path)
    assert read(part_of(path, 1_500, 1_000), whole.schema).equals(whole.slice(1_500, 1_000))


def test_int96_is_read_as_it_is_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    table = make_rows().select(["id", "at"])
    pq.write_table(table, path, use_deprecated_int96_timestamps=True, **SMALL_PAGES)
    schema = pa.schema([("id", pa.int64()), ("at", pa.timestamp("us"))])
    actual = read(part_of(path, 2_000, 700), schema)
    assert actual["at"].to_pylist() == table["at"].slice(2_000, 700).to_pylist()


def test_a_broken_page_header_is_told_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    pq.write_table(pa.table({"id": np.arange(ROWS)}), path, use_dictionary=False, **SMALL_PAGES)
    content = bytearray(path.read_bytes())
    start = pq.read_metadata(path).row_group(0).column(0).data_page_offset
    content[start : start + 8] = b"\xff" * 8
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read(part_of(path, 1_500, 1_000), pa.schema([("id", pa.int64())]))
    message = str(caught.value)
    assert message.startswith(f"{path}: cannot be read from row 1500 on, in column 'id': ")
    assert message.endswith("; replace the file")


def test_a_footer_that_promises_more_rows_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    pq.write_table(pa.table({"id": np.arange(ROWS)}), path, **SMALL_PAGES)
    with pytest.raises(InputError, match="promised 600 rows from row 2500 on, but there are 500"):
        read(part_of(path, 2_500, 600), pa.schema([("id", pa.int64())]))


def test_large_rows_of_a_part_travel_in_small_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "p.parquet"
    table = pa.table({"id": np.arange(ROWS), "text": [f"{row:0100}" for row in range(ROWS)]})
    pq.write_table(table, path, **SMALL_PAGES)
    monkeypatch.setattr(parquet, "_BATCH_BYTES", 20_000)
    unit = part_of(path, 1_000, 1_000)
    batches = list(ParquetFormat().read(unit, table.schema, 500, RowRecord()))
    assert max(len(batch) for batch in batches) < 200
    actual = pa.Table.from_batches([batch.rows for batch in batches])
    assert actual.equals(table.slice(1_000, 1_000))


def test_a_row_group_is_cut_in_a_store_where_its_rows_are_worth_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = 200_000
    path = tmp_path / "p.parquet"
    numbers = np.random.default_rng(0).integers(0, 1 << 60, rows)
    pq.write_table(pa.table({"x": numbers}), path, row_group_size=rows)
    file = describe_url(str(path))
    shard, _ = ParquetFormat().inspect(file, [Column("x", None)])
    # 1.6 MB, of which a part has no less than 1 MiB.
    (whole,) = ParquetFormat().split(shard, 50_000)
    assert whole.rows == rows
    monkeypatch.setattr(parquet_split, "_LEAST_PART_BYTES", 1 << 17)
    shard, _ = ParquetFormat().inspect(file, [Column("x", None)])
    parts = ParquetFormat().split(shard, 50_000)
    assert [part.rows for part in parts] == [50_000] * 4
    assert len(ParquetFormat().split(shard, 1_000)) == 8

    # Of a store every part fetches all of it: 8 bytes of a row, which its work must be worth.
    monkeypatch.setattr(parquet.files, "is_local", lambda url: False)
    monkeypatch.setattr(parquet_ways.files, "open_read", lambda url: pa.OSFile(url))
    for row_work, count in ((0, 1), (7, 1), (20, 3), (1_000, 4)):
        store = ParquetFormat(row_work=row_work)
        shard, _ = store.inspect(file, [Column("x", None)])
        parts = store.split(shard, 50_000)
        assert len(parts) == count, row_work
        assert sum(part.rows or 0 for part in parts) == rows
