"""A shard that changes or goes while it is read costs itself where the job allows it: no row is of mixed contents.

Real files of each format, changed in every way that a file can change, before they are read and in the middle.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import feather, orc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from configs.errors import ChangedError, InputError
from tests.support.avro_files import write_avro
from tests.support.builders import unit_of
from tests.transforms.formats.spans import describe
from transforms.batches import RawBatch, RowRecord, WorkUnit
from transforms.formats import held_shards
from transforms.formats.arrow_ipc import ArrowIpcFormat
from transforms.formats.avro import AvroFormat
from transforms.formats.column import Column
from transforms.formats.csv import CsvFormat
from transforms.formats.format import Format, make_unit
from transforms.formats.orc import OrcFormat
from transforms.formats.parquet import ParquetFormat
from transforms.read_unit import read_unit
from transforms.unit_members import join_members

ROWS = 4_096
Change = Callable[[Path, bytes], Any]


def rows_from(first: float) -> pa.Table:
    """Rows that take as much room, whatever they begin with."""
    return pa.table({"id": np.arange(ROWS, dtype=np.float64) + first + 0.5})


PLANNED, OTHER = rows_from(10_000), rows_from(50_000)
SCHEMA = PLANNED.schema


def write_parquet(path: Path, rows: pa.Table) -> None:
    pq.write_table(rows, path, row_group_size=ROWS // 4, compression="none", use_dictionary=False)


def write_arrow(path: Path, rows: pa.Table) -> None:
    feather.write_feather(rows, str(path), compression="uncompressed", chunksize=ROWS // 4)


def write_orc(path: Path, rows: pa.Table) -> None:
    orc.write_table(rows, str(path), compression="uncompressed", stripe_size=1)


FORMATS: dict[str, tuple[Format, Callable[[Path, pa.Table], Any]]] = {
    "parquet": (ParquetFormat(), write_parquet),
    "arrow": (ArrowIpcFormat(), write_arrow),
    "orc": (OrcFormat(), write_orc),
    "avro": (AvroFormat(), write_avro),
    "csv": (CsvFormat(), lambda path, rows: pacsv.write_csv(rows, path)),
}


def rename(path: Path, content: bytes) -> None:
    other = path.with_name("other")
    other.write_bytes(content)
    other.replace(path)


def overwrite(path: Path, content: bytes) -> None:
    with path.open("r+b") as file:
        file.write(content)


def truncate(path: Path, content: bytes) -> None:
    with path.open("r+b") as file:
        file.truncate(len(content) // 3)


def remove(path: Path, content: bytes) -> None:
    path.unlink()


WAYS: list[Change] = [rename, overwrite, truncate, remove]


def plan(folder: Path, name: str, form: str = "parquet") -> tuple[WorkUnit, bytes]:
    """Return a file as one unit, and another content of the same size."""
    kind, write = FORMATS[form]
    path = folder / name
    write(path, OTHER)
    other = path.read_bytes()
    write(path, PLANNED)
    if form == "csv":
        return unit_of(path, None), other
    shard, _ = kind.inspect(describe(path), [Column("id", pa.float64())])
    (piece,) = kind.split(shard, ROWS)
    return make_unit(0, shard, piece), other


def start(unit: WorkUnit, form: str = "parquet", goes_on: bool = True) -> Any:
    return read_unit(unit, SCHEMA, FORMATS[form][0], 500, RowRecord("id"), goes_on)


def check(batches: list[RawBatch], before: int) -> None:
    """Check that rows are the planned ones, at least those that came before, and all others are told."""
    ids = [value for batch in batches for value in batch.rows.column("id").to_pylist()]
    assert len(ids) >= before
    assert ids == PLANNED["id"].to_pylist()[: len(ids)]
    assert [batch.last for batch in batches] == [False] * (len(batches) - 1) + [True]
    (broken,) = [shard for batch in batches for shard in batch.broken]
    assert (broken.stage, broken.row) == ("read", len(ids))
    assert "changed after the run was planned" in broken.message
    records = [r for b in batches for part in b.rejected for r in part.rows.to_pylist()]
    if broken.rows is None:
        assert records == []
        return
    assert [record["row"] for record in records] == list(range(len(ids), ROWS))
    assert {record["message"] for record in records} == {broken.message}


@pytest.fixture(autouse=True)
def _none_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is small is read at once; these are read as large ones are."""
    monkeypatch.setattr(held_shards, "_SMALL_BYTES", 1)


@pytest.mark.parametrize("taken", [0, 1, 4])
@pytest.mark.parametrize("change", WAYS)
@pytest.mark.parametrize("form", FORMATS)
def test_rows_that_came_before_are_the_planned_ones_and_all_others_are_lost(
    tmp_path: Path, form: str, change: Change, taken: int
) -> None:
    unit, other = plan(tmp_path, "a", form)
    batches = start(unit, form)
    came = [next(batches) for _ in range(taken)]
    change(Path(unit.shard), other)
    came += batches
    check(came, sum(batch.rows_in for batch in came[:taken]))
    # Nothing of what was put there.
    assert sum(len(batch) for batch in came) == sum(len(batch) for batch in came[:taken])


@pytest.mark.parametrize("change", WAYS)
def test_a_small_one_is_of_one_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Change
) -> None:
    monkeypatch.undo()
    unit, other = plan(tmp_path, "a")
    batches = start(unit)
    came = [next(batches)]
    change(Path(unit.shard), other)
    came += batches
    # It was read whole before.
    assert not any(batch.broken for batch in came)
    check(list(start(unit)), 0)


def test_in_a_unit_of_several_the_others_are_read(tmp_path: Path) -> None:
    units = []
    for name in ("a", "b", "c"):
        unit, other = plan(tmp_path, name)
        units.append(unit)
    overwrite(Path(units[1].shard), other)
    batches = list(start(join_members(0, units)))
    assert sum(batch.rows_in for batch in batches) == 3 * ROWS
    scored = [value for batch in batches for value in batch.rows.column("id").to_pylist()]
    assert scored == 2 * PLANNED["id"].to_pylist()
    broken = [(shard.shard, shard.row, shard.rows) for b in batches for shard in b.broken]
    assert broken == [(units[1].shard, 0, ROWS)]


def test_a_break_before_the_change_is_told_beside_it(tmp_path: Path) -> None:
    unit, _ = plan(tmp_path, "a")
    path = Path(unit.shard)
    content = bytearray(path.read_bytes())
    second = pq.read_metadata(path).row_group(1).column(0).data_page_offset
    content[second : second + 8] = b"\xff" * 8
    path.write_bytes(content)
    spoilt = make_unit(0, *_cut(path))
    batches = start(spoilt)
    came: list[RawBatch] = []
    while not came or not came[-1].broken:
        came.append(next(batches))
    path.unlink()
    came += batches
    broken = [(shard.row, shard.rows) for batch in came for shard in batch.broken]
    assert broken == [(1_024, 1_024), (2_048, 2_048)]


def _cut(path: Path) -> Any:
    shard, _ = ParquetFormat().inspect(describe(path), [])
    return shard, ParquetFormat().split(shard, ROWS)[0]


@pytest.mark.parametrize("change", WAYS)
def test_without_a_budget_it_ends_the_run(tmp_path: Path, change: Change) -> None:
    unit, other = plan(tmp_path, "a")
    batches = start(unit, goes_on=False)
    next(batches)
    change(Path(unit.shard), other)
    with pytest.raises(InputError, match="changed after the run was planned"):
        list(batches)


def test_what_cannot_be_looked_at_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit, _ = plan(tmp_path, "a")
    batches = start(unit)
    next(batches)
    path = Path(unit.shard)
    # A loop of links: no file, and yet not gone.
    path.unlink()
    path.symlink_to(path)
    with pytest.raises(InputError, match="cannot be read: Too many levels") as refused:
        list(batches)
    assert not isinstance(refused.value, ChangedError)
