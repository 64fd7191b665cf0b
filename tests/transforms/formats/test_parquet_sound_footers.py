"""Of which statistics pyarrow can be asked, told without asking it."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from storage.thrift import Value, read_struct
from tests.transforms.formats.chunks import Fields, change_chunk, write_numbers
from transforms.formats.parquet_footer import read_end
from transforms.formats.parquet_sound_footers import are_sound
from transforms.formats.thrift_writing import write_struct

STRUCT, BYTES, STATISTICS = 12, 8, 12


def is_sound(path: Path, leaves: list[int]) -> bool:
    metadata = pq.read_metadata(path)
    groups = range(metadata.num_row_groups)
    return are_sound(read_end(str(path)).footer, metadata, groups, leaves)


def test_statistics_of_all_columns_are_sound_as_they_are_written(tmp_path: Path) -> None:
    assert is_sound(write_numbers(tmp_path / "a.parquet"), [0, 1, 2])
    assert is_sound(write_numbers(tmp_path / "b.parquet", 30), [0, 1, 2])


@pytest.mark.parametrize("field", [1, 2, 5, 6])
@pytest.mark.parametrize("length", [0, 7, 9])
def test_an_end_of_another_length_is_not(field: int, length: int, tmp_path: Path) -> None:
    def change(metadata: Fields) -> None:
        statistics = dict(read_struct(metadata[STATISTICS].stored).fields)
        statistics[field] = Value(BYTES, bytes([length]) + b"x" * length)
        metadata[STATISTICS] = Value(STRUCT, write_struct(statistics))

    path = change_chunk(write_numbers(tmp_path / "a.parquet", 50), change, group=1)
    assert not is_sound(path, [0, 1])
    assert is_sound(path, [0, 2])


def test_a_field_that_stands_there_twice_is_not(tmp_path: Path) -> None:
    """Others read both, one over the other."""

    def change(metadata: Fields) -> None:
        short = write_struct({5: Value(BYTES, b"\x01x")})
        # Behind the end of the statistics, a field that is 0 further on is the same one.
        again = metadata[STATISTICS].stored + bytes([STRUCT, 2 * STATISTICS]) + short
        metadata[STATISTICS] = Value(STRUCT, again)

    assert not is_sound(change_chunk(write_numbers(tmp_path / "a.parquet"), change), [1])


def test_a_number_of_which_others_keep_sixteen_bits_is_not(tmp_path: Path) -> None:
    def change(metadata: Fields) -> None:
        metadata[(1 << 16) + STATISTICS] = metadata.pop(STATISTICS)

    path = write_numbers(tmp_path / "a.parquet")
    # Arrow takes it for the statistics that it was.
    change_chunk(path, change)
    assert not is_sound(path, [1])


def test_texts_may_have_ends_of_any_length(tmp_path: Path) -> None:
    assert is_sound(write_numbers(tmp_path / "a.parquet"), [2])
