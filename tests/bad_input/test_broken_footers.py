"""No footer of a file ends the process, whatever it says: the file is refused by name, and others are scored."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
import random
from typing import Any

import pyarrow as pa
from pyarrow import feather, orc
import pyarrow.parquet as pq
import pytest

from configs.errors import InputError
from storage.parquet_chunks import check_chunks
from storage.thrift import I32
from tests.support.jobs import Outcome, small_table, write_parquet
from tests.transforms.formats.chunks import (
    ROWS,
    WRONG_CHUNKS,
    WRONG_STATISTICS,
    Fields,
    change_chunk,
    change_columns,
    change_rows,
    lengthen_histogram,
    write_deep,
    write_numbers,
)
from tests.transforms.formats.spans import describe, read_units, table_of
from transforms.bounds import Bounds
from transforms.formats.arrow_ipc import ArrowIpcFormat
from transforms.formats.column import Column
from transforms.formats.format import make_unit
from transforms.formats.orc import OrcFormat
from transforms.formats.parquet import ParquetFormat
from transforms.formats.parquet_footer import count_stored_bytes, read_footer
from transforms.formats.thrift_writing import make_int

SCHEMA = pa.schema([("id", pa.int64()), ("x", pa.int64()), ("s", pa.string())])
NAMES = SCHEMA.names
broken = pytest.mark.parametrize("change", WRONG_CHUNKS)


def find_sections(path: Path) -> list[Any]:
    parquet = ParquetFormat()
    shard, _ = parquet.inspect(describe(path), [Column(name, None) for name in NAMES])
    (piece,) = parquet.split(shard, ROWS)
    unit = make_unit(0, shard, piece)

    def may_pass(bounds: Any) -> bool:
        told: Bounds = bounds["x"]
        return told.least is None or told.least.as_py() > ROWS

    return parquet.find_sections(unit, SCHEMA, NAMES, may_pass)


@broken
def test_a_chunk_that_is_told_wrongly_is_refused_before_pyarrow_is_asked(
    change: Callable[..., None], tmp_path: Path
) -> None:
    path = change_chunk(write_numbers(tmp_path / "a.parquet"), change)
    _, metadata = read_footer(str(path))
    with pytest.raises(OSError, match=r"size mismatch|does not support"):
        check_chunks(metadata, [0], [1])
    # Others of the same file are as they should be.
    check_chunks(metadata, [0], [0, 2])
    with pytest.raises(
        InputError, match=r"a\.parquet: is not a readable Parquet file: .*; replace"
    ):
        count_stored_bytes(str(path), metadata, {"x"})
    with pytest.raises(InputError, match=r"a\.parquet: is not a readable Parquet file"):
        find_sections(path)
    with pytest.raises(InputError, match=r"a\.parquet: cannot be read from row 0 on"):
        read_units(path, ParquetFormat(), SCHEMA)


@pytest.mark.parametrize("told_in_group", [True, False])
@pytest.mark.parametrize("rows", [-1, (1 << 53) + 1, (1 << 63) - 1])
def test_rows_that_no_file_has_are_refused(rows: int, told_in_group: bool, tmp_path: Path) -> None:
    path = change_rows(write_numbers(tmp_path / "a.parquet"), rows, told_in_group)
    message = rf"a\.parquet: is not a readable Parquet file: .* {rows} rows; replace the file"
    with pytest.raises(InputError, match=message):
        ParquetFormat().inspect(describe(path), [Column(name, None) for name in NAMES])


def test_rows_are_those_of_row_groups_whatever_is_said_of_them_all(tmp_path: Path) -> None:
    path = change_rows(write_numbers(tmp_path / "a.parquet", 40), ROWS + 7, told_in_group=False)
    units = read_units(path, ParquetFormat(), SCHEMA)
    assert table_of(units).num_rows == ROWS


@broken
def test_in_the_last_of_several_row_groups_too(change: Callable[..., None], tmp_path: Path) -> None:
    path = change_chunk(write_numbers(tmp_path / "a.parquet", 40), change, group=2)
    _, metadata = read_footer(str(path))
    check_chunks(metadata, [0, 1], [0, 1, 2])
    with pytest.raises(OSError, match=r"size mismatch|does not support"):
        check_chunks(metadata, [0, 1, 2], [0, 1, 2])


@pytest.mark.parametrize("change", WRONG_STATISTICS)
def test_statistics_that_cannot_be_ones_say_nothing_and_who_reads_rows_refuses_them(
    change: Callable[..., None], tmp_path: Path
) -> None:
    path = write_numbers(tmp_path / "a.parquet")
    (section,) = find_sections(path)
    assert not section.may_pass
    change_chunk(path, change)
    (section,) = find_sections(path)
    assert section.may_pass
    assert ParquetFormat().count_nulls(str(path), NAMES) == dict.fromkeys(NAMES)
    assert ParquetFormat().count_nulls(str(path), ["id", "s"]) == {"id": 0, "s": 1}
    with pytest.raises(
        InputError, match=r"a\.parquet: cannot be read from row 0 on, in column 'x'"
    ):
        read_units(path, ParquetFormat(), SCHEMA)
    # Others can be read.
    others = read_units(path, ParquetFormat(), pa.schema([SCHEMA.field("s")]))
    assert table_of(others).num_rows == ROWS


def test_a_name_that_is_no_text_is_refused_with_its_file(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    write_parquet(path, pa.table({"column_of_a_name": [1]}), store_schema=False)
    content = path.read_bytes()
    path.write_bytes(content.replace(b"column_of_a_name", b"column_\xff\xff_a_name"))
    with pytest.raises(InputError, match=r"a\.parquet: is not a readable Parquet file"):
        ParquetFormat().inspect(describe(path), [Column("id", None)])


def test_a_footer_with_a_flipped_bit_is_read_or_refused_and_ends_nothing(tmp_path: Path) -> None:
    dice = random.Random(7)  # noqa: S311 - no secret
    path = write_numbers(tmp_path / "a.parquet")
    whole = path.read_bytes()
    begin = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    refusals = []
    for _ in range(150):
        content = bytearray(whole)
        content[dice.randrange(begin, len(whole))] ^= 1 << dice.randrange(8)
        path.write_bytes(content)
        try:
            find_sections(path)
            ParquetFormat().count_nulls(str(path), NAMES)
        except InputError as error:
            refusals.append(str(error))
    assert 20 < len(refusals) < 150
    assert not any("\n" in refusal for refusal in refusals)


@pytest.mark.parametrize("digits", [40, 90])
def test_a_type_that_arrow_refuses_is_told_with_its_column(digits: int, tmp_path: Path) -> None:
    """Arrow opens no such file, not even where nobody wants that column."""
    path = tmp_path / "a.parquet"
    money = pa.array([Decimal(7)], pa.decimal256(70, 2))
    names = {"id": [1], "inside": [{"a": [1]}], "money": money, "z": [2]}
    pq.write_table(pa.table(names), path, store_schema=False)

    def change(element: Fields) -> None:
        if 8 in element:
            element[8] = make_int(digits, I32)
            # The newer way to say the same.
            element.pop(10, None)

    change_columns(path, change)
    wanted = [Column("id", None)]
    if digits == 40:
        ParquetFormat().inspect(describe(path), wanted)
        return
    with pytest.raises(
        InputError,
        match=r"a\.parquet: column 'money' cannot be read: Decimal precision .*; write the file without it",
    ):
        ParquetFormat().inspect(describe(path), wanted)


@pytest.mark.parametrize("levels", [100, 201, 60_000])
def test_columns_deep_inside_others_are_refused_before_arrow_looks(
    levels: int, tmp_path: Path
) -> None:
    """As deep as it goes, its stack runs over, which ends the process."""
    path = write_deep(tmp_path / "a.parquet", levels)
    wanted = [Column("x", None)]
    if levels == 100:
        ParquetFormat().inspect(describe(path), wanted)
        return
    with pytest.raises(InputError, match=r"a\.parquet: has columns so deep inside others"):
        ParquetFormat().inspect(describe(path), wanted)


def test_a_name_of_arrow_that_is_no_text_is_refused_with_its_file(tmp_path: Path) -> None:
    path = tmp_path / "a.arrow"
    feather.write_feather(pa.table({"column_of_a_name": [1]}), str(path))
    content = path.read_bytes()
    path.write_bytes(content.replace(b"column_of_a_name", b"column_\xff\xff_a_name"))
    with pytest.raises(
        InputError, match=r"a\.arrow: cannot be read, its schema: .*; replace the file"
    ):
        ArrowIpcFormat().inspect(describe(path), [Column("id", None)])


def test_decimals_of_orc_that_no_file_can_hold_are_refused_with_their_file(tmp_path: Path) -> None:
    path = tmp_path / "a.orc"
    money = pa.array([Decimal(7)], pa.decimal128(21, 2))
    orc.write_table(pa.table({"money": money}), str(path), compression="uncompressed")
    OrcFormat().inspect(describe(path), [Column("money", None)])
    content = path.read_bytes()
    digits = bytes([5 << 3, 21])
    assert content.count(digits) == 1
    path.write_bytes(content.replace(digits, bytes([5 << 3, 99])))
    with pytest.raises(InputError, match=r"a\.orc: cannot be read as ORC: its footer is broken"):
        OrcFormat().inspect(describe(path), [Column("money", None)])


def test_others_are_scored_and_the_broken_one_is_told(
    score_it: Callable[..., Outcome], tmp_path: Path
) -> None:
    paths = []
    for number in range(3):
        path = tmp_path / f"{number}.parquet"
        # So many that their sizes are asked about.
        write_parquet(path, small_table(20_000, first=number * 20_000))
        paths.append(path)
    change_chunk(paths[1], lengthen_histogram)
    texts = {"source.where": "a > -1000"}
    outcome = score_it(*paths, settings={"errors.max_broken_shards": 1, **texts})
    assert outcome.manifest["rows"]["scored"] == 40_000
    (told,) = outcome.manifest["broken_shards"]
    assert told["url"] == str(paths[1])
    assert f"{paths[1]}: is not a readable Parquet file" in told["message"]
