"""A row group, record batch or stripe that is broken costs its own rows, and those behind it are read.

Files are real, and broken in the middle of one part: in a page's head, in its values, in a dictionary.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
import re
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import feather, orc
import pyarrow.parquet as pq
import pytest

from configs.errors import InputError
from tests.support.builders import make_unit
from tests.transforms.formats.spans import describe
from transforms.batches import RawBatch, RowRecord, WorkUnit
from transforms.formats.arrow_ipc import ArrowIpcFormat
from transforms.formats.filtered import FilteredFormat
from transforms.formats.format import Format
from transforms.formats.format import make_unit as cut_unit
from transforms.formats.orc import OrcFormat
from transforms.formats.parquet import ParquetFormat
from transforms.formats.partitions import PartitionedFormat
from transforms.formats.stored_parts import list_parts, skip_part
from transforms.read_unit import read_unit

ROWS, PARTS = 100, 6
BROKEN = 3
LOST = range(BROKEN * ROWS, (BROKEN + 1) * ROWS)
# Each in a batch of its own, none whole in one, and all of the file in one.
BATCHES = (40, 100, 250, 10_000)
PARQUET: Any = {"row_group_size": ROWS, "compression": "none", "use_dictionary": ["s"]}


def make_rows() -> pa.Table:
    count = ROWS * PARTS
    numbers = np.random.default_rng(5).normal(size=count)
    return pa.table(
        {"id": np.arange(count), "x": numbers, "s": [f"t{n % 7}" for n in range(count)]}
    )


TABLE = make_rows()


def write(path: Path, **options: Any) -> Path:
    pq.write_table(TABLE, path, **{**PARQUET, "write_page_checksum": True, **options})
    return path


def spoil(path: Path, first: int, count: int = 8, filler: bytes = b"\xff") -> None:
    """Put other bytes into a file, of which none was so before."""
    content = bytearray(path.read_bytes())
    content[first : first + count] = filler * count
    path.write_bytes(content)


def find_page(path: Path, place: str, group: int = BROKEN) -> int:
    """Return where something of a row group is, by its column and what it is there."""
    name, part = place.split()
    columns = pq.read_metadata(path).row_group(group)
    number = TABLE.schema.names.index(name)
    column = columns.column(number)
    start = column.dictionary_page_offset or column.data_page_offset
    return {
        "dictionary": start + 1,
        "texts": start + 24,
        "head": column.data_page_offset + 1,
        "values": start + column.total_compressed_size // 2,
        "end": start + column.total_compressed_size - 8,
    }[part]


def cut_whole(path: Path, format: Format) -> WorkUnit:
    """Return all of a file as one unit, as planning cuts it."""
    shard, _ = format.inspect(describe(path), [])
    (piece,) = format.split(shard, 1_000_000)
    return cut_unit(0, shard, piece)


def read(
    unit: WorkUnit,
    format: Format,
    rows_per_batch: int = 250,
    schema: pa.Schema = TABLE.schema,
) -> list[RawBatch]:
    """Read a unit, and balance its books."""
    batches = list(read_unit(unit, schema, format, rows_per_batch, RowRecord("id"), goes_on=True))
    next_row = unit.first_row
    for batch in batches:
        assert batch.unit == unit
        assert batch.id.first_row == next_row
        next_row += batch.rows_in
    assert next_row == unit.first_row + (unit.rows or 0)
    assert [batch.last for batch in batches] == [False] * (len(batches) - 1) + [True]
    lost = sum(shard.rows or 0 for batch in batches for shard in batch.broken)
    assert lost == len(list(rejected(batches)))
    return batches


def rejected(batches: list[RawBatch]) -> Iterator[int]:
    for batch in batches:
        for records in batch.rejected:
            yield from records.rows.column("row").to_pylist()


def check_others(batches: list[RawBatch], table: pa.Table = TABLE) -> None:
    """Check that all rows but the rejected ones are as they were written, under their numbers."""
    is_lost = np.isin(np.arange(len(table)), list(rejected(batches)))
    wanted = table.filter(pa.array(~is_lost))
    read_rows = pa.Table.from_batches([batch.rows for batch in batches])
    assert read_rows.equals(wanted)
    numbers = np.concatenate([batch.row_numbers for batch in batches])
    assert numbers.tolist() == wanted["id"].to_pylist()


@pytest.mark.parametrize("rows_per_batch", BATCHES)
@pytest.mark.parametrize(
    "place", ["x head", "x values", "x end", "s head", "s end", "s dictionary", "s texts"]
)
def test_of_a_broken_page_the_row_group_is_lost(
    tmp_path: Path, place: str, rows_per_batch: int
) -> None:
    path = write(tmp_path / "a.parquet")
    spoil(path, find_page(path, place))
    batches = read(cut_whole(path, ParquetFormat()), ParquetFormat(), rows_per_batch)
    lost = list(rejected(batches))
    # No row of another row group, and of its own those of whole batches before the break are read.
    assert lost
    assert lost == list(range(lost[0], LOST.stop))
    assert lost[0] >= LOST.start
    check_others(batches)
    (broken,) = [shard for batch in batches for shard in batch.broken]
    assert (broken.row, broken.rows) == (lost[0], len(lost))
    assert f"cannot be read from row {lost[0]} on, in column '{place[0]}'" in broken.message
    assert broken.message.endswith("(it is read again from row 400 on)")


@pytest.mark.parametrize("compression", ["none", "snappy", "zstd"])
def test_without_checksums_what_cannot_be_unpacked_costs_its_row_group(
    tmp_path: Path, compression: str
) -> None:
    path = write(tmp_path / "a.parquet", compression=compression, write_page_checksum=False)
    spoil(path, find_page(path, "x head"))
    spoil(path, find_page(path, "s dictionary", group=1))
    batches = read(cut_whole(path, ParquetFormat()), ParquetFormat())
    assert list(rejected(batches)) == [*range(100, 200), *LOST]
    check_others(batches)


def test_the_first_and_the_last_row_groups_are_lost_alone(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet")
    for group in (0, 1, PARTS - 1):
        spoil(path, find_page(path, "x head", group))
    batches = read(cut_whole(path, ParquetFormat()), ParquetFormat())
    assert list(rejected(batches)) == [*range(200), *range(500, 600)]
    check_others(batches)
    broken = [(shard.row, shard.rows) for batch in batches for shard in batch.broken]
    assert broken == [(0, 100), (100, 100), (500, 100)]


def test_of_a_part_of_a_row_group_its_own_rows_are_lost(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.parquet", row_group_size=300, data_page_size=200, write_batch_size=20
    )
    spoil(path, find_page(path, "x end", group=1))
    whole = cut_whole(path, ParquetFormat())
    part = replace(whole, span=(1, 1, 150), first_row=450, rows=100)
    assert list(rejected(read(part, ParquetFormat(), 40))) == []
    behind = replace(part, span=(1, 1, 250), first_row=550, rows=50)
    lost = list(rejected(read(behind, ParquetFormat(), 40)))
    assert lost[0] >= 550
    assert lost == list(range(lost[0], 600))


def test_without_a_budget_the_message_names_the_row(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet")
    spoil(path, find_page(path, "x head"))
    unit = cut_whole(path, ParquetFormat())
    with pytest.raises(InputError, match="from row 300 on, in column 'x'"):
        list(read_unit(unit, TABLE.schema, ParquetFormat(), 10_000, RowRecord()))


# As many rows as both formats store together here, and each has a text that no other has.
TOGETHER, TEXTS = 1_024, pa.table({"id": np.arange(4_096), "s": [f"t{n:06}" for n in range(4_096)]})


def write_feather(path: Path, rows: pa.Table = TEXTS, size: int = TOGETHER) -> None:
    feather.write_feather(rows, str(path), compression="uncompressed", chunksize=size)


def write_orc(path: Path) -> None:
    orc.write_table(TEXTS, str(path), compression="uncompressed", stripe_size=1)


def spoil_offsets(path: Path, bytes_each: int, part: int = 0) -> None:
    """Let the texts of a part of an Arrow IPC file begin where none is: those of other parts have the same offsets."""
    offsets = np.arange(4, dtype="<i4") * bytes_each
    found = list(re.finditer(re.escape(offsets.tobytes()), path.read_bytes()))
    spoil(path, found[part].start() + offsets.itemsize, offsets.itemsize)


def spoil_feather(path: Path, part: int) -> None:
    spoil_offsets(path, len("t000000"), part)


def spoil_stripe(path: Path, part: int) -> None:
    """Spoil what stands behind the texts of a stripe: its footer, which tells where what is."""
    last = f"t{(part + 1) * TOGETHER - 1:06}".encode()
    spoil(path, path.read_bytes().index(last) + len(last), 16)


@pytest.mark.parametrize("rows_per_batch", [300, 10_000])
@pytest.mark.parametrize(
    ("write_file", "spoil_part", "form"),
    [
        (write_feather, spoil_feather, ArrowIpcFormat()),
        (write_orc, spoil_stripe, OrcFormat()),
    ],
)
def test_of_other_formats_a_part_is_lost(
    tmp_path: Path,
    write_file: Callable[[Path], None],
    spoil_part: Callable[[Path, int], None],
    form: Any,
    rows_per_batch: int,
) -> None:
    path = tmp_path / "a"
    write_file(path)
    shard, _ = form.inspect(describe(path), [])
    assert [piece.rows for piece in form.split(shard, 1)] == [TOGETHER] * 4
    # The last one first, as parts are counted by what is not spoilt yet.
    for part in (3, 1):
        spoil_part(path, part)
    batches = read(cut_whole(path, form), form, rows_per_batch, TEXTS.schema)
    assert list(rejected(batches)) == [*range(1_024, 2_048), *range(3_072, 4_096)]
    check_others(batches, TEXTS)


def test_a_broken_dictionary_costs_all_batches_that_need_it(tmp_path: Path) -> None:
    path = tmp_path / "a.arrow"
    coded = TABLE.set_column(2, "s", TABLE["s"].dictionary_encode())
    write_feather(path, coded, ROWS)
    spoil_offsets(path, len("t0"))
    form = ArrowIpcFormat()
    batches = read(cut_whole(path, form), form, schema=coded.schema)
    assert list(rejected(batches)) == list(range(ROWS * PARTS))


def test_of_a_unit_that_breaks_all_the_time_the_rest_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transforms.lost_rows._MOST_BREAKS", 2)
    path = write(tmp_path / "a.parquet")
    for group in (1, 3):
        spoil(path, find_page(path, "x head", group))
    batches = read(cut_whole(path, ParquetFormat()), ParquetFormat())
    broken = [(shard.row, shard.rows) for batch in batches for shard in batch.broken]
    assert broken == [(100, 100), (300, 300)]


def test_behind_a_bomb_nothing_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.parquet")
    unit = cut_whole(path, ParquetFormat())
    monkeypatch.setattr("transforms.formats.parquet.BOMB_BYTES", 5_000)
    batches = read(unit, ParquetFormat(max_expansion=0), 100)
    (broken,) = [shard for batch in batches for shard in batch.broken]
    assert broken.row + (broken.rows or 0) == ROWS * PARTS
    assert "may be a bomb" in broken.message
    assert "read again" not in broken.message


def test_a_filter_and_folders_go_on_as_their_format_does(tmp_path: Path) -> None:
    folder = tmp_path / "day=3"
    folder.mkdir()
    path = write(folder / "a.parquet")
    spoil(path, find_page(path, "x head"))
    fields = pa.schema([("id", pa.int64())])
    in_folders = PartitionedFormat(ParquetFormat(), ("day",))
    form = FilteredFormat(in_folders, "id >= 150", fields)
    unit = cut_whole(path, ParquetFormat())
    schema = TABLE.schema.append(pa.field("day", pa.int64()))
    batches = read(unit, form, schema=schema)
    assert sum(batch.rows_left_out for batch in batches) == 150
    assert list(rejected(batches)) == list(LOST)
    ids = [value for batch in batches for value in batch.rows.column("id").to_pylist()]
    assert ids == [*range(150, 300), *range(400, 600)]


@pytest.mark.parametrize(
    ("rows_done", "parts", "rest"),
    [
        (0, [((4, 1), 7, 10), ((5, 1), 17, 0), ((6, 1), 17, 5)], ((6, 1), 17, 5)),
        (3, [((4, 1, 3), 10, 7), ((6, 1), 17, 5)], ((6, 1), 17, 5)),
        (10, [((6, 1), 17, 5)], None),
        (14, [((6, 1, 4), 21, 1)], None),
        (15, [], None),
    ],
)
def test_parts_are_what_is_left(
    rows_done: int, parts: list[tuple[Any, ...]], rest: tuple[Any, ...] | None
) -> None:
    unit = make_unit(rows=15, first_row=7, span=(4, 3))
    counts = [10, 0, 5]
    listed = list_parts(unit, counts, rows_done)
    assert [(part.span, part.first_row, part.rows) for part in listed if part.rows] == [
        part for part in parts if part[2]
    ]
    skipped = skip_part(unit, counts, rows_done)
    told = None if skipped is None else (skipped.span, skipped.first_row, skipped.rows)
    assert told == rest


def test_parts_without_rows_are_passed_over_and_not_counted_as_the_last_ones() -> None:
    unit = make_unit(rows=20, span=(4, 4))
    rest = skip_part(unit, [10, 5, 0, 5], 3)
    assert rest is not None
    assert (rest.span, rest.first_row, rest.rows) == ((5, 3), 10, 10)


def test_parts_of_another_file_are_none_of_the_unit() -> None:
    unit = make_unit(rows=20, span=(4, 2))
    for look in (list_parts, skip_part):
        with pytest.raises(
            InputError, match="20 rows were planned from row 0 on, and there are 19"
        ):
            look(unit, [10, 9], 3)


def test_behind_a_broken_record_batch_one_without_rows_hides_no_other(tmp_path: Path) -> None:
    path = tmp_path / "a.arrow"
    batches = TABLE.to_batches(max_chunksize=ROWS)
    batches.insert(BROKEN + 2, batches[0].slice(0, 0))
    with pa.ipc.new_file(path, TABLE.schema) as file:
        for batch in batches:
            file.write_batch(batch)
    spoil_offsets(path, len("t0"))
    form = ArrowIpcFormat()
    found = read(cut_whole(path, form), form)
    assert len(list(rejected(found))) == ROWS
    check_others(found)


def test_what_fails_behind_the_last_row_group_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit = cut_whole(write(tmp_path / "a.parquet"), ParquetFormat())

    def read_and_fail(*_: object) -> Iterator[tuple[pa.RecordBatch, dict[int, Exception]]]:
        yield TABLE.combine_chunks().to_batches()[0], {}
        raise pa.ArrowInvalid("torn")

    monkeypatch.setattr("transforms.formats.parquet._read_batches", read_and_fail)
    with pytest.raises(InputError, match="cannot be read from row 600 on: torn"):
        list(ParquetFormat().read(unit, TABLE.schema, 10_000, RowRecord("id")))
