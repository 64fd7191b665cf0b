"""A part of a row group is entered at a page, which the heads of pages lead to: what stands before is not read."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from configs.errors import InputError
from tests.transforms.formats.parts import ROWS, make_rows, part_of, read
from transforms.formats import parquet_part_pages

PAGES: dict[str, Any] = {"max_rows_per_page": 1_000, "write_batch_size": 100}
WAYS: dict[str, dict[str, Any]] = {
    "first version": {},
    "second version": {"data_page_version": "2.0"},
    "no dictionaries": {"use_dictionary": False, "compression": "zstd"},
    "an index, too": {"write_page_index": True},
}


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


def test_pages_so_small_that_heads_take_longer_are_left_to_arrow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = pa.table({"n": range(ROWS)})
    unit = part_of(write(tmp_path / "p", rows), 1_500, 1_000)
    assert parquet_part_pages.find_pages_of_part(unit, ["n"]) is not None
    monkeypatch.setattr(parquet_part_pages, "_LEAST_PAGE_ROWS", 10_000)
    again = part_of(write(tmp_path / "q", rows), 1_500, 1_000)
    assert parquet_part_pages.find_pages_of_part(again, ["n"]) is None


def test_a_part_of_the_first_page_gains_nothing(tmp_path: Path) -> None:
    path = write(tmp_path / "p", pa.table({"n": range(ROWS)}))
    assert parquet_part_pages.find_pages_of_part(part_of(path, 999, 1_000), ["n"]) is None


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
