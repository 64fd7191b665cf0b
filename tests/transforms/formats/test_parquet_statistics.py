"""Missing values that a footer tells of, against those that are there."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

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
