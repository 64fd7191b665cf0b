"""Shards of wide rows take little more memory than small ones, and are what their names say."""

from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from tests.benchmarks.memory import MOST_BYTES, SHAPES, measure, write_shard
from tests.support.long import long


@pytest.mark.parametrize("name", SHAPES)
def test_shards_have_the_rows_and_letters_that_were_asked_for(name: str, tmp_path: Path) -> None:
    shape = SHAPES[name]
    path = tmp_path / "p"
    write_shard(shape, path, rows=40, row_bytes=shape.columns * 20)
    if shape.source == "csv":
        rows = pd.read_csv(path)
    else:
        rows = pq.read_table(path).to_pandas()
        assert pq.read_metadata(path).num_row_groups == 1
    long_rows = rows[rows["s0"].str.len() == 20]
    assert len(long_rows) == 40
    assert len(rows) == (80 if shape.texts == "late" else 40)
    assert long_rows[shape.names].nunique().unique().tolist() == (
        [40] if shape.texts == "random" else [3]
    )


@long
@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "16kB-many-sorted",
        "100kB-late",
        "100kB-repeated-csv-out",
        "100kB-sorted-by-text",
        "5MB-csv-many-sorted",
    ],
)
def test_a_large_shard_takes_little_more_than_a_small_one(name: str, tmp_path: Path) -> None:
    small, large, _ = measure(SHAPES[name], tmp_path, 1_000_000_000)
    assert large - small < MOST_BYTES
