"""A shard that breaks while it is read: the rows before go on, those behind are rejected, and the next shard is read."""

from collections.abc import Iterator
from dataclasses import dataclass
import errno
import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from configs.errors import ChangedError, InputError
from tests.support.builders import unit_of
from transforms.batches import RawBatch, RowRecord, WorkUnit
from transforms.formats.format import number_rows
from transforms.read_unit import read_unit
from transforms.unit_members import join_members

SCHEMA = pa.schema([("id", pa.int64()), ("s", pa.list_(pa.string()))])
ROWS, GOOD = 10, 6


@dataclass(frozen=True)
class Breaking:
    """A format whose files break behind some rows, with an error."""

    error: Exception
    good: int = GOOD

    def read(
        self, unit: WorkUnit, schema: Any, rows_per_batch: int, record: RowRecord
    ) -> Iterator[RawBatch]:
        is_whole = "whole" in unit.shard
        stop = ROWS if is_whole else self.good
        for first in range(0, stop, rows_per_batch):
            ids = np.arange(first, min(stop, first + rows_per_batch))
            columns = {"id": ids, "s": pa.nulls(len(ids), SCHEMA.field("s").type)}
            rows = pa.RecordBatch.from_pydict(columns, schema=SCHEMA)
            yield number_rows(unit, rows, first, last=first + len(ids) == ROWS)
        if not is_whole:
            raise self.error


def refuse(cause: Exception | None = None) -> InputError:
    error = InputError("a.parquet: cannot be read; replace the file")
    error.__cause__ = cause
    return error


def shard(folder: Path, name: str, rows: int | None = ROWS, index: int = 0) -> WorkUnit:
    path = folder / name
    # Too large to be held, and so looked at again.
    path.write_bytes(bytes(2 << 20))
    return unit_of(path, rows, index=index)


def read(unit: WorkUnit, format: Breaking, goes_on: bool = True) -> list[RawBatch]:
    record = RowRecord("id", values=True)
    return list(read_unit(unit, SCHEMA, format, 2, record, goes_on))  # type: ignore[arg-type]


def told(batches: list[RawBatch]) -> list[dict[str, Any]]:
    return [row for batch in batches for part in batch.rejected for row in part.rows.to_pylist()]


@pytest.mark.parametrize("rows", [ROWS, 70_000, None])
def test_the_rest_is_rejected_row_by_row(tmp_path: Path, rows: int | None) -> None:
    unit = shard(tmp_path, "a.parquet", rows)
    batches = read(unit, Breaking(refuse()))
    ids = [value for batch in batches for value in batch.rows.column("id").to_pylist()]
    assert ids == list(range(GOOD))
    position = 0
    for batch in batches:
        assert batch.id.first_row == position
        position += batch.rows_in
    assert position == (GOOD if rows is None else rows)
    assert [batch.last for batch in batches] == [False] * (len(batches) - 1) + [True]
    (broken,) = batches[-1].broken
    lost = None if rows is None else rows - GOOD
    assert (broken.shard, broken.stage, broken.row, broken.rows) == (unit.shard, "read", GOOD, lost)
    records = told(batches)
    assert [record["row"] for record in records] == list(range(GOOD, rows or GOOD))
    for record in records[:1]:
        assert record["source"] == unit.shard
        assert record["message"] == "a.parquet: cannot be read; replace the file"
        assert (record["stage"], record["key"]) == ("read", None)


def test_in_a_unit_of_several_the_others_are_read(tmp_path: Path) -> None:
    names = ["whole0", "broken1", "whole2", "broken3"]
    members = [shard(tmp_path, name, index=number) for number, name in enumerate(names)]
    batches = read(join_members(0, members), Breaking(refuse()))
    assert sum(batch.rows_in for batch in batches) == ROWS * len(names)
    assert [shard.shard for batch in batches for shard in batch.broken] == [
        members[1].shard,
        members[3].shard,
    ]
    rows_in_of = dict.fromkeys(range(len(names)), 0)
    for batch in batches:
        for number, rows in batch.rows_in_of.items():
            rows_in_of[number] += rows
    assert rows_in_of == dict.fromkeys(range(len(names)), ROWS)
    places = [(record["source"], record["row"]) for record in told(batches)]
    assert places == [(members[n].shard, row) for n in (1, 3) for row in range(GOOD, ROWS)]


@pytest.mark.parametrize(
    "cause",
    [
        OSError(errno.EIO, os.strerror(errno.EIO)),
        PermissionError(errno.EACCES, os.strerror(errno.EACCES)),
        FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)),
        TimeoutError(),
        MemoryError(),
    ],
)
def test_what_a_disk_or_a_store_fails_at_is_not_lost(tmp_path: Path, cause: Exception) -> None:
    unit = shard(tmp_path, "a.parquet")
    with pytest.raises(InputError, match="cannot be read"):
        read(unit, Breaking(refuse(cause)))
    # A file that is broken makes Arrow say so without a number.
    assert read(unit, Breaking(refuse(OSError("Couldn't deserialize"))))[-1].broken


def test_a_file_that_a_row_names_ends_the_run_when_it_changed(tmp_path: Path) -> None:
    """Its shard is as it was, and would lose rows that have nothing to do with it."""
    unit = shard(tmp_path, "a.parquet")
    with pytest.raises(ChangedError, match="a row names"):
        read(unit, Breaking(ChangedError("a file that a row names changed")))


@pytest.mark.parametrize("error", [refuse(), KeyError("id"), AssertionError("other rows")])
def test_a_change_explains_any_other_complaint(tmp_path: Path, error: Exception) -> None:
    unit = shard(tmp_path, "a.parquet")
    batches = read_unit(unit, SCHEMA, Breaking(error), 2, RowRecord(), True)  # type: ignore[arg-type]
    came = [next(batches)]
    # The same as before, and yet nobody knows when it was written.
    Path(unit.shard).write_bytes(bytes(2 << 20))
    came += batches
    (broken,) = came[-1].broken
    assert (broken.row, broken.rows) == (2, ROWS - 2)
    assert broken.message.startswith(f"{unit.shard}: changed after the run was planned")
    unit = shard(tmp_path, "b.parquet")
    if not isinstance(error, InputError):
        with pytest.raises(type(error)):
            read(unit, Breaking(error))


def test_without_a_budget_it_ends_the_run(tmp_path: Path) -> None:
    unit = shard(tmp_path, "a.parquet")
    with pytest.raises(InputError, match="replace the file"):
        read(unit, Breaking(refuse()), goes_on=False)


def test_more_rows_than_were_planned_are_no_loss(tmp_path: Path) -> None:
    unit = shard(tmp_path, "a.parquet", rows=5)
    with pytest.raises(InputError, match="replace the file"):
        read(unit, Breaking(refuse()))
