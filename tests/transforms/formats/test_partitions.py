"""Columns of folders' names: what readers of Hive's folders make of them, row by row."""

from collections.abc import Iterator
import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from configs.errors import InputError, JobError
from pipelines.planning.partitions import with_partitions
from pipelines.planning.shard_inspection import read_shards
from pipelines.planning.shards import cut_into_units, list_shards
from tests.support.builders import raw_batch
from transforms.batches import RawBatch, RowRecord
from transforms.formats.column import Column
from transforms.formats.csv import CsvFormat
from transforms.formats.format import Format
from transforms.formats.parquet import ParquetFormat
from transforms.formats.partitions import PartitionedFormat, _refuse_other_values
from transforms.read_unit import read_unit

INT = pa.int64()


def store(folder: Path, place: str, rows: int = 3, **columns: Any) -> Path:
    path = folder / place
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table({"x": pa.array(range(rows), INT), **columns})
    pq.write_table(table, path)
    return path


def read_all(
    folder: Path, wanted: list[Column], format: Format | None = None, **record: Any
) -> Iterator[RawBatch]:
    """Yield every batch of a folder, of at most two rows."""
    listed, _ = list_shards([str(folder)])
    reader = with_partitions(format or ParquetFormat(), listed[0], wanted)
    shards, schema, _ = read_shards(listed, reader, wanted)
    for unit in cut_into_units(shards, reader, 100):
        yield from read_unit(unit, schema, reader, 2, RowRecord(**record))


def rows_of(batches: Iterator[RawBatch]) -> pa.Table:
    return pa.Table.from_batches([batch.rows for batch in batches])


def test_values_are_those_that_pyarrow_reads(tmp_path: Path) -> None:
    """Its own reader of Hive's folders: escaped letters, no value, and a column before the file's own."""
    for place in ("a=1/b=x%2Fy", "a=2/b=größe", "a=3/b=__HIVE_DEFAULT_PARTITION__", "a=-4/b=a b"):
        store(tmp_path, f"{place}/p.parquet")
    wanted = [Column("a", pa.int32()), Column("x", None), Column("b", pa.string())]
    table = rows_of(read_all(tmp_path, wanted))
    schema = pa.schema([("a", pa.int32()), ("x", INT), ("b", pa.string())])
    partitioning = ds.partitioning(pa.schema([schema.field("a"), schema.field("b")]), flavor="hive")
    expected = ds.dataset(tmp_path, schema=schema, partitioning=partitioning).to_table()
    assert table.schema == schema
    by_row = [("a", "ascending"), ("x", "ascending")]
    assert table.sort_by(by_row).equals(expected.sort_by(by_row))


@pytest.mark.parametrize(
    ("text", "dtype", "value"),
    [
        ("2026-01-01", pa.date32(), dt.date(2026, 1, 1)),
        ("2026-01-01 12%3A30%3A00", pa.timestamp("us"), dt.datetime(2026, 1, 1, 12, 30)),
        ("00501", pa.string(), "00501"),
        ("00501", INT, 501),
        ("1.50", pa.decimal128(9, 2), Decimal("1.50")),
        ("true", pa.bool_(), True),
        ("0.1", pa.float32(), pytest.approx(0.1)),
        ("", pa.string(), ""),
        ("100%", pa.string(), "100%"),
        ("a=b", pa.string(), "a=b"),
        ("%FF", pa.binary(), b"\xff"),
        ("__HIVE_DEFAULT_PARTITION__", INT, None),
    ],
)
def test_a_value_has_its_declared_type(
    text: str, dtype: pa.DataType, value: Any, tmp_path: Path
) -> None:
    store(tmp_path, f"k={text}/p.parquet")
    table = rows_of(read_all(tmp_path, [Column("x", INT), Column("k", dtype)]))
    assert table.schema.field("k").type == dtype
    assert table["k"].to_pylist() == [value] * 3


@pytest.mark.parametrize(
    ("text", "dtype"),
    [
        ("x", INT),
        ("", INT),
        ("300", pa.int8()),
        ("2026-13-01", pa.date32()),
        ("1e400", pa.float64()),
        ("%FF", pa.string()),
    ],
)
def test_a_value_of_another_type_is_refused_before_anything_is_read(
    text: str, dtype: pa.DataType, tmp_path: Path
) -> None:
    store(tmp_path, f"k={text}/q.parquet")
    wanted = [Column("x", INT), Column("k", dtype)]
    listed, _ = list_shards([str(tmp_path)])
    reader = PartitionedFormat(ParquetFormat(), ("k",))
    with pytest.raises(InputError, match=r"q\.parquet: the value of 'k' .* not of type"):
        read_shards(listed, reader, wanted)


def test_columns_that_nobody_wants_are_nothing(tmp_path: Path) -> None:
    store(tmp_path, "k=1/k=2/odd=/p.parquet")
    assert rows_of(read_all(tmp_path, [Column("x", INT)])).column_names == ["x"]
    with pytest.raises(InputError, match="two of its folders give 'k' a value"):
        rows_of(read_all(tmp_path, [Column("x", INT), Column("k", INT)]))


def test_a_column_that_the_files_have_is_read_from_them(tmp_path: Path) -> None:
    store(tmp_path, "k=1/p.parquet", k=pa.array([7, 8, 9], INT))
    wanted = [Column("x", INT), Column("k", INT)]
    assert rows_of(read_all(tmp_path, wanted))["k"].to_pylist() == [7, 8, 9]
    store(tmp_path, "k=2/p.parquet")
    with pytest.raises(InputError, match=r"k=2/p\.parquet: has no column 'k'"):
        rows_of(read_all(tmp_path, wanted))


def test_files_that_do_not_agree_are_refused(tmp_path: Path) -> None:
    store(tmp_path, "k=1/p.parquet")
    wanted = [Column("x", INT), Column("k", INT)]
    other = store(tmp_path, "k=2/p.parquet", k=pa.array([7, 8, 9], INT))
    with pytest.raises(InputError, match=r"k=2/p\.parquet: has a column 'k', which other files"):
        rows_of(read_all(tmp_path, wanted))
    other.unlink()
    store(tmp_path, "p.parquet")
    with pytest.raises(InputError, match=r"/p\.parquet: is in no folder k=\.\.\., as other files"):
        rows_of(read_all(tmp_path, wanted))


def test_a_type_and_a_column_of_the_file_are_needed(tmp_path: Path) -> None:
    store(tmp_path, "k=1/p.parquet")
    with pytest.raises(JobError, match=r"source\.types must declare the column 'k'"):
        rows_of(read_all(tmp_path, [Column("x", INT), Column("k", None)]))
    with pytest.raises(InputError, match="every column that is read stands in the names"):
        rows_of(read_all(tmp_path, [Column("k", INT)]))
    with pytest.raises(JobError, match=r"source\.types\.k: duration\[s\] cannot be read from the"):
        rows_of(read_all(tmp_path, [Column("x", INT), Column("k", pa.duration("s"))]))


def test_values_of_a_row_without_its_list_of_a_fixed_size_are_kept(tmp_path: Path) -> None:
    """In the record the list is any list, since a missing one of a fixed size could not be read back."""
    pairs = pa.array([[1, 2], None, [3, 4]], pa.list_(pa.int8(), 2))
    store(tmp_path, "k=7/p.parquet", pairs=pairs)
    wanted = [Column("k", INT), Column("x", INT), Column("pairs", None)]
    batches = list(read_all(tmp_path, wanted, key="k", values=True))
    assert rows_of(iter(batches))["pairs"].to_pylist() == [[1, 2], [3, 4]]
    (records,) = [told.rows for batch in batches for told in batch.rejected]
    assert pa.types.is_list(records.schema.field("values").type.field("pairs").type)
    (record,) = records.to_pylist()
    assert (record["row"], record["key"]) == (1, 7)
    assert record["values"] == {"k": 7, "x": 1, "pairs": None}


@pytest.mark.parametrize("key", ["k", "x", None])
@pytest.mark.parametrize("values", [False, True])
def test_rejected_rows_are_told_like_those_of_a_file_that_has_the_column(
    key: str | None, values: bool, tmp_path: Path
) -> None:
    """The same rows with the column inside: the same records, but for the name of the file."""
    body = ["1,1", "2,oops", "3,3,3", "4,4"]
    inside = [f"7,{row}" for row in body]
    for place, header, rows in (("a/k=7", "x,y", body), ("b", "k,x,y", inside)):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "in.csv").write_text("\n".join([header, *rows]) + "\n")
    wanted = [Column("k", INT), Column("x", INT), Column("y", INT)]
    told = []
    for folder in ("a", "b"):
        batches = list(read_all(tmp_path / folder, wanted, CsvFormat(), key=key, values=values))
        records = [record.rows for batch in batches for record in batch.rejected]
        told.append((pa.Table.from_batches(records), rows_of(iter(batches))))
    (from_folder, rows), (from_file, expected) = told
    assert rows.equals(expected)
    assert from_folder.schema == from_file.schema
    assert from_folder["row"].to_pylist() == from_file["row"].to_pylist() == [1, 2]
    for line, other in zip(from_folder.to_pylist(), from_file.to_pylist(), strict=True):
        # Of a row of the wrong width the folder tells the key, and the message other counts.
        if line["row"] == 1:
            assert {**line, "source": None} == {**other, "source": None}
        elif key == "k":
            assert (line["key"], other["key"]) == (7, None)


@pytest.mark.parametrize(
    ("column", "folder", "row"),
    [
        ([1, 1], 1, None),
        ([2, 1], 1, 7),
        ([1, 2], 1, 8),
        ([1, None], 1, 8),
        ([None, None], None, None),
        ([None, 1], None, 8),
    ],
)
def test_a_row_of_another_folder_is_named(
    column: list[int | None], folder: int | None, row: int | None
) -> None:
    batch = raw_batch({"k": pa.array(column, INT)}, first_row=7)
    values = {"k": pa.array([folder], INT)}
    if row is None:
        _refuse_other_values(batch, values)
        return
    with pytest.raises(InputError, match=f"its column 'k' has another value in row {row} than"):
        _refuse_other_values(batch, values)
