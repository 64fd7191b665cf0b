"""An index of pages that is broken, or contradicts the file or itself, changes no row."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from storage.thrift import LIST, Value, list_values
from tests.transforms.formats.pages import (
    PAGES,
    VALUES,
    Fields,
    change_footer,
    change_index,
    change_page,
    drop_item,
    find_group_pages,
    make_rows,
    make_small_files_worth_it,
    read_where,
    write,
)
from transforms.formats.parquet_group_pages import PageValues, find_pages
from transforms.formats.thrift_writing import make_int, make_list

ROWS = make_rows()
Change = Callable[[Fields], None]


@pytest.fixture(autouse=True)
def _small_files_are_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    make_small_files_worth_it(monkeypatch)


def without(field: int) -> Change:
    def change(index: Fields) -> None:
        del index[field]

    return change


def with_items(field: int, stored: bytes) -> Change:
    """Return a change of an index: a list of the same length whose items are all alike."""

    def change(index: Fields) -> None:
        items = list_values(index[field])
        index[field] = make_list(items[0].kind, [stored] * len(items))

    return change


def with_field(field: int, value: Value) -> Change:
    def change(index: Fields) -> None:
        index[field] = value

    return change


BROKEN_PAGES = {
    "a page elsewhere": change_page(2, 1, 4),
    "a page behind the file": change_page(7, 2, 1 << 30),
    "a page of less than nothing": change_page(2, 2, -100),
    "a page without bytes": change_page(2, 2, 0),
    "rows that go back": change_page(3, 3, 20),
    "a row behind the last": change_page(7, 3, 10_000),
    "a first page that is not": change_page(0, 3, 5),
    "rows below 0": change_page(0, 3, -1),
    "a page too few": drop_item(1),
    "no page": with_items(1, b"\0"),
    "no list": with_field(1, make_int(3)),
    "an empty list": with_field(1, Value(LIST, b"\x0c")),
    "nothing": without(1),
}
BROKEN_VALUES = {
    "an end too few": drop_item(2),
    "another end too few": drop_item(3),
    "a count too few": drop_item(5),
    "a truth value too few": drop_item(1),
    "no ends": without(2),
    "no other ends": without(3),
    "numbers for truth values": with_field(1, make_int(3)),
    "no truth values": with_items(1, b"\7"),
}
# Of such an index the rest is believed: these are ends of no value.
UNKNOWN_VALUES = {
    "ends of three bytes": with_items(2, b"\3abc"),
    "ends without a byte": with_items(3, b"\0"),
    "ends that are exchanged": with_items(2, b"\x08" + b"\xff" * 7 + b"\x7f"),
    "nulls alone, of which none is counted": with_items(1, b"\1"),
}


@pytest.mark.parametrize("change", BROKEN_PAGES.values(), ids=BROKEN_PAGES)
def test_an_index_of_other_pages_than_the_file_has_is_none(change: Change, tmp_path: Path) -> None:
    path = write(tmp_path / "p", ROWS)
    kept = read_where(path, "x == 217")
    change_index(path, PAGES, change)
    assert find_group_pages(path, 1, ("x",)) is None
    assert find_group_pages(path, 0, ("x",)) is not None
    assert read_where(path, "x == 217") == kept


@pytest.mark.parametrize("change", BROKEN_VALUES.values(), ids=BROKEN_VALUES)
def test_an_index_of_values_that_is_not_whole_is_none(change: Change, tmp_path: Path) -> None:
    path = write(tmp_path / "p", ROWS)
    kept = read_where(path, "x == 217")
    change_index(path, VALUES, change)
    assert find_group_pages(path, 1, ("x",)) is None
    assert read_where(path, "x == 217") == kept


@pytest.mark.parametrize("change", UNKNOWN_VALUES.values(), ids=UNKNOWN_VALUES)
def test_ends_of_no_value_leave_out_nothing(change: Change, tmp_path: Path) -> None:
    path = write(tmp_path / "p", ROWS)
    kept = read_where(path, "x == 217")
    change_index(path, VALUES, change)
    group = find_group_pages(path, 1, ("x",))
    assert group is not None
    assert all(values.may_be_value and values.least is None for values in group.values[0])
    assert read_where(path, "x == 217") == kept


def test_values_in_an_order_that_nobody_told_are_not_known(tmp_path: Path) -> None:
    path = write(tmp_path / "p", ROWS)
    kept = read_where(path, "x == 217")
    change_footer(path, without(7))
    group = find_group_pages(path, 1, ("x",))
    assert group is not None
    assert group.values == {}
    assert read_where(path, "x == 217") == kept


@pytest.mark.parametrize("index", [PAGES, VALUES])
@pytest.mark.parametrize("place", [-1, 0, 4, 1 << 40, 1 << 66])
def test_an_index_that_is_elsewhere_is_none(
    index: tuple[int, int], place: int, tmp_path: Path
) -> None:
    path = write(tmp_path / "p", ROWS)
    kept = read_where(path, "x == 217")
    change_index(path, index, lambda fields: None, place=place)
    assert find_group_pages(path, 1, ("x",)) is None
    assert read_where(path, "x == 217") == kept


def test_an_index_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = write(tmp_path / "p", ROWS)
    assert find_group_pages(path, 1, ("x",), most_bytes=1_000) is not None
    assert find_group_pages(path, 1, ("x",), most_bytes=20) is None


def test_without_an_index_there_is_none(tmp_path: Path) -> None:
    path = write(tmp_path / "p", ROWS, page_index=False)
    assert find_group_pages(path, 1, ("x",)) is None


def test_pages_and_their_values_are_those_of_the_rows(tmp_path: Path) -> None:
    rows = pa.table({"x": pa.array([5, None, 3, None, None, None, float("nan"), 2.5])})
    options: dict[str, Any] = {
        "max_rows_per_page": 3,
        "write_batch_size": 3,
        "use_dictionary": False,
    }
    path = write(tmp_path / "p", rows, row_group_size=8, **options)
    group = find_group_pages(path, 0, ("x",))
    assert group is not None
    assert group.pages[0].first_rows == [0, 3, 6, 8]
    chunk = pq.read_metadata(path).row_group(0).column(0)
    assert group.pages[0].begin == chunk.data_page_offset
    assert group.pages[0].places[-1] == chunk.data_page_offset + chunk.total_compressed_size
    assert group.values[0] == [
        PageValues(3.0, 5.0, may_be_null=True, may_be_value=True),
        PageValues(None, None, may_be_null=True, may_be_value=False),
        PageValues(2.5, 2.5, may_be_null=False, may_be_value=True),
    ]
    assert [find_pages(group.pages[0], first, first + 1).start for first in range(8)] == [
        *(0, 0, 0, 1, 1, 1, 2, 2)
    ]
