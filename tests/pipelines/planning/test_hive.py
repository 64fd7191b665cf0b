"""Types that are found in folders' names, and folders that do not agree."""

import pyarrow as pa
import pytest

from configs.errors import InputError, JobError
from configs.job import Source
from pipelines.planning.hive import declare_hive, infer_partition_types
from storage.input_file import InputFile

NULL = "__HIVE_DEFAULT_PARTITION__"


def listed(*folders: str) -> list[InputFile]:
    return [InputFile(f"/in/{folder}/p.parquet", 1, "v") for folder in folders]


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (["1", "-20", "0"], pa.int64()),
        (["1", NULL], pa.int64()),
        (["9223372036854775807"], pa.int64()),
        (["9223372036854775808"], pa.string()),  # no integer of 64 bits
        (["01", "12"], pa.string()),  # a code: a number would lose its zero
        (["-0"], pa.string()),
        (["1.5"], pa.string()),
        (["٣"], pa.string()),  # a digit, but not of ASCII
        (["2026-01-01", NULL], pa.date32()),
        (["2026-02-30"], pa.string()),
        (["2026-01-01", "1"], pa.string()),
        (["1\n"], pa.string()),
        ([""], pa.string()),
        ([NULL], pa.string()),
        (["true"], pa.string()),
    ],
)
def test_a_type_fits_all_values(values: list[str], dtype: pa.DataType) -> None:
    files = listed(*(f"k={value}" for value in values))
    assert infer_partition_types(files) == {"k": dtype}


def test_escapes_are_taken_out_before_types_are_looked_for() -> None:
    files = listed("a%20b=%31/dt=2026%2D01%2D01")
    assert infer_partition_types(files) == {"a b": pa.int64(), "dt": pa.date32()}


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ("dt=2", "name dt, but those of"),
        ("region=n/dt=2", "name region, dt, but"),
        ("dt=2/region=n/hour=3", "name dt, region, hour, but"),
        ("late", "name no column, but"),
    ],
)
def test_folders_that_do_not_agree_are_refused(other: str, words: str) -> None:
    files = listed("dt=1/region=n", other)
    with pytest.raises(InputError, match=words) as refused:
        infer_partition_types(files)
    assert str(refused.value).startswith(f"/in/{other}/p.parquet: ")
    assert str(refused.value).count("\n") == 0


def test_only_a_job_that_says_so_declares_folders() -> None:
    files = listed("dt=1")
    assert declare_hive(Source(paths=("/in",), format="parquet"), files) is None
    declared = Source(paths=("/in",), format="parquet", partitions="hive")
    assert declare_hive(declared, files) == {"dt": pa.int64()}
    with pytest.raises(JobError, match=r"no folder of /in/late/p\.parquet is called"):
        declare_hive(declared, listed("late"))
    of_files = Source(paths=("/in",), format="files", partitions="hive")
    with pytest.raises(JobError, match="a source of files"):
        declare_hive(of_files, files)
