"""Which files need not be opened, and filters that cannot be."""

import datetime as dt

import pyarrow as pa
import pytest

from configs.errors import InputError, JobError
from pipelines.planning.filtering import list_filter_columns, prune_files, with_filter
from storage.input_file import InputFile
from transforms.formats.filtered import FilteredFormat
from transforms.formats.parquet import ParquetFormat

DAYS = {"dt": pa.date32()}
SCHEMA = pa.schema([("dt", pa.date32()), ("x", pa.int64())])


def listed(*folders: str) -> list[InputFile]:
    return [InputFile(f"/in/{folder}/p.parquet", 1, "v") for folder in folders]


@pytest.mark.parametrize(
    ("where", "days"),
    [
        ("dt >= '2026-01-02'", [2, 3]),
        ("dt in ['2026-01-01', '2026-01-03'] and x > 5", [1, 3]),
        ("dt == '2026-01-01' or x > 5", [1, 2, 3]),  # of x nobody knows
        ("not dt == '2026-01-01'", [2, 3]),
        ("x > 5", [1, 2, 3]),
    ],
)
def test_folders_tell_which_files_are_read(where: str, days: list[int]) -> None:
    files = listed(*(f"dt={dt.date(2026, 1, day)}" for day in (1, 2, 3)))
    kept, pruned = prune_files(files, where, DAYS)
    assert [file.url for file in kept] == [f"/in/dt=2026-01-0{day}/p.parquet" for day in days]
    assert pruned == 3 - len(days)


def test_rows_without_a_value_are_in_a_folder_of_their_own() -> None:
    files = listed("dt=2026-01-01", "dt=__HIVE_DEFAULT_PARTITION__")
    assert prune_files(files, "dt is None", DAYS) == ((files[1],), 1)
    assert prune_files(files, "dt != '2026-02-01'", DAYS) == ((files[0],), 1)
    assert prune_files(files, "x > 5", {}) == (files, 0)


def test_no_file_is_left() -> None:
    with pytest.raises(InputError, match=r"source\.where: .* any of the 1 files can pass"):
        prune_files(listed("dt=2026-01-01"), "dt > '2026-01-01'", DAYS)


def test_a_filter_reads_columns_of_tables() -> None:
    assert list_filter_columns(None, "files") == []
    assert list_filter_columns("x > 1 and `a b` is None", "parquet") == ["a b", "x"]
    with pytest.raises(JobError, match="a source of files has no columns"):
        list_filter_columns("x > 1", "files")
    with pytest.raises(JobError, match="'bytes', which a step makes"):
        list_filter_columns("bytes is None", "parquet", ["bytes"])
    with pytest.raises(JobError, match=r"source\.where: f\(x\): not allowed"):
        list_filter_columns("f(x) > 1", "csv")


def test_a_filter_stands_around_the_format_of_the_files() -> None:
    filtered = with_filter(ParquetFormat(), "x > 1", SCHEMA)
    assert filtered == FilteredFormat(ParquetFormat(), "x > 1", pa.schema([SCHEMA.field("x")]))
    assert with_filter(ParquetFormat(), None, SCHEMA) == ParquetFormat()
    with pytest.raises(JobError, match=r"source\.where: x > 'a': cannot be compared"):
        with_filter(ParquetFormat(), "x > 'a'", SCHEMA)
