"""Rows that a filter keeps, against DuckDB's; row groups that cannot hold any are not read, and counted."""

from collections.abc import Iterator
import datetime as dt
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from configs.errors import InputError
from pipelines.planning.filtering import with_filter
from pipelines.planning.partitions import with_partitions
from pipelines.planning.shard_inspection import read_shards
from pipelines.planning.shards import cut_into_units, list_shards
from transforms.batches import RawBatch, RowRecord
from transforms.formats.column import Column
from transforms.formats.csv import CsvFormat
from transforms.formats.filtered import FilteredFormat
from transforms.formats.format import Format
from transforms.formats.parquet import ParquetFormat

NAN = float("nan")
START = dt.datetime(2026, 1, 1)


def make_rows(count: int = 40) -> pa.Table:
    numbers = range(count)
    return pa.table(
        {
            "x": pa.array(numbers, pa.int64()),
            "f": pa.array([None if n % 7 == 0 else NAN if n % 5 == 0 else n / 4 for n in numbers]),
            "s": pa.array([None if n % 9 == 0 else f"t{n:03}" for n in numbers]),
            "d": pa.array([START.date() + dt.timedelta(n) for n in numbers], pa.date32()),
            "at": pa.array([START + dt.timedelta(hours=n) for n in numbers], pa.timestamp("us")),
            "late": pa.array([n % 2 == 0 for n in numbers]),
        }
    )


def read_filtered(
    path: Path,
    where: str,
    wanted: tuple[str, ...] = ("x",),
    format: Format | None = None,
    rows_per_unit: int = 100,
    filtered_by: tuple[Column, ...] = (),
    **record: Any,
) -> Iterator[RawBatch]:
    listed, _ = list_shards([str(path)])
    columns = [Column(name, None) for name in wanted]
    more = filtered_by or tuple(Column(name, None) for name in ("f", "s", "d", "at", "late"))
    reader = with_partitions(format or ParquetFormat(), listed[0], [*columns, *more])
    shards, found, _ = read_shards(listed, reader, [*columns, *more])
    filtered = with_filter(reader, where, found)
    assert isinstance(filtered, FilteredFormat)
    schema = pa.schema([found.field(name) for name in wanted])
    for unit in cut_into_units(shards, filtered, rows_per_unit):
        yield from filtered.read(unit, schema, 4, RowRecord(**record))


WHERE = [
    ("x >= 25", "x >= 25"),
    ("x in [3, 31, 900]", "x in (3, 31, 900)"),
    ("x > 12.5 and s < 't030'", "x > 12.5 and s < 't030'"),
    ("s is None", "s is null"),
    ("not s == 't013'", "not s = 't013'"),
    ("f > 6", "f > 6 and not isnan(f)"),  # to DuckDB NaN is the largest number
    ("f != 3.0", "f <> 3.0"),
    ("f is not None", "f is not null"),
    ("d >= '2026-02-01'", "d >= '2026-02-01'"),
    ("'2026-01-09' > d", "d < '2026-01-09'"),
    ("d in ['2026-01-02', '2026-01-30']", "d in ('2026-01-02', '2026-01-30')"),
    ("at < '2026-01-01 05:30:00'", "\"at\" < '2026-01-01 05:30:00'"),
    ("late and x < 9", "late and x < 9"),
    ("late == False or x == 4", "late = false or x = 4"),
    ("x < 0", "x < 0"),
    ("x >= 0", "x >= 0"),
]


@pytest.mark.parametrize(("where", "sql"), WHERE)
@pytest.mark.parametrize("rows_per_unit", [100, 7])
def test_rows_that_are_kept_are_those_of_sql(
    where: str, sql: str, rows_per_unit: int, tmp_path: Path
) -> None:
    path = tmp_path / "p.parquet"
    pq.write_table(make_rows(), path, row_group_size=10)
    batches = list(read_filtered(path, where, rows_per_unit=rows_per_unit))
    expected = duckdb.sql(f"SELECT x FROM '{path}' WHERE {sql} ORDER BY x").fetchall()
    assert [(x,) for batch in batches for x in batch.rows["x"].to_pylist()] == expected
    assert all(batch.row_numbers.tolist() == batch.rows["x"].to_pylist() for batch in batches)
    assert sum(batch.rows_left_out for batch in batches) == 40 - len(expected)
    # One after the other, with nothing between them, and one end of each unit.
    first_rows = [batch.id.first_row for batch in batches]
    behind = [batch.id.first_row + batch.rows_in for batch in batches]
    assert first_rows == [0, *behind[:-1]]
    units = {batch.unit.index for batch in batches}
    assert [batch.unit.index for batch in batches if batch.last] == sorted(units)


def break_group(path: Path, number: int) -> None:
    """Overwrite a row group's pages, so that nobody can read them."""
    group = pq.read_metadata(path).row_group(number)
    content = bytearray(path.read_bytes())
    for column in range(group.num_columns):
        chunk = group.column(column)
        begin = chunk.dictionary_page_offset or chunk.data_page_offset
        content[begin : begin + chunk.total_compressed_size] = b"\xff" * chunk.total_compressed_size
    path.write_bytes(content)


@pytest.mark.parametrize(
    "where",
    [
        "x >= 20 or x < 10",
        "s not in ['t010'] and (s >= 't020' or s < 't010')",
        "d > '2026-01-20' or d < '2026-01-11'",
        "at >= '2026-01-01 20:00:00' or at < '2026-01-01 10:00:00'",
        "not (x >= 10 and x < 20) and x != 15",
        "f >= 5 or f < 2.5",
    ],
)
@pytest.mark.parametrize("statistics", [True, False])
def test_a_row_group_that_cannot_match_is_not_read(
    where: str, statistics: bool, tmp_path: Path
) -> None:
    path = tmp_path / "p.parquet"
    pq.write_table(make_rows(), path, row_group_size=10, write_statistics=statistics)
    kept = [x for batch in read_filtered(path, where) for x in batch.rows["x"].to_pylist()]
    break_group(path, 1)
    if not statistics:
        with pytest.raises(InputError):
            list(read_filtered(path, where))
        return
    batches = list(read_filtered(path, where))
    assert [x for batch in batches for x in batch.rows["x"].to_pylist()] == kept
    assert sum(batch.rows_in for batch in batches) == 40


@pytest.mark.parametrize(
    ("dtype", "values", "where"),
    [
        (pa.timestamp("s"), [0, 5], "v == '1970-01-01 00:00:05'"),  # stored in milliseconds
        (pa.timestamp("ns", "UTC"), [1, 2], "v > '1970-01-01T00:00:00.000000001Z'"),
        (pa.uint64(), [1, 2**64 - 1], "v > 18446744073709551000"),
        (pa.int8(), [-128, 127], "v == 127"),
        (pa.decimal128(9, 2), [1, 2], "v == 2"),
        (pa.large_string(), ["a", "ü" * 400], "v >= 'u'"),
        (pa.dictionary(pa.int32(), pa.string()), ["a", "b"], "v == 'b'"),
        (pa.float32(), [0.5, 1.5], "v > 1"),
        (pa.float16(), [0.5, 1.5], "v > 1"),
        (pa.date64(), [0, 86_400_000], "v == '1970-01-02'"),
        (pa.bool_(), [False, True], "v == True"),
        (pa.binary(), [b"a", b"\xff"], "v is not None"),
    ],
)
def test_the_last_row_is_found_whatever_its_type(
    dtype: pa.DataType, values: list[Any], where: str, tmp_path: Path
) -> None:
    """Each row is a row group of its own, with its own statistics."""
    path = tmp_path / "p.parquet"
    pq.write_table(pa.table({"x": [0, 1], "v": pa.array(values, dtype)}), path, row_group_size=1)
    columns = (Column("v", None),)
    batches = list(read_filtered(path, where, filtered_by=columns))
    found = [x for batch in batches for x in batch.rows["x"].to_pylist()]
    assert found[-1] == 1
    assert sum(batch.rows_in for batch in batches) == 2


def test_a_folder_s_value_alone_leaves_out_a_file_that_nobody_reads(tmp_path: Path) -> None:
    for number in range(2):
        path = tmp_path / f"k={number}/p.parquet"
        path.parent.mkdir()
        pq.write_table(make_rows(), path)
    break_group(tmp_path / "k=0/p.parquet", 0)
    columns = (Column("k", pa.int64()),)
    batches = list(read_filtered(tmp_path, "k == 1 and x > 30", filtered_by=columns))
    assert sum(batch.rows_left_out for batch in batches) == 40 + 31
    assert [x for batch in batches for x in batch.rows["x"].to_pylist()] == list(range(31, 40))


@pytest.mark.parametrize("values", [False, True])
def test_a_row_that_cannot_be_read_is_rejected_and_not_left_out(
    values: bool, tmp_path: Path
) -> None:
    path = tmp_path / "p.csv"
    path.write_text("x,y,k\n1,1,a\n2,oops,b\n3,3\n4,4,b\n5,5,a\n")
    wanted = [Column("x", pa.int64()), Column("y", pa.int64()), Column("k", pa.string())]
    listed, _ = list_shards([str(path)])
    shards, found, _ = read_shards(listed, CsvFormat(), wanted)
    reader = with_filter(CsvFormat(), "k == 'a'", found)
    schema = pa.schema([found.field("x"), found.field("y")])
    (unit,) = cut_into_units(shards, reader, 100)
    batches = list(reader.read(unit, schema, 2, RowRecord("x", values)))
    assert [x for batch in batches for x in batch.rows["x"].to_pylist()] == [1, 5]
    records = [told.rows for batch in batches for told in batch.rejected]
    assert [row for rows in records for row in rows["row"].to_pylist()] == [1, 2]
    assert [batch.rows_left_out for batch in batches] == [0, 1]
    assert sum(batch.rows_in for batch in batches) == 5
    if values:
        # As records of other stages have them, which know only what is read for the model.
        assert {rows.schema.field("values").type.num_fields for rows in records} == {2}
