"""Contents beside rows: batches of bounded size in which every row is accounted for, and what is listed for each."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from storage.rooted import FileRoot
from tests.support.builders import make_unit, raw_batch
from transforms.batches import RawBatch
from transforms.formats import contents
from transforms.formats.contents import add_contents
from transforms.formats.file_list import (
    FileList,
    FileListWriter,
    Listed,
    ListedRows,
    count_files,
)
from transforms.formats.load import Load

SCHEMA = pa.schema([("id", pa.int64()), ("content", pa.binary())])


def write_files(folder: Path, sizes: list[int | None]) -> list[Listed]:
    """Write a file of each size, and list them; None is a file that is missing."""
    root = FileRoot(str(folder))
    listed = []
    for number, size in enumerate(sizes):
        if size is None:
            listed.append(Listed(None, f"{number}: gone"))
            continue
        (folder / str(number)).write_bytes(bytes([number]) * size)
        listed.append(Listed(root.describe(str(number))))
    return listed


def add(folder: Path, batch: RawBatch, listed: list[Listed], most: int = 100) -> list[RawBatch]:
    load = Load("content", str(folder), most, "path")
    return list(add_contents(batch, [load], {"content": listed}, SCHEMA))


@pytest.mark.parametrize("seed", range(5))
def test_batches_are_cut_by_the_bytes_of_their_files_and_no_row_is_lost(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contents, "_BATCH_BYTES", 200)
    random = np.random.default_rng(seed)
    sizes = [None if size > 120 else int(size) for size in random.integers(0, 130, 40)]
    listed = write_files(tmp_path, sizes)
    batch = raw_batch({"id": range(40)}, first_row=7, unit=make_unit(rows=47))
    batches = add(tmp_path, batch, listed)

    assert [b.last for b in batches] == [False] * (len(batches) - 1) + [True]
    first_row = 7
    for made in batches:
        assert made.id.first_row == first_row
        first_row += made.rows_in
        assert len(made) == 1 or made.rows["content"].nbytes <= 200 + 8 * (len(made) + 1)
    assert first_row == 47
    taken = {n: c for b in batches for n, c in zip(*map(pa.Array.to_pylist, b.rows), strict=True)}
    expected = {n: bytes([n]) * size for n, size in enumerate(sizes) if (size or 101) <= 100}
    expected |= {n: b"" for n, size in enumerate(sizes) if size == 0}
    assert taken == expected


@pytest.mark.parametrize(("most_bytes", "count"), [(3 * 28, 1), (3 * 28 - 1, 2)])
def test_a_batch_is_as_large_as_is_said(
    most_bytes: int, count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of each row eight bytes of the table, and those of its file."""
    assert contents._BATCH_BYTES == 64 * 1024**2
    monkeypatch.setattr(contents, "_BATCH_BYTES", most_bytes)
    listed = write_files(tmp_path, [20, 20, 20])
    assert len(add(tmp_path, raw_batch({"id": range(3)}), listed)) == count


@pytest.mark.parametrize(("most", "rejected"), [(20, 0), (19, 1)])
def test_a_file_is_as_large_as_the_job_says(most: int, rejected: int, tmp_path: Path) -> None:
    listed = write_files(tmp_path, [20, 5])
    (batch,) = add(tmp_path, raw_batch({"id": range(2)}), listed, most)
    assert len(batch) == 2 - rejected
    assert batch.rows_in == 2


def test_what_is_not_read_takes_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Missing files, files that are too large, and rows that name none.
    monkeypatch.setattr(contents, "_BATCH_BYTES", 4 * 8)
    listed = [*write_files(tmp_path, [None, 101, None]), Listed(None)]
    (batch,) = add(tmp_path, raw_batch({"id": range(4)}), listed)
    assert batch.rows.to_pylist() == [{"id": 3, "content": None}]


@pytest.mark.parametrize(
    ("sizes", "together"),
    [
        ([10, 90, 10], [[0], [1], [2]]),
        # No batch without rows before the first one, or behind the last.
        ([90, 10, 10], [[0], [1, 2]]),
        ([10, 10, 90], [[0, 1], [2]]),
        ([90, 90], [[0], [1]]),
    ],
)
def test_a_file_that_is_larger_than_a_batch_travels_alone(
    sizes: list[int | None],
    together: list[list[int]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(contents, "_BATCH_BYTES", 50)
    listed = write_files(tmp_path, sizes)
    batches = add(tmp_path, raw_batch({"id": range(len(sizes))}), listed)
    assert [batch.rows["id"].to_pylist() for batch in batches] == together


def test_a_row_without_a_file_has_no_content_and_no_rows_are_a_batch(tmp_path: Path) -> None:
    (batch,) = add(tmp_path, raw_batch({"id": [0]}), [Listed(None)])
    assert batch.rows["content"].to_pylist() == [None]
    empty = raw_batch({"id": pa.array([], type=pa.int64())})
    (batch,) = add(tmp_path, empty, [])
    assert (len(batch), batch.last) == (0, True)


def make_list(rows: dict[int, dict[str, np.ndarray]], folder: Path) -> FileList:
    (listed,) = write_files(folder, [3])
    writer = FileListWriter()
    for unit, columns in rows.items():
        for column, numbers in columns.items():
            writer.add(unit, column, str(folder), numbers, [listed] * len(numbers))
    return writer.close()


def test_what_is_listed_is_found_by_unit_column_and_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transforms.formats.file_list.LISTED_ROWS", 3)
    rows = {0: {"a": np.arange(10), "b": np.arange(10)}, 1: {"a": np.arange(5, 9)}}
    listing = make_list(rows, tmp_path)
    assert count_files(listing.content) == 24
    found = [table["row"].to_pylist() for table in listing.iterate(0, "a")]
    assert found == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9]]
    taken = ListedRows(listing.iterate(0, "b"))
    # Rows 4 and 5 were rejected before, and row 9 stands alone.
    for numbers in ([0, 1], [2, 3, 6, 7, 8], [9], []):
        assert len(taken.take(np.array(numbers, dtype=np.int64))) == len(numbers)
    with pytest.raises(AssertionError, match="other rows than the shard"):
        ListedRows(listing.iterate(1, "a")).take(np.array([3]))


def test_a_digest_is_of_all_that_a_unit_s_rows_name(tmp_path: Path) -> None:
    before, after = (write_files(tmp_path, [size])[0] for size in (3, 4))
    digests = set()
    for listed, row in ((before, 0), (after, 0), (before, 1), (Listed(None), 0)):
        writer = FileListWriter()
        writer.add(0, "a", "/root", np.array([row]), [listed])
        digests.add(writer.find_digest(0))
        assert writer.find_digest(1) == ""
    assert len(digests) == 4


@pytest.mark.parametrize(("size", "is_read"), [(99, True), (100, True), (101, False)])
def test_a_file_is_as_large_as_it_may_be(size: int, is_read: bool, tmp_path: Path) -> None:
    (batch,) = add(tmp_path, raw_batch({"id": [0]}), write_files(tmp_path, [size]), most=100)
    assert batch.rows["content"].to_pylist() == ([bytes(size)] if is_read else [])
    assert (batch.rows_in, len(batch)) == (1, int(is_read))
