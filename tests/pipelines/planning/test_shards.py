"""Units of work: their sizes can be compared, whatever they are a part of."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from configs.errors import InputError
from pipelines.planning.shard_inspection import read_shards
from pipelines.planning.shards import (
    choose_files_per_unit,
    choose_rows_per_unit,
    cut_into_units,
    list_shards,
)
from storage import files
from storage.input_file import InputFile
from tests.support.builders import planned_run
from tests.support.jobs import write_parquet
from transforms.formats.column import Column
from transforms.formats.format import Shard
from transforms.formats.parquet import ParquetFormat
from transforms.read import units_to_read


def test_units_of_one_row_group_and_of_many_are_dealt_out_by_the_same_measure(
    tmp_path: Path,
) -> None:
    """A file that is one row group is as large as it is stored; so is the sum of the units of a file that is cut."""
    repeated = pa.table({"x": np.arange(40_000) % 16})
    pq.write_table(
        repeated,
        tmp_path / "many.parquet",
        row_group_size=10_000,
        compression="zstd",
        use_dictionary=False,
    )
    pq.write_table(
        pa.table({"x": np.random.default_rng(1).random(5_000)}), tmp_path / "one.parquet"
    )
    inputs, _ = list_shards([str(tmp_path)])
    parquet = ParquetFormat()
    shards = [
        shard
        for file, dtype in zip(inputs, (pa.int64(), pa.float64()), strict=True)
        for shard in read_shards([file], parquet, [Column("x", dtype)])[0]
    ]
    units = cut_into_units(shards, parquet, 10_000)
    assert [unit.rows for unit in units] == [10_000] * 4 + [5_000]
    stored = (tmp_path / "many.parquet").stat().st_size
    assert stored - 4 <= sum(unit.bytes for unit in units[:4]) <= stored
    assert units[4].bytes == (tmp_path / "one.parquet").stat().st_size
    run = planned_run(str(tmp_path / "out"), list(units))
    assert files.exists(run.plan)
    assert units_to_read(run.plan, run)[0] == units[4]


def shards_of(*counts: int | None, mib: int = 1_000) -> list[Shard]:
    size = (mib << 20) // len(counts)
    files = [InputFile(f"/in/{number}", size, "v") for number in range(len(counts))]
    return [Shard(file, rows) for file, rows in zip(files, counts, strict=True)]


@pytest.mark.parametrize(
    ("shards", "model_bytes", "rows"),
    [
        # 16 units, of whole mini-batches of 256 rows.
        (shards_of(640_000), 1 << 30, 40_192),
        (shards_of(320_000, 320_000), 1 << 30, 40_192),
        # Of a large model 4 mini-batches are worth a unit, of a small one 64.
        (shards_of(2_000), 1 << 30, 1_024),
        (shards_of(2_000), 1 << 10, 16_384),
        (shards_of(2_000), 1 << 20, 4_096),
        # Many rows: as many as a file has.
        (shards_of(100_000_000), 1 << 30, 1_000_000),
        # One unit for each MiB at most, and none is cut of less.
        (shards_of(640_000, mib=4), 1 << 30, 160_000),
        (shards_of(640_000, mib=1), 1 << 30, 1_000_000),
        # Of CSV nobody knows.
        (shards_of(640_000, None), 1 << 30, 1_000_000),
    ],
)
def test_few_rows_are_cut_finely_enough_for_many_cores(
    shards: list[Shard], model_bytes: int, rows: int
) -> None:
    assert choose_rows_per_unit(shards, 1_000_000, 256, model_bytes) == rows


def test_few_bytes_are_cut_where_their_rows_cost_much() -> None:
    """Texts, of which a file of 200 kB keeps a core busy for minutes."""
    texts = shards_of(2_000, mib=0)
    assert choose_rows_per_unit(texts, 1_000_000, 16, 400 << 20, row_work=0) == 1_000_000
    assert choose_rows_per_unit(texts, 1_000_000, 16, 400 << 20, row_work=50 << 20) == 128


def test_no_unit_is_larger_than_a_file() -> None:
    assert choose_rows_per_unit(shards_of(640_000), 100, 256, 1 << 30) == 100


@pytest.mark.parametrize(
    ("shards", "batch_rows", "model_bytes", "rows"),
    [
        # 16 units, of whole mini-batches.
        (shards_of(6_000, 4_000), 32, 1 << 30, 640),
        # Not more than a folder's.
        (shards_of(1_000_000), 32, 1 << 30, 1_024),
        # Few are not worth a unit each.
        (shards_of(300), 8, 1 << 20, 64),
        # Empty places of a mini-batch cost nothing where the model is small.
        (shards_of(3_000), 4_096, 1 << 16, 188),
        (shards_of(3_000), 512, 1 << 30, 512),
        (shards_of(0), 32, 1 << 30, 64),
    ],
)
def test_tables_whose_rows_are_files_are_cut_whatever_their_size(
    shards: list[Shard], batch_rows: int, model_bytes: int, rows: int
) -> None:
    assert choose_files_per_unit(shards, 1_000_000, batch_rows, model_bytes) == rows
    assert choose_files_per_unit(shards, 10, batch_rows, model_bytes) == 10


def settle(tmp_path: Path, column: Column, *types: pa.DataType) -> pa.DataType:
    """Return the type that a column comes out in whose shards have these."""
    for number, dtype in enumerate(types):
        pq.write_table(pa.table({"x": pa.nulls(1, dtype)}), tmp_path / f"{number}.parquet")
    listed, _ = list_shards([str(tmp_path)])
    return read_shards(listed, ParquetFormat(), [column])[1].field("x").type


@pytest.mark.parametrize(
    ("column", "types", "expected"),
    [
        (Column("x", None, carried=True), ["string", "large_string"], "large_string"),
        (Column("x", None, carried=True), ["null", "int16", "null"], "int16"),
        (Column("x", pa.string(), castable=True), ["large_string", "null"], "string"),
        (Column("x", pa.string(), castable=True, carried=True), ["large_string"], "large_string"),
        (Column("x", pa.string(), castable=True, carried=True), ["null"], "string"),
        (Column("x", pa.string(), carried=True), ["large_string"], "string"),
        (Column("x", pa.int64(), castable=True, carried=True), ["int8", "int8"], "int64"),
    ],
    ids=str,
)
def test_the_type_that_comes_out_is_settled_before_the_run(
    column: Column, types: list[str], expected: str, tmp_path: Path
) -> None:
    arrow = [pa.null() if name == "null" else pa.type_for_alias(name) for name in types]
    assert settle(tmp_path, column, *arrow) == pa.type_for_alias(expected)


def test_the_first_shard_of_another_logical_type_is_named(tmp_path: Path) -> None:
    types = [pa.null(), pa.string(), pa.large_string(), pa.int64(), pa.int32()]
    with pytest.raises(InputError, match=r"3.parquet: column 'x' is int64, but must be large_str"):
        settle(tmp_path, Column("x", None, carried=True), *types)


def test_a_plain_folder_below_is_read_only_where_that_is_asked_for(tmp_path: Path) -> None:
    for name in ("a.parquet", "late/b.parquet"):
        write_parquet(tmp_path / name)
    with pytest.raises(InputError, match="late"):
        list_shards([str(tmp_path)])
    listed = list_shards([str(tmp_path)], recursive=True)
    assert [Path(file.url).name for file in listed.files] == ["a.parquet", "b.parquet"]


def test_a_file_of_no_byte_is_refused_and_one_of_a_byte_is_for_its_format_to_judge(
    tmp_path: Path,
) -> None:
    (tmp_path / "one.csv").write_bytes(b"a")
    assert [file.bytes for file in list_shards([str(tmp_path)]).files] == [1]
    (tmp_path / "none.csv").touch()
    with pytest.raises(InputError, match=r"none\.csv: has 0 bytes"):
        list_shards([str(tmp_path)])


def test_what_one_path_leaves_out_and_another_one_names_is_not_left_out(tmp_path: Path) -> None:
    for name in ("a.parquet", "_b.parquet", "_c.parquet", "_d/e.parquet"):
        write_parquet(tmp_path / name)
    listed = list_shards([str(tmp_path)])
    assert listed.ignored == [f"{tmp_path}/{name}" for name in ("_b.parquet", "_c.parquet", "_d")]
    named = [str(tmp_path), f"{tmp_path}/_b.parquet", f"{tmp_path}/_d/e.parquet"]
    listed = list_shards(named)
    assert [Path(file.url).name for file in listed.files] == [
        "_b.parquet",
        "e.parquet",
        "a.parquet",
    ]
    assert listed.ignored == [f"{tmp_path}/_c.parquet"]


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("in/night_1.parquet", "; did you mean night1.parquet?"),
        ("in/x", "; there are 1.csv, night1.parquet"),
        ("many/x", "; in its folder are 10.csv, 11.csv, 12.csv, 13.csv, 14.csv, ..."),
        ("x", "; there are empty, in, many"),
        ("nowhere/x", "; its folder does not exist or is empty"),
        ("empty/x", "; its folder does not exist or is empty"),
        ("empty", "; it is a folder without a file"),
        ("empty/", "; it is a folder without a file"),
    ],
)
def test_why_a_path_matches_nothing_is_said_by_what_is_beside_it(
    path: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of many names the first five; the current folder, too, is a folder."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "many").mkdir()
    for number in range(10, 31):
        (tmp_path / f"many/{number}.csv").touch()
    for name in ("1.csv", "night1.parquet"):
        write_parquet(tmp_path / "in" / name)
    monkeypatch.chdir(tmp_path)
    for written in (path, f"{tmp_path}/{path}"):
        with pytest.raises(InputError) as refused:
            list_shards([written])
        assert str(refused.value) == f"source.paths {written}: matches no file{why}"


def test_the_first_of_several_that_are_left_out_is_named(tmp_path: Path) -> None:
    for name in ("_b.parquet", "_c.parquet"):
        write_parquet(tmp_path / name)
    with pytest.raises(InputError, match=r"no file but 2 that are left out, .*/_b\.parquet first"):
        list_shards([str(tmp_path)])


DECIMALS = [pa.decimal128(5, 2), pa.decimal128(7, 4), pa.decimal256(40, 1)]


@pytest.mark.parametrize("column", [
    Column("x", None, carried=True), Column("x", pa.decimal128(9, 2), castable=True, carried=True),
], ids=str)  # fmt: skip
def test_decimals_that_are_carried_come_out_with_the_digits_of_all(
    column: Column, tmp_path: Path
) -> None:
    """39 digits before the point and 4 behind it, in whatever order the shards come."""
    for number, order in enumerate((DECIMALS, DECIMALS[::-1])):
        folder = tmp_path / str(number)
        folder.mkdir()
        assert settle(folder, column, *order) == pa.decimal256(43, 4)


def test_a_decimal_that_no_type_holds_is_refused_by_name(tmp_path: Path) -> None:
    column = Column("x", None, carried=True)
    with pytest.raises(
        InputError, match=r"1\.parquet: column 'x' is decimal256\(76, 70\), but must"
    ):
        settle(tmp_path, column, pa.decimal256(76, 1), pa.decimal256(76, 70))


def test_a_decimal_type_that_the_job_states_takes_those_of_fewer_digits(tmp_path: Path) -> None:
    column = Column("x", pa.decimal128(9, 2), carried=True, stated=True)
    for name in ("few", "more"):
        (tmp_path / name).mkdir()
    found = settle(tmp_path / "few", column, pa.decimal128(5, 2), pa.decimal128(6, 1))
    assert found == pa.decimal128(9, 2)
    with pytest.raises(InputError, match=r"column 'x' is decimal128\(5, 3\), but must"):
        settle(tmp_path / "more", column, pa.decimal128(5, 3))


def test_a_date_may_be_a_timestamp_without_a_zone_for_the_model_alone(tmp_path: Path) -> None:
    column = Column("x", pa.date32(), castable=True)
    (tmp_path / "plain").mkdir()
    found = settle(tmp_path / "plain", column, pa.date32(), pa.timestamp("ns"), pa.date64())
    assert found == pa.date32()
    zoned = pa.timestamp("us", tz="UTC")
    carried = replace(column, carried=True)
    for name, other, dtype in (("zone", column, zoned), ("kept", carried, pa.timestamp("us"))):
        (tmp_path / name).mkdir()
        with pytest.raises(InputError, match=r"column 'x' is timestamp\[us.*, but must be date32"):
            settle(tmp_path / name, other, dtype)
