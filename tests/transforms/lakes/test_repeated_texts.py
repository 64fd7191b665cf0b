"""Files of logs in which one long text stands in each row: read a few rows at a time, and whole."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from transforms.lakes import delta_checkpoint
from transforms.lakes.deleted_rows import POSITIONS, read_deleted
from transforms.lakes.delta_checkpoint import FILES, read_checkpoint
from transforms.lakes.snapshot import Deletions

ROWS = 4_096
LONG = "x" * (1 << 16)


@pytest.fixture(autouse=True)
def sizes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The bytes of each batch that is read."""
    seen: list[int] = []
    iterate: Callable[..., Any] = pq.ParquetFile.iter_batches

    def watch(file: pq.ParquetFile, *args: Any, **options: Any) -> Any:
        for batch in iterate(file, *args, **options):
            seen.append(batch.nbytes)
            yield batch

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", watch)
    monkeypatch.setattr(delta_checkpoint, "_BATCH_BYTES", 1 << 20)
    return seen


def repeat(text: str) -> pa.Array:
    indices = pa.array(np.zeros(ROWS, dtype=np.int32))
    return pa.DictionaryArray.from_arrays(indices, pa.array([text]))


def write(path: Path, columns: Sequence[pa.Array], names: list[str]) -> str:
    table = pa.table(list(columns), names=names)
    pq.write_table(table, path, store_schema=False, row_group_size=ROWS // 2)
    assert path.stat().st_size < ROWS * len(LONG) // 100
    return str(path)


def test_a_checkpoint_of_long_paths_takes_no_more_memory_than_is_stated(
    tmp_path: Path, sizes: list[int]
) -> None:
    added = pa.StructArray.from_arrays([repeat(LONG)], ["path"])
    url = write(tmp_path / "c.parquet", [added], ["add"])
    actions = read_checkpoint(url, FILES)
    assert sum(action["add"]["path"] == LONG for action in actions) == ROWS
    assert max(sizes) <= 2 << 20


def test_positions_under_long_paths_take_no_more_memory_than_is_stated(
    tmp_path: Path, sizes: list[int]
) -> None:
    positions = pa.array(np.arange(ROWS))
    url = write(tmp_path / "p.parquet", [repeat(LONG), positions], ["file_path", "pos"])
    told = Deletions(POSITIONS, url=url, inline=LONG)
    found = read_deleted("/t/a.parquet", [told], ROWS)
    assert found.tolist() == list(range(ROWS))
    assert max(sizes) <= 2 << 20


def test_short_paths_are_read_many_at_a_time(tmp_path: Path, sizes: list[int]) -> None:
    positions = pa.array(np.arange(ROWS))
    url = str(tmp_path / "p.parquet")
    pq.write_table(pa.table({"file_path": repeat("a"), "pos": positions}), url)
    told = Deletions(POSITIONS, url=url, inline="a")
    assert len(read_deleted("/t/a.parquet", [told], ROWS)) == ROWS
    assert len(sizes) == 1
