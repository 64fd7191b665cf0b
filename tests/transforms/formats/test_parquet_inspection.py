"""Files that are like the one before are known by the bytes of their footers; all others are checked."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from configs.errors import InputError
from tests.support.builders import parquet
from transforms.formats import parquet_inspection
from transforms.formats.column import Column
from transforms.formats.parquet_inspection import inspect_file

WANTED = [Column("a", None)]


@pytest.fixture(autouse=True)
def _nothing_checked_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_inspection._last, "checked", None)


def write(folder: Path, name: str, columns: dict[str, Any]) -> str:
    path = folder / name
    path.write_bytes(parquet(pa.table(columns)))
    return str(path)


def test_a_file_like_the_one_before_has_its_own_rows_and_the_same_schema(tmp_path: Path) -> None:
    first = inspect_file(write(tmp_path, "1", {"a": [1], "b": ["x"]}), WANTED)
    second = inspect_file(write(tmp_path, "2", {"a": [2, 3], "b": ["y", "z"]}), WANTED)
    assert second.schema is first.schema
    assert (first.metadata.num_rows, second.metadata.num_rows) == (1, 2)
    assert second.row_bytes == first.row_bytes


@pytest.mark.parametrize(
    ("columns", "dtype"),
    [
        ({"a": [1.5]}, pa.float64()),
        ({"b": ["x"], "a": [1]}, pa.int64()),
        ({"a": pa.array([1], pa.int32())}, pa.int32()),
    ],
)
def test_a_file_with_other_columns_is_looked_into_anew(
    columns: dict[str, Any], dtype: pa.DataType, tmp_path: Path
) -> None:
    first = inspect_file(write(tmp_path, "1", {"a": [1], "b": ["x"]}), WANTED)
    second = inspect_file(write(tmp_path, "2", columns), WANTED)
    assert first.schema.field("a").type == pa.int64()
    assert second.schema == pa.table(columns).schema
    assert second.schema.field("a").type == dtype


def test_a_file_of_the_same_columns_that_arrow_wrote_from_other_ones_is_looked_into(
    tmp_path: Path,
) -> None:
    """A duration is stored as a number, and what it was is told behind the row groups."""
    plain = inspect_file(write(tmp_path, "1", {"a": [1]}), WANTED)
    duration = {"a": pa.array([1], pa.duration("s"))}
    path = write(tmp_path, "2", duration)
    assert pq.ParquetFile(path).schema.equals(pq.ParquetFile(str(tmp_path / "1")).schema)
    assert inspect_file(path, WANTED).schema.field("a").type == pa.duration("s")
    assert plain.schema.field("a").type == pa.int64()


def test_other_wanted_columns_are_looked_for(tmp_path: Path) -> None:
    path = write(tmp_path, "1", {"a": [1]})
    inspect_file(path, WANTED)
    with pytest.raises(InputError, match="'b'"):
        inspect_file(path, [Column("b", None)])


def test_what_is_refused_is_refused_again(tmp_path: Path) -> None:
    path = write(tmp_path, "1", {"b": [1]})
    for _ in range(2):
        with pytest.raises(InputError, match="'a'"):
            inspect_file(path, WANTED)


@pytest.mark.parametrize("cut", [3, 9, 100, 200])
def test_a_file_that_is_cut_is_refused_behind_a_whole_one(cut: int, tmp_path: Path) -> None:
    whole = write(tmp_path, "1", {"a": [1]})
    inspect_file(whole, WANTED)
    (tmp_path / "2").write_bytes(Path(whole).read_bytes()[:-cut])
    with pytest.raises(InputError, match="not a readable Parquet file"):
        inspect_file(str(tmp_path / "2"), WANTED)
