from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from configs.errors import InputError, RejectedRows, RowError
from tests.support.builders import make_unit, raw_batch, unit_of
from transforms.batches import RawBatch, RowRecord, WorkUnit
from transforms.formats.parquet import ParquetFormat
from transforms.read import read_unit
from transforms.rejected import reject_rows
from transforms.shards_together import read_together
from transforms.unit_members import join_members

SCHEMA = pa.schema([("id", pa.int64())])


def write(folder: Path, sizes: list[int], first: int = 0) -> WorkUnit:
    """Shards whose rows count through all of them, as one unit."""
    members = []
    for number, size in enumerate(sizes):
        path = folder / f"{number}.parquet"
        ids = np.arange(first, first + size)
        pq.write_table(pa.table({"id": ids}), path)
        members.append(unit_of(path, size, index=number))
        first += size
    return join_members(7, members)


def read(unit: WorkUnit, rows_per_batch: int = 1_000) -> list[RawBatch]:
    record = RowRecord("id")
    return list(read_unit(unit, SCHEMA, ParquetFormat(), rows_per_batch, record))


@pytest.mark.parametrize("rows_per_batch", [1, 4, 7, 1_000])
def test_rows_come_in_order_each_with_its_shard(tmp_path: Path, rows_per_batch: int) -> None:
    sizes = [3, 0, 5, 1, 0]
    unit = write(tmp_path, sizes)
    assert (unit.rows, unit.first_row) == (9, 0)
    batches = read(unit, rows_per_batch)
    ids = [value for batch in batches for value in batch.rows.column("id").to_pylist()]
    assert ids == list(range(9))
    places = [
        (int(member), int(row))
        for batch in batches
        for member, row in zip(batch.members, batch.row_numbers, strict=True)
    ]
    assert places == [(m, row) for m, size in enumerate(sizes) for row in range(size)]
    assert max(len(batch) for batch in batches) <= rows_per_batch
    assert [batch.last for batch in batches] == [False] * (len(batches) - 1) + [True]
    # Without a gap, as the writer expects them.
    position = 0
    for batch in batches:
        assert (batch.unit, batch.id.first_row) == (unit, position)
        assert sum(batch.rows_in_of.values()) == batch.rows_in
        position += batch.rows_in


def test_small_shards_fill_a_batch(tmp_path: Path) -> None:
    (batch,) = read(write(tmp_path, [10] * 6), rows_per_batch=60)
    assert batch.rows_in_of == dict.fromkeys(range(6), 10)
    assert str(batch.id) == f"{tmp_path}/0.parquet to {tmp_path}/5.parquet"
    (alone,) = read(write(tmp_path, [10]))
    assert str(alone.id) == f"{tmp_path}/0.parquet"


def test_a_rejected_row_is_recorded_under_its_shard(tmp_path: Path) -> None:
    (batch,) = read(write(tmp_path, [2, 3, 2]))
    rejected = RejectedRows({1: RowError("one"), 4: RowError("two")})
    left = reject_rows(batch, rejected, "preprocess")
    (records,) = left.rejected
    assert records.rows.column("source").to_pylist() == [
        f"{tmp_path}/0.parquet",
        f"{tmp_path}/1.parquet",
    ]
    assert records.rows.column("row").to_pylist() == [1, 2]
    assert left.members is not None
    assert left.members.tolist() == [0, 1, 1, 2, 2]
    assert left.rows_in == batch.rows_in


def test_a_shard_that_changed_is_refused_by_its_name(tmp_path: Path) -> None:
    unit = write(tmp_path, [2, 3, 2])
    pq.write_table(pa.table({"id": [5]}), tmp_path / "1.parquet")
    with pytest.raises(InputError, match=r"1\.parquet: changed after the run was planned"):
        read(unit)


def read_columns(columns: list[pa.Array]) -> list[RawBatch]:
    """A unit whose members have one column each."""
    members = [
        make_unit(number, len(column), f"{number}.parquet") for number, column in enumerate(columns)
    ]
    unit = join_members(0, members)

    def read_member(member: WorkUnit) -> Iterator[RawBatch]:
        batch = raw_batch({"x": columns[member.index]}, unit=member)
        yield replace(batch, record=RowRecord())

    return list(read_together(unit, read_member, 1_000))


def test_dictionaries_that_no_index_counts_together_stay_apart() -> None:
    small = pa.dictionary(pa.int8(), pa.string())

    def column_of(shard: int, values: int) -> pa.Array:
        words = pa.array([f"{shard} {row}" for row in range(values)])
        return words.dictionary_encode().cast(small)

    columns = [column_of(shard, 100) for shard in range(3)]
    batches = read_columns(columns)
    assert [batch.id.first_row for batch in batches] == [0, 100, 200]
    assert [batch.last for batch in batches] == [False, False, True]
    for batch, column in zip(batches, columns, strict=True):
        assert batch.rows.column("x").equals(column)
    (batch,) = read_columns([column_of(shard, 40) for shard in range(3)])
    assert batch.rows.column("x").type == small


def test_what_a_dictionary_stands_for_counts_as_bytes() -> None:
    """Few bytes that are many once they are decoded do not travel together."""
    long = pa.array(["x" * (1 << 20)])
    column = pa.DictionaryArray.from_arrays(pa.array([0] * 40, type=pa.int8()), long)
    assert len(read_columns([column] * 3)) == 3
    assert len(read_columns([column.slice(0, 4)] * 3)) == 1
