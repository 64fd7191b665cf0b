"""How large a smoke batch may be."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from configs.errors import ModelError
from model_zoo.package import smoke_batch
from model_zoo.package.smoke_batch import parse_smoke_batch
from tests.support.builders import parquet
from tests.transforms.formats.chunks import repeat_chunks

# Of columns that have no nulls nothing is read but their numbers.
SCHEMA = pa.schema([pa.field("a", pa.int64(), nullable=False)])
FEW = pa.table({"a": range(200)}, schema=SCHEMA)


def stated_bytes(content: bytes) -> int:
    metadata = pq.ParquetFile(pa.BufferReader(content)).metadata
    return sum(metadata.row_group(n).total_byte_size for n in range(metadata.num_row_groups))


def check_limit(content: bytes, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is taken where so much is allowed, and refused where one less is."""
    monkeypatch.setattr(smoke_batch, "_MOST_BYTES", most)
    parse_smoke_batch(content, "m/smoke.parquet")
    monkeypatch.setattr(smoke_batch, "_MOST_BYTES", most - 1)
    with pytest.raises(ModelError, match=r"^m/smoke\.parquet: is not a readable Parquet file"):
        parse_smoke_batch(content, "m/smoke.parquet")


def test_what_it_says_and_what_it_turns_out_to_hold_are_limited_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    content = parquet(FEW)
    check_limit(content, stated_bytes(content) + FEW.nbytes, monkeypatch)


def test_values_are_counted_that_take_no_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    content = parquet(pa.table({"a": pa.nulls(5_000), "b": pa.nulls(5_000)}))
    assert stated_bytes(content) < 5_000
    check_limit(content, 10_000, monkeypatch)


def test_chunks_of_columns_that_there_are_not_end_nothing(tmp_path: Path) -> None:
    path = tmp_path / "smoke.parquet"
    path.write_bytes(parquet(FEW))
    content = repeat_chunks(path).read_bytes()
    assert parse_smoke_batch(content, "p").equals(FEW)


def test_a_batch_of_one_row_is_a_smoke_batch_and_one_of_none_is_not() -> None:
    assert parse_smoke_batch(parquet(FEW[:1]), "p").num_rows == 1
    with pytest.raises(ModelError, match=r"^p: has no rows"):
        parse_smoke_batch(parquet(FEW[:0]), "p")


def test_256_mib_are_taken() -> None:
    smoke_batch._refuse_large(256 * 1024**2)
    with pytest.raises(ValueError, match="it holds more than 256 MiB"):
        smoke_batch._refuse_large(256 * 1024**2 + 1)
