from dataclasses import asdict, replace
from itertools import pairwise
import json
from pathlib import Path
import uuid

import fsspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from configs.errors import InputError
from storage import files
from storage.run_folder import RunFolder
from tests.support.builders import make_unit, parquet, planned_run, unit_of
from transforms.batches import RawBatch, RowRecord, WorkUnit
from transforms.formats import held_shards, parquet_batches
from transforms.formats import parquet as parquet_format
from transforms.formats.csv import CsvFormat
from transforms.formats.format import InputOptions, find_input_format
from transforms.formats.parquet import ParquetFormat
from transforms.formats.parquet_batches import _groups_read_together
from transforms.output.plan_file import read_plan
from transforms.read import ReadShards, _ReadUnits, units_to_read
from transforms.read_unit import read_unit

TABLE = pa.table(
    {
        "id": np.arange(1_000),
        "x": np.arange(1_000) / 4,
        "unused": ["u"] * 1_000,
        "s": [None if i % 3 == 0 else f"s{i}" for i in range(1_000)],
    }
)
REMOTE = "memory://s.parquet"
SCHEMA = pa.schema([TABLE.schema.field(n) for n in ("s", "id", "x")])


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    path = tmp_path / "shard.parquet"
    pq.write_table(TABLE, path, row_group_size=100)
    return path


def read(unit: WorkUnit, rows_per_batch: int = 1_000, schema: pa.Schema = SCHEMA) -> list[RawBatch]:
    return list(read_unit(unit, schema, ParquetFormat(), rows_per_batch, RowRecord("id")))


@pytest.mark.parametrize("rows_per_batch", [1, 7, 100, 150, 999, 1_000, 5_000])
def test_a_whole_shard_is_read_in_order_in_batches(shard: Path, rows_per_batch: int) -> None:
    batches = read(unit_of(shard, 1_000, span=(0, 10)), rows_per_batch)
    whole = pa.Table.from_batches([b.rows for b in batches])
    assert whole.equals(TABLE.select(["s", "id", "x"]))
    assert whole.schema.equals(SCHEMA, check_metadata=True)
    assert max(len(b) for b in batches) <= rows_per_batch
    assert [b.last for b in batches] == [False] * (len(batches) - 1) + [True]
    assert [b.id.first_row for b in batches] == [int(b.row_numbers[0]) for b in batches]
    assert np.concatenate([b.row_numbers for b in batches]).tolist() == list(range(1_000))


@pytest.mark.parametrize(("first", "count"), [(0, 1), (3, 4), (9, 1)])
def test_a_unit_is_its_row_groups(shard: Path, first: int, count: int) -> None:
    unit = unit_of(shard, count * 100, span=(first, count), first_row=first * 100)
    batches = read(unit, 64)
    expected = list(range(first * 100, (first + count) * 100))
    assert [i for b in batches for i in b.rows["id"].to_pylist()] == expected
    assert np.concatenate([b.row_numbers for b in batches]).tolist() == expected
    assert batches[0].id.first_row == first * 100
    assert sum(b.last for b in batches) == 1


def numbers(path: Path, rows: int) -> WorkUnit:
    """A file of so many int64, none of which is null: 8 bytes each, and no bit more."""
    pq.write_table(pa.table({"id": np.arange(rows)}, schema=IDS), path)
    return unit_of(path, rows)


IDS = pa.schema([pa.field("id", pa.int64(), nullable=False)])


@pytest.mark.parametrize(
    ("bomb_bytes", "stored_bytes", "max_expansion", "is_read"),
    [
        (800, 1, 1, True),  # 100 numbers are 800 bytes
        (799, 1, 1, False),
        (0, 8, 100, True),
        (0, 8, 99, False),
        (799, 800, 1, True),
        (0, 1, None, True),  # 1 000 times by itself
    ],
)
def test_a_bomb_is_large_and_many_times_as_large_as_it_is_stored(
    bomb_bytes: int,
    stored_bytes: int,
    max_expansion: int | None,
    is_read: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert parquet_format.BOMB_BYTES == 1 << 30
    monkeypatch.setattr(parquet_format, "BOMB_BYTES", bomb_bytes)
    unit = replace(numbers(tmp_path / "a.parquet", 100), bytes=stored_bytes)
    input_format = find_input_format("parquet", InputOptions({}, max_expansion))
    batches = read_unit(unit, IDS, input_format, 7, RowRecord())
    if is_read:
        assert sum(map(len, batches)) == 100
        return
    with pytest.raises(InputError, match=f"more than {max_expansion or 1_000:,} times its size"):
        list(batches)


@pytest.mark.parametrize(("rows", "is_read"), [(125, True), (126, False)])
def test_a_file_may_hold_1_000_times_its_size(
    rows: int, is_read: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_format, "BOMB_BYTES", 0)
    unit = replace(numbers(tmp_path / "a.parquet", rows), bytes=1)
    if is_read:
        assert len(read(unit, schema=IDS)) == 1
        return
    with pytest.raises(InputError, match="more than 1,000 times its size"):
        read(unit, schema=IDS)


def test_of_repeated_texts_only_their_numbers_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_format, "BOMB_BYTES", 400)  # 100 indices of 4 bytes
    path, text = tmp_path / "a.parquet", pa.array(["x" * 10_000] * 100).dictionary_encode()
    pq.write_table(pa.table({"s": text}), path)
    (batch,) = read(replace(unit_of(path, 100), bytes=0), schema=pa.schema([("s", text.type)]))
    assert len(batch) == 100


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.integers(0, 40), min_size=1, max_size=8),
    limit=st.integers(1, 1_500),
    skipped=st.integers(0, 7),
)
def test_row_groups_of_a_store_are_fetched_together_as_far_as_there_is_room(
    rows: list[int], limit: int, skipped: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, IDS, use_dictionary=False, compression="none") as writer:
        for count in rows:
            writer.write_table(pa.table({"id": np.arange(count)}, schema=IDS))
    metadata = pq.read_metadata(pa.BufferReader(sink.getvalue()))
    first = min(skipped, len(rows) - 1)
    span = (first, len(rows) - first)
    monkeypatch.setattr(parquet_batches, "_FETCH_BYTES", limit)
    assert list(_groups_read_together(metadata, make_unit(span=span))) == [
        list(range(first, len(rows)))
    ]
    pieces = list(_groups_read_together(metadata, make_unit(shard=REMOTE, span=span)))
    assert [group for piece in pieces for group in piece] == list(range(first, len(rows)))
    sizes = [[metadata.row_group(group).total_byte_size for group in piece] for piece in pieces]
    assert all(sum(piece) <= limit or len(piece) == 1 for piece in sizes)
    assert all(sum(piece) + following[0] > limit for piece, following in pairwise(sizes))


@pytest.mark.parametrize(
    ("room", "pieces"), [(0, [[0, 1], [2, 3]]), (-1, [[0], [1], [2], [3]]), (1, [[0, 1], [2, 3]])]
)
def test_row_groups_that_fill_the_room_exactly_are_fetched_together(
    room: int, pieces: list[list[int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pq.write_table(
        pa.table({"id": np.arange(40)}),
        tmp_path / "a.parquet",
        row_group_size=10,
        use_dictionary=False,
    )
    metadata = pq.read_metadata(tmp_path / "a.parquet")
    assert len({metadata.row_group(group).total_byte_size for group in range(4)}) == 1
    monkeypatch.setattr(
        parquet_batches, "_FETCH_BYTES", 2 * metadata.row_group(0).total_byte_size + room
    )
    assert list(_groups_read_together(metadata, make_unit(shard=REMOTE, span=(0, 4)))) == pieces


def test_numbers_that_the_contract_cannot_hold_are_rejected_in_any_column(tmp_path: Path) -> None:
    path, huge = tmp_path / "a.parquet", [1.0, 1e300, np.inf, -1e300, 2.0]
    pq.write_table(
        pa.table({"id": range(5), "a": huge, "b": [0.0, 0.0, 0.0, 0.0, 1e39], "c": ["x"] * 5}), path
    )
    schema = pa.schema(
        [("id", pa.int32()), ("a", pa.float32()), ("b", pa.float32()), ("c", pa.string())]
    )
    (batch,) = read(unit_of(path, 5), schema=schema)
    assert batch.rows.to_pylist() == [
        {"id": 0, "a": 1.0, "b": 0.0, "c": "x"},
        {"id": 2, "a": np.inf, "b": 0.0, "c": "x"},
    ]
    (failed,) = batch.rejected
    assert [(row["row"], row["key"], row["stage"]) for row in failed.rows.to_pylist()] == [
        (1, 1, "read"),
        (3, 3, "read"),
        (4, 4, "read"),
    ]
    messages = failed.rows["message"].to_pylist()
    assert [message[:10] for message in messages] == ["column 'a'", "column 'a'", "column 'b'"]


@pytest.mark.parametrize("row_groups", [0, 1])
def test_an_empty_shard_gives_one_empty_batch_of_the_full_schema(
    tmp_path: Path, row_groups: int
) -> None:
    path = tmp_path / "empty.parquet"
    with pq.ParquetWriter(path, TABLE.schema) as writer:
        for _ in range(row_groups):
            writer.write_table(TABLE.slice(0, 0))
    groups = pq.read_metadata(path).num_row_groups
    (batch,) = read(unit_of(path, 0, span=(0, groups)))
    assert (len(batch), batch.last, batch.id.first_row) == (0, True, 0)
    assert batch.rows.schema.equals(SCHEMA)


def test_row_groups_without_rows_in_between(tmp_path: Path) -> None:
    path = tmp_path / "gaps.parquet"
    with pq.ParquetWriter(path, TABLE.schema) as writer:
        for start, rows in ((0, 5), (5, 0), (5, 5), (10, 0)):
            writer.write_table(TABLE.slice(start, rows))
    batches = read(unit_of(path, 10, span=(0, pq.read_metadata(path).num_row_groups)), 3)
    assert [i for b in batches for i in b.rows["id"].to_pylist()] == list(range(10))
    assert [b.last for b in batches][-1]
    assert sum(b.last for b in batches) == 1


def test_a_shard_that_changed_after_planning_is_refused(shard: Path) -> None:
    unit = unit_of(shard, 1_000, span=(0, 10))
    pq.write_table(TABLE.slice(1), shard)
    with pytest.raises(InputError, match=r"shard.parquet: changed after the run was planned"):
        read(unit)
    shard.unlink()
    with pytest.raises(InputError, match=r"shard.parquet: changed after the run was planned"):
        read(unit)


@pytest.mark.parametrize("format", ["parquet", "csv"])
@pytest.mark.parametrize("is_small", [False, True])
def test_a_shard_that_changes_while_it_is_read_never_gives_its_last_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format: str, is_small: bool
) -> None:
    """The last batch makes the writer record the unit as done; a small one is read at once before."""
    if not is_small:
        monkeypatch.setattr(held_shards, "_SMALL_BYTES", 1)
    path = tmp_path / f"shard.{format}"
    content = (
        parquet(TABLE)
        if format == "parquet"
        else b"s,id,x\n" + b"".join(b"s,%d,0.5\n" % i for i in range(1_000))
    )
    path.write_bytes(content)
    batches = read_unit(
        unit_of(path, 1_000 if format == "parquet" else None),
        SCHEMA,
        ParquetFormat() if format == "parquet" else CsvFormat(),
        100,
        RowRecord("id"),
    )
    taken = [next(batches)]
    other = tmp_path / "other"
    other.write_bytes(content)
    other.replace(path)
    if is_small:
        taken += batches
        assert [i for b in taken for i in b.rows["id"].to_pylist()] == list(range(1_000))
        return
    with pytest.raises(InputError, match="changed after the run was planned"):
        taken += batches
    assert not any(b.last for b in taken)


def test_a_footer_that_promised_other_rows_is_refused(shard: Path) -> None:
    with pytest.raises(InputError, match=r"promised 1001 rows from row 0 on, but there are 1000"):
        read(unit_of(shard, 1_001, span=(0, 10)))


def test_a_flipped_bit_in_a_page_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "shard.parquet"
    pq.write_table(
        pa.table({"id": np.random.default_rng(1).integers(0, 2**62, 20_000)}),
        path,
        compression="none",
        use_dictionary=False,
        write_page_checksum=True,
    )
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"shard.parquet: cannot be read from row \d+ on"):
        read(unit_of(path, 20_000), schema=pa.schema([("id", pa.int64())]))


def test_a_shard_in_another_store() -> None:
    url, memory = f"memory://{uuid.uuid4().hex}.parquet", fsspec.filesystem("memory")
    try:
        files.put(url.replace("memory://", "memory:///"), parquet(TABLE))
        batches = read(unit_of(url, 1_000), 300)
        assert pa.Table.from_batches([b.rows for b in batches]).equals(
            TABLE.select(["s", "id", "x"])
        )
    finally:
        memory.rm("/" + url.removeprefix("memory://"))


def test_the_plan_is_dealt_out_largest_first(tmp_path: Path) -> None:
    units = [make_unit(i, 10, bytes=size) for i, size in enumerate([5, 9, 1, 9])]
    run = planned_run(str(tmp_path), units)
    assert [u.index for u in units_to_read(run.plan, run)] == [1, 3, 0, 2]
    assert list(read_plan(run.plan).units) == units


def test_a_published_run_has_nothing_to_read(tmp_path: Path) -> None:
    run = RunFolder(str(tmp_path), "run1")
    with pytest.raises(InputError, match="the plan is gone"):
        units_to_read(run.plan, run)
    files.create(run.manifest, b"{}")
    assert units_to_read(run.plan, run) == []


def test_a_plan_that_is_gone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the plan is gone"):
        read_plan(str(tmp_path / "plan.json"))


@pytest.fixture
def reader(tmp_path: Path) -> _ReadUnits:
    verb = _ReadUnits(
        RunFolder(str(tmp_path / "out"), "run1"),
        SCHEMA,
        ParquetFormat(),
        100,
        RowRecord("id"),
    )
    verb.setup()
    return verb


def test_a_unit_that_is_done_is_not_read_again(reader: _ReadUnits, shard: Path) -> None:
    unit = unit_of(shard, 1_000, span=(0, 10), index=4)
    assert sum(len(b) for b in reader.process(unit)) == 1_000
    files.create(reader.run.done_record(4), b"{}")
    assert list(reader.process(unit)) == []
    assert (
        sum(len(b) for b in reader.process(unit_of(shard, 1_000, span=(0, 10), index=3))) == 1_000
    )


@pytest.mark.beam
def test_the_transform_reads_every_unit_of_the_plan(tmp_path: Path, shard: Path) -> None:
    import apache_beam as beam
    from apache_beam.testing.test_pipeline import TestPipeline
    from apache_beam.testing.util import assert_that

    from pipelines.runners.options import runner_options

    units = [unit_of(shard, 500, index=i, span=(5 * i, 5), first_row=500 * i) for i in range(2)]
    run = planned_run(str(tmp_path / "out"), units)

    def check(numbers: list[int]) -> None:
        assert sorted(numbers) == list(range(1_000))

    with TestPipeline(
        runner="DirectRunner",
        options=runner_options("DirectRunner", ["--direct_running_mode=in_memory"]),
    ) as root:
        batches = root | ReadShards(run, SCHEMA, ParquetFormat(), 100, RowRecord("id"))
        assert_that(batches | beam.FlatMap(lambda b: b.row_numbers.tolist()), check)


def test_a_unit_is_plain_json() -> None:
    unit = make_unit(3, None, "memory://a b.csv")
    assert WorkUnit(**asdict(unit)) == unit
    assert json.loads(json.dumps(asdict(unit))) == {
        **asdict(unit),
        "span": list(unit.span),
        "members": [],
    }
