"""Parquet files with small pages and an index of them, and what a filter keeps of their rows."""

from collections.abc import Callable, Sequence
import datetime as dt
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.planning.filtering import with_filter
from storage.inputs import describe_url
from storage.thrift import (
    I32,
    STRUCT,
    Value,
    list_structs,
    list_values,
    read_int,
    read_struct,
)
from transforms.batches import RowRecord
from transforms.formats import parquet_page_bounds, parquet_sections
from transforms.formats.column import Column
from transforms.formats.format import Format, make_unit
from transforms.formats.parquet import ParquetFormat
from transforms.formats.parquet_footer import list_leaves_of_columns, parse_footer, read_end
from transforms.formats.parquet_group_pages import GroupPages
from transforms.formats.parquet_page_index import read_page_index
from transforms.formats.thrift_writing import make_int, make_list, write_struct
from transforms.where import where_columns

ROWS = 400
# Dictionaries of small columns alone: one as large as the pages would make no gap worth it.
SMALL_PAGES: dict[str, Any] = {
    "row_group_size": 150,
    "data_page_size": 300,
    "write_batch_size": 10,
    "max_rows_per_page": 20,
    "use_dictionary": ["few", "few_texts"],
}
START = dt.datetime(2026, 1, 1)


class Read(NamedTuple):
    """The rows that were kept, their numbers, how many were left out, and the numbers of rejected ones."""

    rows: list[dict[str, Any]]
    numbers: list[int]
    left_out: int
    rejected: list[int]


def make_rows(rows: int = ROWS) -> pa.Table:
    """Rows in the order of most columns, whose pages begin at different rows."""
    numbers = range(rows)
    return pa.table(
        {
            "x": pa.array(numbers, pa.int64()),
            "few": pa.array([n // 50 for n in numbers], pa.int16()),
            "f": [float("nan") if n % 40 == 7 else (n - 200) / 4 for n in numbers],
            "s": [None if n < 90 or n % 9 == 0 else f"t{n:04}" * (n % 3 + 1) for n in numbers],
            "at": pa.array([START + dt.timedelta(hours=n) for n in numbers], pa.timestamp("us")),
            "list": [None if n % 7 == 0 else [n] * (n % 5) for n in numbers],
            "pair": [{"a": n, "b": "z" * (n % 11)} for n in numbers],
            "few_texts": pa.array([f"k{n // 100}" for n in numbers]).dictionary_encode(),
        }
    )


def make_small_files_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the file of a test would be read as a whole, as that is quicker."""
    monkeypatch.setattr(parquet_page_bounds, "_OPENING_BYTES", 1)
    monkeypatch.setattr(parquet_page_bounds, "_LEAF_BYTES", 1)
    monkeypatch.setattr(parquet_page_bounds, "_REQUEST_BYTES", 1)
    monkeypatch.setattr(parquet_sections, "_LEAST_GROUP_BYTES", 0)
    monkeypatch.setattr(parquet_sections, "_MOST_INDEX_SHARE", 0.001)


def write(path: Path, rows: pa.Table, page_index: bool = True, **options: Any) -> Path:
    together = {**SMALL_PAGES, **options}
    pq.write_table(rows, path, write_page_index=page_index, **together)
    return path


def read_where(
    path: Path | str,
    where: str,
    names: Sequence[str] = ("x", "s", "list", "pair"),
    rows_per_unit: int = 1_000,
    format: Format | None = None,
) -> Read:
    """Read what a filter keeps, and see that the batches follow each other up to the end of each unit."""
    file = describe_url(str(path))
    columns = [Column(name, None) for name in dict.fromkeys((*names, *where_columns(where)))]
    reader = format or ParquetFormat()
    shard, found = reader.inspect(file, columns)
    filtered = with_filter(reader, where, found)
    schema = pa.schema([found.field(name) for name in names])
    read = Read([], [], 0, [])
    for index, piece in enumerate(filtered.split(shard, rows_per_unit)):
        unit = make_unit(index, shard, piece)
        behind = unit.first_row
        for batch in filtered.read(unit, schema, 100, RowRecord()):
            assert batch.id.first_row == behind
            behind += batch.rows_in
            read.rows.extend(batch.rows.to_pylist())
            read.numbers.extend(batch.row_numbers.tolist())
            for records in batch.rejected:
                read.rejected.extend(records.rows["row"].to_pylist())
            read = read._replace(left_out=read.left_out + batch.rows_left_out)
        assert batch.last
        assert behind == unit.first_row + (unit.rows or 0)
    return read


def find_group_pages(
    path: Path, number: int, names: Sequence[str], most_bytes: int = 1 << 20
) -> GroupPages | None:
    """The index of a row group, and the values of its first leaf."""
    end = read_end(str(path))
    schema, metadata = parse_footer(end)
    columns = list_leaves_of_columns(schema, metadata, names)
    assert columns is not None
    return read_page_index(end, metadata, number, columns, most_bytes, filtered=[0])


def break_pages(path: Path, names: Sequence[str], kept: range) -> int:
    """Overwrite the pages of columns that hold none of some rows of the file, and return how many those are."""
    content = bytearray(path.read_bytes())
    metadata = pq.read_metadata(path)
    broken = first_row = 0
    for number in range(metadata.num_row_groups):
        group = find_group_pages(path, number, names)
        assert group is not None
        for leaf in group.pages.values():
            for page, place in enumerate(leaf.places[:-1]):
                first, stop = (first_row + row for row in leaf.first_rows[page : page + 2])
                if stop <= kept.start or first >= kept.stop:
                    content[place : leaf.places[page + 1]] = b"\xff" * (
                        leaf.places[page + 1] - place
                    )
                    broken += 1
        first_row += metadata.row_group(number).num_rows
    path.write_bytes(content)
    return broken


# The fields of a column chunk that tell where an index of it is, and its length.
PAGES, VALUES = (4, 5), (6, 7)
Fields = dict[int, Value]


def change_footer(path: Path, change: Callable[[Fields], None], before: bytes = b"") -> None:
    """Put another footer in the place of a file's, and some bytes before it."""
    content = path.read_bytes()
    begin = find_footer(content)
    footer = dict(read_struct(content, begin).fields)
    change(footer)
    end = write_struct(footer)
    length = len(end).to_bytes(4, "little")
    path.write_bytes(content[:begin] + before + end + length + b"PAR1")


def find_footer(content: bytes) -> int:
    return len(content) - 8 - int.from_bytes(content[-8:-4], "little")


def change_index(
    path: Path,
    index: tuple[int, int],
    change: Callable[[Fields], None],
    place: int | None = None,
) -> None:
    """Put another index in the place of one of the first leaf in the second row group; it may be said to be anywhere."""
    content = path.read_bytes()
    begin = find_footer(content)
    groups = [dict(fields) for fields in list_structs(read_struct(content, begin).fields[4])]
    chunks = [dict(fields) for fields in list_structs(groups[1][1])]
    first, length = (read_int(chunks[0][field]) for field in index)
    changed = dict(read_struct(content[first : first + length]).fields)
    change(changed)
    stored = write_struct(changed)
    chunks[0][index[0]] = make_int(begin if place is None else place)
    chunks[0][index[1]] = make_int(len(stored), I32)
    groups[1][1] = make_list(STRUCT, [write_struct(chunk) for chunk in chunks])

    def change_groups(footer: Fields) -> None:
        footer[4] = make_list(STRUCT, [write_struct(fields) for fields in groups])

    change_footer(path, change_groups, before=stored)


def change_page(page: int, field: int, number: int) -> Callable[[Fields], None]:
    """Return a change of an index of pages: another number in a field of one page."""

    def change(index: Fields) -> None:
        pages = [dict(fields) for fields in list_structs(index[1])]
        pages[page][field] = make_int(number, pages[page][field].kind)
        index[1] = make_list(STRUCT, [write_struct(fields) for fields in pages])

    return change


def drop_item(field: int) -> Callable[[Fields], None]:
    """Return a change of an index: a list without its last item."""

    def change(index: Fields) -> None:
        items = list_values(index[field])
        index[field] = make_list(items[0].kind, [item.stored for item in items[:-1]])

    return change
