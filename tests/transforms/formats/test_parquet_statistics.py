"""Missing values that a footer tells of, against those that are there."""

import datetime as dt
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.transforms.formats.bounds import list_bounds
from transforms.formats.files import FilesFormat
from transforms.formats.format import InputOptions, find_input_format
from transforms.formats.load import Load
from transforms.formats.loading import LoadingFormat
from transforms.formats.parquet import ParquetFormat
from transforms.formats.partitions import PartitionedFormat, count_nulls_of

TABLE = pa.table(
    {
        "x": [1.0, None, float("nan"), None],
        "text": ["a", None, "", "b"],
        "whole": [1, 2, 3, 4],
        "lists": [[1], [2], [3], [4]],
        "some": [[1], None, [], [None]],
        "pair": [{"a": 1}, {"a": 2}, None, {"a": None}],
        "nothing": pa.nulls(4),
    }
)
NAMES = TABLE.column_names
CSV = {"delimiter": ",", "encoding": "utf-8", "null_values": (), "newlines_in_values": True}


@pytest.mark.parametrize("group_rows", [4, 1])
def test_nulls_are_counted_where_that_can_be_told(tmp_path: Path, group_rows: int) -> None:
    path = tmp_path / "p.parquet"
    pq.write_table(TABLE, path, row_group_size=group_rows)
    counts = ParquetFormat().count_nulls(str(path), NAMES)
    assert counts == {
        "x": 2,
        "text": 1,
        "whole": 0,
        "lists": 0,
        # A list or struct that is missing counts as what is missing in one.
        "some": None,
        "pair": None,
        # pyarrow writes no statistics of these.
        "nothing": None,
    }
    flat = {name: TABLE[name].null_count for name in ("x", "text", "whole")}
    assert {name: counts[name] for name in flat} == flat


def test_without_statistics_nobody_knows(tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    required = TABLE.select(["whole", "x"]).cast(
        pa.schema([pa.field("whole", pa.int64(), nullable=False), ("x", pa.float64())])
    )
    pq.write_table(required, path, write_statistics=False)
    assert ParquetFormat().count_nulls(str(path), ["whole", "x"]) == {"whole": 0, "x": None}


def test_folders_and_csv_tell_nothing(tmp_path: Path) -> None:
    path = tmp_path / "day=1/p.parquet"
    path.parent.mkdir()
    pq.write_table(TABLE, path)
    partitioned = PartitionedFormat(ParquetFormat(), ("day",))
    counts = count_nulls_of(partitioned, str(path), ["day", "x"])
    assert counts == {"day": None, "x": 2}
    csv = find_input_format("csv", InputOptions(CSV))
    assert count_nulls_of(csv, str(path), ["x"]) is None


def test_contents_are_missing_where_paths_are(tmp_path: Path) -> None:
    """A job that reads files is told of the table's statistics as any other."""
    path = tmp_path / "p.parquet"
    pq.write_table(TABLE, path)
    load = Load("content", str(tmp_path), 1 << 20, column="text")
    counts = count_nulls_of(
        LoadingFormat(ParquetFormat(), (load,)), str(path), ["content", "whole"]
    )
    assert counts == {"content": 1, "whole": 0}
    csv = find_input_format("csv", InputOptions(CSV))
    untold = count_nulls_of(LoadingFormat(csv, (load,)), str(path), ["content", "whole"])
    assert untold == {"content": None, "whole": None}
    assert count_nulls_of(FilesFormat(), str(tmp_path), ["bytes", "path"]) == {
        "bytes": 0,
        "path": 0,
    }


def bounds_of(
    path: Path, table: pa.Table, dtype: pa.DataType | None = None, **options: object
) -> object:
    """Return what statistics say of the only column of a file, in its only row group."""
    pq.write_table(table, path, **options)
    fields = pa.schema([("a", dtype or table.schema.field("a").type)])
    (group,) = list_bounds(str(path), fields)
    return group.bounds["a"]


@pytest.mark.parametrize(
    ("values", "dtype", "least", "most"),
    [
        ([3, 1, 2], pa.int16(), 1, 3),
        ([1.5, -2.0], pa.float32(), -2.0, 1.5),
        (["b", "a"], pa.string(), "a", "b"),
        ([5, 2], pa.date32(), dt.date(1970, 1, 3), dt.date(1970, 1, 6)),
        (
            [5, 2],
            pa.timestamp("ms"),
            dt.datetime(1970, 1, 1, 0, 0, 0, 2000),
            dt.datetime(1970, 1, 1, 0, 0, 0, 5000),
        ),
    ],
)
def test_bounds_are_the_least_and_the_largest(
    tmp_path: Path, values: list[Any], dtype: pa.DataType, least: Any, most: Any
) -> None:
    found: Any = bounds_of(tmp_path / "p", pa.table({"a": pa.array(values, dtype)}))
    assert (found.least.as_py(), found.most.as_py()) == (least, most)
    assert found.may_be_value


def test_bounds_come_out_in_the_type_that_is_wanted(tmp_path: Path) -> None:
    table = pa.table({"a": pa.array([1, 2], pa.int8())})
    found: Any = bounds_of(tmp_path / "p", table, pa.float64())
    assert (found.least, found.most) == (pa.scalar(1.0), pa.scalar(2.0))
    # What does not fit tells nothing.
    large = pa.table({"a": pa.array([1, 1 << 40])})
    found = bounds_of(tmp_path / "p", large, pa.int32())
    assert (found.least, found.most) == (None, None)


def test_moments_of_96_bits_have_no_bounds(tmp_path: Path) -> None:
    table = pa.table({"a": pa.array([1, 2], pa.timestamp("ns"))})
    found: Any = bounds_of(tmp_path / "p", table, use_deprecated_int96_timestamps=True)
    assert (found.least, found.most) == (None, None)


@pytest.mark.parametrize(
    ("values", "nullable", "may_be_null", "may_be_value"),
    [
        ([1, 2], True, False, True),
        ([1, None], True, True, True),
        ([None, None], True, True, False),
        ([1, 2], False, False, True),
    ],
)
def test_nulls_are_told_where_they_are_counted(
    tmp_path: Path, values: list[Any], nullable: bool, may_be_null: bool, may_be_value: bool
) -> None:
    schema = pa.schema([pa.field("a", pa.int64(), nullable)])
    table = pa.table({"a": pa.array(values, pa.int64())}, schema=schema)
    found: Any = bounds_of(tmp_path / "p", table)
    assert (found.may_be_null, found.may_be_value) == (may_be_null, may_be_value)
    # Without statistics anything may be.
    found = bounds_of(tmp_path / "p", table, write_statistics=False)
    assert (found.may_be_null, found.may_be_value, found.least) == (nullable, True, None)
