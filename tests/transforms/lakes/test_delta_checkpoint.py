"""Which statistics of a Delta checkpoint are read: those of the wanted columns, and no more than fits."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from transforms.lakes import delta_checkpoint
from transforms.lakes.delta_checkpoint import FILES, read_checkpoint

VALUES = pa.map_(pa.string(), pa.string())
ENDS = pa.struct([("a", pa.int64()), ("b", pa.int64())])
PARSED = pa.struct(
    [("numRecords", pa.int64()), ("minValues", ENDS), ("maxValues", ENDS), ("nullCount", ENDS)]
)
TEXT = '{"numRecords": 3}'
TOLD = {
    "numRecords": 3,
    "minValues": {"a": 1, "b": 2},
    "maxValues": {"a": 5, "b": 6},
    "nullCount": {"a": 0, "b": 1},
}
OF_A = {
    "numRecords": 3,
    "minValues": {"a": 1},
    "maxValues": {"a": 5},
    "nullCount": {"a": 0},
}


def write(folder: Path, with_text: bool = True, parsed: pa.DataType = PARSED) -> str:
    fields = [("path", pa.string()), ("partitionValues", VALUES), ("stats_parsed", parsed)]
    if with_text:
        fields.append(("stats", pa.string()))
    added = {"path": "p", "partitionValues": [], "stats": TEXT, "stats_parsed": TOLD}
    named = {name: added[name] for name, _ in fields}
    column = pa.array([named], pa.struct(fields))
    url = str(folder / "c.parquet")
    pq.write_table(pa.table({"add": column}), url)
    return url


def read(url: str, *told_of: str) -> Any:
    (action,) = read_checkpoint(url, FILES, told_of)
    return action["add"].get("stats")


@pytest.mark.parametrize("with_text", [True, False])
def test_parsed_statistics_of_the_wanted_columns_are_read(tmp_path: Path, with_text: bool) -> None:
    assert read(write(tmp_path, with_text), "a") == OF_A


def test_where_none_of_them_is_parsed_the_text_is_read_if_there_is_one(tmp_path: Path) -> None:
    assert read(write(tmp_path), "c") == TEXT
    assert read(write(tmp_path, with_text=False), "c") == {"numRecords": 3}


def test_nothing_is_read_that_nobody_wants(tmp_path: Path) -> None:
    assert read(write(tmp_path)) is None


def test_statistics_that_are_too_large_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = write(tmp_path)
    row_group = pq.read_metadata(url).row_group(0)
    chunks = [row_group.column(number) for number in range(row_group.num_columns)]
    sizes = {chunk.path_in_schema: chunk.total_uncompressed_size for chunk in chunks}
    of_files = sum(size for path, size in sizes.items() if "stats" not in path)
    of_a = sum(s for p, s in sizes.items() if p.endswith((".a", "numRecords")))
    monkeypatch.setattr(delta_checkpoint, "_MOST_BYTES", of_files + of_a)
    assert read(url, "a") == OF_A
    monkeypatch.setattr(delta_checkpoint, "_MOST_BYTES", of_files + of_a - 1)
    assert read(url, "a") is None
