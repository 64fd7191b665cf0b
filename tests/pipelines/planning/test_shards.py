"""Units of work: their sizes can be compared, whatever they are a part of."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from configs.errors import InputError
from pipelines.planning.shards import cut_into_units, list_shards, read_shards
from storage import files
from tests.support.builders import planned_run
from transforms.formats.format import Column
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
    assert units_to_read(run.plan, run.manifest)[0] == units[4]


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
