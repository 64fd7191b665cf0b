from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from configs.errors import InputError, RejectedRows, RowError
from tests.support.builders import make_unit, raw_batch, unit_of
from transforms import shards_together
from transforms.batches import RawBatch, RowRecord, WorkUnit
from transforms.formats.parquet import ParquetFormat
from transforms.read_unit import read_unit
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


def batches_of(unit: WorkUnit, sizes: dict[int, list[int]], **changes: Any) -> list[RawBatch]:
    """Read members that have some batches each, of numbers of eight bytes."""

    def read_member(member: WorkUnit) -> Iterator[RawBatch]:
        first = 0
        of_member = sizes[member.index]
        for number, size in enumerate(of_member):
            rows = {"x": np.arange(first, first + size)}
            batch = raw_batch(rows, unit=member, first_row=first)
            is_last = number == len(of_member) - 1
            yield replace(batch, record=RowRecord(), last=is_last, **changes)
            first += size

    return list(read_together(unit, read_member, 10))


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([5, 5, 1], [10, 1]),
        ([5, 6], [5, 6]),
        ([10, 1, 9, 1], [10, 10, 1]),
        # More than a batch has at most is one by itself.
        ([12, 3], [12, 3]),
        ([0, 0], [0]),
    ],
)
def test_a_batch_is_full_when_no_more_rows_fit(sizes: list[int], expected: list[int]) -> None:
    unit = join_members(0, [make_unit(number) for number in range(len(sizes))])
    batches = batches_of(unit, {number: [size] for number, size in enumerate(sizes)})
    assert [len(batch) for batch in batches] == expected
    assert [batch.id.first_row for batch in batches] == list(np.cumsum([0, *expected[:-1]]))


@pytest.mark.parametrize(
    ("most_bytes", "expected"), [(64, [8, 2]), (63, [4, 6]), (47, [4, 4, 2]), (1, [4, 4, 2])]
)
def test_a_batch_is_full_when_no_more_bytes_fit(
    most_bytes: int, expected: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards_together, "_BATCH_BYTES", most_bytes)
    unit = join_members(0, [make_unit(number) for number in range(3)])
    batches = batches_of(unit, {0: [4], 1: [4], 2: [2]})
    assert [len(batch) for batch in batches] == expected


def test_a_unit_ends_with_the_last_batch_of_its_last_member() -> None:
    unit = join_members(0, [make_unit(0), make_unit(1)])
    batches = batches_of(unit, {0: [6], 1: [6, 6]})
    assert [batch.last for batch in batches] == [False, False, True]
    batches = batches_of(unit, {0: [6, 6], 1: [6]})
    assert [batch.last for batch in batches] == [False, False, True]
    # A member that has one batch of its own does not end it.
    assert [batch.members.tolist() for batch in batches] == [[0] * 6, [0] * 6, [1] * 6]


def test_rows_that_are_left_out_count_by_member() -> None:
    unit = join_members(0, [make_unit(number) for number in range(2)])
    (batch,) = batches_of(unit, {0: [2, 3], 1: [4]}, rows_left_out=5)
    assert batch.left_out_of == {0: 10, 1: 5}
    assert batch.rows_left_out == 15
    assert batch.rows_in_of == {0: 5 + 10, 1: 4 + 5}
    assert batch.row_numbers.tolist() == [0, 1, 2, 3, 4, 0, 1, 2, 3]


def test_rows_that_members_rejected_stay_rejected() -> None:
    unit = join_members(0, [make_unit(number) for number in range(3)])

    def read_member(member: WorkUnit) -> Iterator[RawBatch]:
        batch = replace(raw_batch({"x": np.arange(3)}, unit=member), record=RowRecord(), last=True)
        reasons = RejectedRows({member.index: RowError(f"of {member.index}")})
        yield reject_rows(batch, reasons, "read")

    (batch,) = read_together(unit, read_member, 10)
    messages = [rejected.rows.column("message").to_pylist() for rejected in batch.rejected]
    assert messages == [["of 0"], ["of 1"], ["of 2"]]
    assert (len(batch), batch.rows_in, batch.rows_in_of) == (6, 9, {0: 3, 1: 3, 2: 3})


def test_all_shards_of_a_unit_that_cannot_be_read_are_named_at_once(tmp_path: Path) -> None:
    unit = write(tmp_path, [3, 3, 3, 3, 3])
    (tmp_path / "1.parquet").unlink()
    (tmp_path / "3.parquet").write_bytes(b"other")
    batches = read_unit(unit, SCHEMA, ParquetFormat(), 3, RowRecord("id"))
    with pytest.raises(InputError) as caught:
        list(batches)
    changed = "changed after the run was planned; start the run again to score the new content"
    assert str(caught.value) == (
        f"2 input files cannot be scored: {tmp_path}/1.parquet: {changed} "
        f"(the same of {tmp_path}/3.parquet)"
    )


def test_of_very_many_broken_shards_only_the_first_are_looked_for(tmp_path: Path) -> None:
    unit = write(tmp_path, [1] * 60)
    looked_at = []

    def read_none(member: WorkUnit) -> Iterator[RawBatch]:
        looked_at.append(member.shard)
        raise InputError(f"{member.shard}: broken")
        yield

    with pytest.raises(InputError, match=r"^at least 20 input files .* and 14 more\)$"):
        list(read_together(unit, read_none, 10))
    assert looked_at == [member.shard for member in unit.members[:20]]
