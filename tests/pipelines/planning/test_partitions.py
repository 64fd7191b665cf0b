"""Which columns are read from the names of folders: those that are wanted, that a folder has and the file has not."""

from pathlib import Path

import pyarrow as pa
import pytest

from configs.errors import InputError, JobError
from pipelines.planning.partitions import with_partitions, with_types
from pipelines.planning.shards import list_shards
from storage.input_file import InputFile
from tests.support.jobs import small_table, write_parquet
from transforms.formats.column import Column
from transforms.formats.parquet import ParquetFormat
from transforms.formats.partitions import PartitionedFormat

PARQUET = ParquetFormat()
ID, DAY = Column("id", pa.int64()), Column("dt", pa.date32())


@pytest.fixture
def first(tmp_path: Path) -> InputFile:
    """A file with the columns id, a, b and c in folders called dt, region and a."""
    write_parquet(tmp_path / "dt=2026-01-01/region=north/a=7/p.parquet", small_table(2))
    (file,) = list_shards([str(tmp_path)], recursive=True).files
    return file


@pytest.mark.parametrize(
    ("wanted", "in_folders"),
    [
        ([ID, DAY], ("dt",)),
        ([DAY, ID, Column("region", pa.string())], ("dt", "region")),
        ([ID], ()),
        ([ID, Column("a", pa.float32())], ()),  # the file itself has it
        ([ID, Column("a", None)], ()),
        ([ID, DAY, Column("a", pa.float32())], ("dt",)),
        ([ID, DAY, Column("nowhere", pa.int64())], ("dt",)),  # reading says that it is missing
        ([ID, DAY, Column("nowhere", None)], ("dt",)),
    ],
)
def test_what_a_folder_has_and_the_file_has_not_is_read_from_the_folder(
    wanted: list[Column], in_folders: tuple[str, ...], first: InputFile
) -> None:
    found = with_partitions(PARQUET, first, wanted)
    if not in_folders:
        assert found is PARQUET
        return
    assert found == PartitionedFormat(PARQUET, in_folders)


def test_a_file_whose_folders_have_nothing_that_is_wanted_is_not_looked_into(
    first: InputFile,
) -> None:
    Path(first.url).unlink()
    assert with_partitions(PARQUET, first, [ID]) is PARQUET


def test_a_column_of_folders_needs_a_type_and_a_column_of_the_file_beside_it(
    first: InputFile,
) -> None:
    with pytest.raises(JobError, match=r"source\.types must declare the column 'dt'"):
        with_partitions(PARQUET, first, [ID, Column("dt", None)])
    with pytest.raises(InputError, match="every column that is read stands in the names"):
        with_partitions(PARQUET, first, [DAY, Column("region", pa.string())])


def test_columns_of_folders_alone_get_the_types_that_were_found_out() -> None:
    wanted = [Column("day", None), Column("kind", pa.string()), Column("x", None)]
    found = {"day": pa.int32(), "kind": pa.int64()}
    typed = with_types(wanted, PartitionedFormat(ParquetFormat(), ("day", "kind")), found)
    assert typed == [Column("day", pa.int32()), Column("kind", pa.string()), Column("x", None)]
    assert with_types(wanted, ParquetFormat(), found) == wanted
