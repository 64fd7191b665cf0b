"""How files of one schema are read is found once, and a small file is told by its footer to fit whole."""

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.builders import parquet
from transforms.formats.parquet_layout import find_layout

TABLE = pa.table({"n": pa.array([1, 2, 3], pa.int64()), "s": ["a", "bb", None], "h": [True] * 3})
NESTED = pa.table({"l": [[1], [2, 3]]})


def open_file(table: pa.Table) -> pq.ParquetFile:
    return pq.ParquetFile(io.BytesIO(parquet(table)))


@pytest.mark.parametrize(
    ("names", "row_bytes"), [(["n"], 8), (["s"], 0), (["h"], 1), (["n", "s", "h"], 9)]
)
def test_a_row_has_the_bytes_of_its_values_of_one_size(names: list[str], row_bytes: int) -> None:
    file = open_file(TABLE)
    wanted = pa.schema([TABLE.schema.field(name) for name in names])
    assert find_layout("/a", file, wanted).row_bytes == row_bytes


def test_a_file_fits_if_its_longest_row_does_as_often_as_it_has_rows() -> None:
    file = open_file(TABLE)
    layout = find_layout("/a", file, TABLE.schema)
    group = file.metadata.row_group(0)
    # Each of three values may be all that is stored, beside what has one size.
    most = 3 * (9 + 3 * group.total_byte_size)
    assert layout.fits_whole(file.metadata, most)
    assert not layout.fits_whole(file.metadata, most - 1)


def test_of_lists_nobody_knows() -> None:
    file = open_file(NESTED)
    layout = find_layout("/a", file, NESTED.schema)
    assert layout.row_bytes is None
    assert not layout.fits_whole(file.metadata, 1 << 60)


def test_files_of_the_same_columns_are_read_alike_and_others_are_not() -> None:
    first = find_layout("/a", open_file(TABLE), TABLE.schema)
    assert find_layout("/b", open_file(TABLE.slice(1)), TABLE.schema) is first
    # Wanted otherwise, stored otherwise, and as at first again.
    fewer = pa.schema([TABLE.schema.field("n")])
    assert find_layout("/a", open_file(TABLE), fewer) is not first
    other = TABLE.set_column(0, "n", pa.array([1, 2, 3], pa.int32()))
    again = find_layout("/a", open_file(other), TABLE.schema)
    assert again.stored.field("n").type == pa.int32()
    assert find_layout("/a", open_file(TABLE), TABLE.schema).stored.field("n").type == pa.int64()
