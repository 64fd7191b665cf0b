"""Held-out rows as files: two row groups a shard, with checksums, in CSV where that can hold them."""

from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from pipelines.training.held_out import cut_unevenly, to_parquet, write_held_out


def rows_of(count: int, with_bytes: bool = False) -> pa.Table:
    columns = {"id": range(count), "x": [0.1 * n for n in range(count)], "y": ["a"] * count}
    return pa.table(columns | ({"image": [b"\xff"] * count} if with_bytes else {}))


@pytest.mark.parametrize(
    ("rows", "groups"), [(7, [4, 3]), (6, [3, 3]), (2, [1, 1]), (1, [1]), (0, [])]
)
def test_a_shard_has_two_row_groups(rows: int, groups: list[int], tmp_path: Path) -> None:
    write_held_out(rows_of(rows), str(tmp_path), "id", ["y"], 1)
    metadata = pq.ParquetFile(tmp_path / "shards/part-00000.parquet").metadata
    found = [metadata.row_group(n).num_rows for n in range(metadata.num_row_groups)]
    assert [count for count in found if count] == groups
    labels = pq.read_table(tmp_path / "labels.parquet")
    assert labels.equals(rows_of(rows).select(["id", "y"]))
    csv = pacsv.read_csv(tmp_path / "shards_csv/part-00000.csv")
    assert csv.column_names == ["id", "x"]
    assert csv.num_rows == rows


def test_bytes_are_in_no_csv(tmp_path: Path) -> None:
    write_held_out(rows_of(3, with_bytes=True), str(tmp_path), "id", ["y"], 2)
    assert not (tmp_path / "shards_csv").exists()
    names = [path.name for path in sorted((tmp_path / "shards").iterdir())]
    assert names == ["part-00000.parquet", "part-00001.parquet"]


def test_a_page_that_was_altered_is_found_by_its_checksum() -> None:
    content = bytearray(to_parquet(pa.table({"x": range(1_000)})))
    column = pq.ParquetFile(pa.BufferReader(bytes(content))).metadata.row_group(0).column(0)
    content[column.data_page_offset + column.total_compressed_size // 3] ^= 1
    with pytest.raises(OSError, match="CRC"):
        pq.read_table(pa.BufferReader(bytes(content)), page_checksum_verification=True)


@pytest.mark.parametrize(
    ("rows", "shards", "sizes"),
    [(10, 4, [1, 2, 3, 4]), (9, 1, [9]), (3, 2, [1, 2]), (0, 2, [0, 0])],
)
def test_parts_grow_one_after_the_other(rows: int, shards: int, sizes: list[int]) -> None:
    table = rows_of(rows)
    parts = cut_unevenly(table, shards)
    assert [part.num_rows for part in parts] == sizes
    assert pa.concat_tables(parts).equals(table)
