"""Files that cannot be scored are all named at once, in their order, however many threads look."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from configs.errors import InputError
from pipelines.planning.shard_inspection import read_shards
from pipelines.planning.shards import list_shards
from transforms.formats.column import Column
from transforms.formats.parquet import ParquetFormat

WANTED = [Column("id", pa.int64())]


def write(folder: Path, count: int, broken: set[int], lacking: set[int]) -> list[str]:
    """Files of which some are cut short, and some have another column; their URLs."""
    urls = []
    for number in range(count):
        path = folder / f"{number:03d}.parquet"
        name = "other" if number in lacking else "id"
        pq.write_table(pa.table({name: [number]}), path)
        if number in broken:
            path.write_bytes(path.read_bytes()[:-1])
        urls.append(str(path))
    return urls


def inspect(folder: Path) -> None:
    listed, _ = list_shards([str(folder)])
    read_shards(listed, ParquetFormat(), WANTED)


@pytest.mark.parametrize("broken", [{0, 70}, {3, 70}])
def test_all_that_are_broken_and_all_that_lack_a_column(tmp_path: Path, broken: set[int]) -> None:
    urls = write(tmp_path, 90, broken, lacking={5, 80})
    with pytest.raises(InputError) as caught:
        inspect(tmp_path)
    message = str(caught.value)
    assert message.startswith("4 input files cannot be scored: ")
    assert f"{urls[min(broken)]}: is not a readable Parquet file" in message
    assert f"(the same of {urls[70]})" in message
    assert f"{urls[5]}: has no column 'id'" in message
    assert f"(the same of {urls[80]})" in message


def test_of_very_many_the_first_are_named(tmp_path: Path) -> None:
    urls = write(tmp_path, 60, set(range(10, 60)), lacking=set())
    with pytest.raises(InputError) as caught:
        inspect(tmp_path)
    message = str(caught.value)
    assert message.startswith(f"at least 20 input files cannot be scored: {urls[10]}: ")
    assert message.endswith(f"(the same of {', '.join(urls[11:16])} and 14 more)")


def test_a_single_one_is_told_as_it_is(tmp_path: Path) -> None:
    urls = write(tmp_path, 3, {1}, lacking=set())
    with pytest.raises(InputError, match=rf"^{urls[1]}: is not a readable Parquet file"):
        inspect(tmp_path)
