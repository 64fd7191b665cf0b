"""A part of a row group is entered at a page, which the heads of pages lead to: what stands before is not read."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
import errno
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from configs.errors import InputError
from storage import retries
from storage.thrift import I32, STRUCT, Value
from tests.transforms.formats.parts import ROWS, make_rows, part_of, read
from transforms.batches import RowRecord
from transforms.formats import parquet_batches, parquet_pages, parquet_part_pages
from transforms.formats.parquet import ParquetFormat
from transforms.formats.parquet_given_file import Source
from transforms.formats.parquet_page_heads import find_page_end, read_head
from transforms.formats.parquet_ways import Reading
from transforms.formats.thrift_writing import make_int, write_struct

PAGES: dict[str, Any] = {"max_rows_per_page": 1_000, "write_batch_size": 100}
WAYS: dict[str, dict[str, Any]] = {
    "first version": {},
    "second version": {"data_page_version": "2.0"},
    "no dictionaries": {"use_dictionary": False, "compression": "zstd"},
    "an index, too": {"write_page_index": True},
}


@pytest.fixture(autouse=True)
def _small_files_are_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else their footers would be too large beside their rows."""
    monkeypatch.setattr(parquet_part_pages, "_MOST_TOLD_SHARE", 0.001)


def write(path: Path, rows: pa.Table, **options: Any) -> Path:
    pq.write_table(rows, path, **{**PAGES, **options})
    return path


def break_first_pages(path: Path) -> None:
    """Overwrite what is behind the head of each column's first page of values."""
    content = bytearray(path.read_bytes())
    group = pq.read_metadata(path).row_group(0)
    for leaf in range(group.num_columns):
        column = group.column(leaf)
        # Heads are shorter than that.
        begin = column.data_page_offset + 150
        content[begin : begin + 100] = b"\xff" * 100
    path.write_bytes(content)


@pytest.mark.parametrize("way", WAYS)
def test_what_stands_before_a_part_is_not_read(way: str, tmp_path: Path) -> None:
    # Whose first pages have more bytes than are broken.
    rows = make_rows().select(["id", "x", "own"])
    path = write(tmp_path / "p", rows, write_page_checksum=True, **WAYS[way])
    whole = pq.read_table(path)
    break_first_pages(path)
    for row, count in ((1_000, 300), (1_234, 1_000), (ROWS - 1, 1)):
        actual = read(part_of(path, row, count), whole.schema)
        assert actual.to_pylist() == whole.slice(row, count).to_pylist()
    # Else the file is not broken, and the rows above prove nothing.
    with pytest.raises(InputError):
        read(part_of(path, 999, 1), whole.schema)


def test_lists_are_entered_where_heads_tell_rows(tmp_path: Path) -> None:
    lists = pa.table({"list": [[n] * (n % 4) for n in range(ROWS)], "n": range(ROWS)})
    for version in ("1.0", "2.0"):
        path = write(tmp_path / version, lists, data_page_version=version)
        actual = read(part_of(path, 2_100, 500), lists.schema)
        assert actual.to_pylist() == lists.slice(2_100, 500).to_pylist()
        # The first version tells values alone.
        pages = parquet_part_pages.find_pages_of_part(part_of(path, 2_100, 500), ["list"])
        assert (pages is not None) is (version == "2.0")


def test_lists_in_pages_of_the_first_version_are_entered_where_an_index_tells_rows(
    tmp_path: Path,
) -> None:
    lists = pa.table({"list": [[n] * (n % 4) for n in range(ROWS)], "n": range(ROWS)})
    plain = write(tmp_path / "plain", lists)
    path = write(tmp_path / "p", lists, write_page_index=True)
    unit = part_of(path, 2_100, 500)
    assert parquet_part_pages.find_pages_of_part(part_of(plain, 2_100, 500), ["list"]) is None
    assert parquet_part_pages.find_pages_of_part(unit, ["list"]) is not None
    assert read(unit, lists.schema).to_pylist() == lists.slice(2_100, 500).to_pylist()


def test_a_footer_that_is_large_beside_the_rows_is_left_to_arrow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_part_pages, "_MOST_TOLD_SHARE", 1_000)
    unit = part_of(write(tmp_path / "p", pa.table({"n": range(ROWS)})), 1_500, 1_000)
    assert parquet_part_pages.find_pages_of_part(unit, ["n"]) is None


def test_a_part_goes_on_behind_the_rows_that_came_however_it_is_entered_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = pa.table({"n": range(ROWS)})
    iterate = parquet_pages.iterate_pages

    def fail_behind_the_first(*given: Any) -> Iterator[pa.RecordBatch]:
        batches = iterate(*given)
        assert batches is not None
        yield next(batches)
        # The second time the heads of pages cannot be read.
        monkeypatch.setattr(parquet_batches, "find_pages_of_part", lambda *_: None)
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(parquet_batches, "iterate_pages", fail_behind_the_first)
    monkeypatch.setattr(retries, "pause", lambda _: None)
    path = write(tmp_path / "p", rows)
    actual = read(part_of(path, 1_100, 1_000), rows.schema, 300)
    assert actual.to_pylist() == rows.slice(1_100, 1_000).to_pylist()


def test_a_file_with_fewer_rows_or_row_groups_than_were_planned_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "p", pa.table({"n": range(ROWS)}))
    schema = pa.schema([("n", pa.int64())])
    with pytest.raises(InputError, match="promised 600 rows from row 2500 on, but there are 500"):
        read(part_of(path, 2_500, 600), schema)
    assert parquet_part_pages.find_pages_of_part(part_of(path, 1_500, 9, group=1), ["n"]) is None


def test_pages_so_small_that_heads_take_longer_are_left_to_arrow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = pa.table({"n": range(ROWS)})
    unit = part_of(write(tmp_path / "p", rows), 1_500, 1_000)
    assert parquet_part_pages.find_pages_of_part(unit, ["n"]) is not None
    monkeypatch.setattr(parquet_part_pages, "_LEAST_PAGE_ROWS", 10_000)
    again = part_of(write(tmp_path / "q", rows), 1_500, 1_000)
    assert parquet_part_pages.find_pages_of_part(again, ["n"]) is None


def test_batches_are_whole_wherever_the_pages_of_their_columns_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_part_pages, "_LEAST_PAGE_ROWS", 10)
    rows = make_rows().select(["id", "x", "own"])
    path = write(tmp_path / "p", rows, data_page_size=3_000, use_dictionary=False)
    unit = part_of(path, 1_234, 1_000)
    pages = parquet_part_pages.find_pages_of_part(unit, rows.column_names)
    assert pages is not None
    assert len({tuple(leaf.first_rows) for leaf in pages.pages.values()}) == 3
    batches = ParquetFormat().read(unit, pq.read_schema(path), 300, RowRecord())
    assert [len(batch) for batch in batches] == [300, 300, 300, 100]


def test_few_rows_of_a_page_are_worth_a_look_where_they_are_long(tmp_path: Path) -> None:
    rows = pa.table({"s": [f"{n:0700}" for n in range(ROWS)]})
    path = write(
        tmp_path / "p", rows, max_rows_per_page=200, use_dictionary=False, compression="none"
    )
    unit = part_of(path, 1_500, 1_000)
    assert parquet_part_pages.find_pages_of_part(unit, ["s"]) is not None
    assert read(unit, rows.schema).to_pylist() == rows.slice(1_500, 1_000).to_pylist()


def make_head(page_bytes: int) -> bytes:
    rest = write_struct({1: make_int(5, I32), 2: make_int(0, I32)})
    fields = {1: make_int(0, I32), 3: make_int(page_bytes, I32), 5: Value(STRUCT, rest)}
    return write_struct(fields)


def test_a_head_tells_nothing_behind_the_end_and_no_page_of_less_than_nothing() -> None:
    source = Source({0: BytesIO(make_head(70) + b"more")}, [0])
    head = read_head(source, 0, 100)
    assert find_page_end(0, head) == len(make_head(70)) + 70
    with pytest.raises(ValueError, match="behind the end"):
        read_head(source, 0, 0)
    less = read_head(Source({0: BytesIO(make_head(-1))}, [0]), 0, 100)
    with pytest.raises(ValueError, match="less than no bytes"):
        find_page_end(0, less)


def test_a_part_of_the_first_page_gains_nothing(tmp_path: Path) -> None:
    path = write(tmp_path / "p", pa.table({"n": range(ROWS)}))
    assert parquet_part_pages.find_pages_of_part(part_of(path, 999, 1_000), ["n"]) is None


def test_a_part_in_a_store_is_not_entered_by_heads(tmp_path: Path) -> None:
    unit = part_of(write(tmp_path / "p", pa.table({"n": range(ROWS)})), 1_500, 1_000)
    # Each head would be a request, of which there is none here to answer.
    stored = replace(unit, shard="gs://bucket/p")
    with ExitStack() as stack:
        assert parquet_batches._read_pages(stack, stored, Reading(("n",)), 500, ()) is None


def cut_short(content: bytearray, begin: int) -> None:
    del content[begin : begin + 1]
    content[begin:begin] = b"\0"


def fill(content: bytearray, begin: int) -> None:
    content[begin : begin + 40] = b"\xff" * 40


def tell_no_rows(content: bytearray, begin: int) -> None:
    content[begin : begin + 40] = b"\0" * 40


@pytest.mark.parametrize("change", [cut_short, fill, tell_no_rows])
def test_heads_that_lead_nowhere_are_left_to_arrow(
    change: Callable[[bytearray, int], None], tmp_path: Path
) -> None:
    path = write(tmp_path / "p", pa.table({"n": range(ROWS)}), use_dictionary=False)
    content = bytearray(path.read_bytes())
    change(content, pq.read_metadata(path).row_group(0).column(0).data_page_offset)
    path.write_bytes(content)
    unit = part_of(path, 1_500, 1_000)
    assert parquet_part_pages.find_pages_of_part(unit, ["n"]) is None
    with pytest.raises(InputError, match="cannot be read from row 1500 on"):
        read(unit, pa.schema([("n", pa.int64())]))
