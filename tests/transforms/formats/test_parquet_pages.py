"""Pages that may hold rows that a filter keeps are read, and no others: the same rows and books as without an index."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import deltalake
import fsspec
import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from storage import files
from storage.inputs import describe_url
from tests.transforms.formats.pages import (
    PAGES,
    ROWS,
    break_pages,
    change_index,
    change_page,
    make_rows,
    make_small_files_worth_it,
    read_where,
    write,
)
from transforms.batches import RowRecord
from transforms.formats import parquet_pages
from transforms.formats.column import Column
from transforms.formats.filtered import FilteredFormat
from transforms.formats.format import make_unit
from transforms.formats.parquet import ParquetFormat
from transforms.formats.parquet_given_file import Extent, GivenFile, Source
from transforms.formats.partitions import PartitionedFormat
from transforms.formats.table_files import TableFormat
from transforms.lakes.choice import Choice
from transforms.lakes.delta import read_delta
from transforms.lakes.stored_files import TableFiles

ALL = ("x", "few", "f", "s", "at", "list", "pair", "few_texts")
WHERE = [
    "x >= 215 and x < 233",
    "x == 3 or x == 271 or x == 399",
    "s == 't0301t0301'",
    "s is None and x >= 85",
    "s is not None and x < 100",
    "f > 40",
    "f <= -49.75 or x == 207",
    "f == 0",
    "few in [3, 7] and at < '2026-01-08 00:00:00'",
    "not x < 390",
    "x < 0",
    "x >= 0",
]
OPTIONS: dict[str, dict[str, Any]] = {
    "first version": {},
    "second version": {"data_page_version": "2.0"},
    "without dictionaries": {"use_dictionary": False, "compression": "zstd"},
    "dictionaries that end": {
        "use_dictionary": True,
        "dictionary_pagesize_limit": 100,
        "write_page_checksum": True,
    },
    "one row group": {"row_group_size": ROWS, "compression": "none"},
}


@pytest.fixture(autouse=True)
def _small_files_are_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    make_small_files_worth_it(monkeypatch)


@pytest.fixture
def by_pages(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each part of a row group was read by pages."""
    read = []
    iterate = parquet_pages.iterate_pages

    def look(*given: Any) -> Any:
        found = iterate(*given)
        read.append(found is not None)
        return found

    monkeypatch.setattr("transforms.formats.parquet_batches.iterate_pages", look)
    return read


@pytest.mark.parametrize(("number", "options"), [*enumerate(OPTIONS.values())], ids=OPTIONS)
def test_the_rows_and_the_books_are_those_of_a_file_without_an_index(
    number: int, options: dict[str, Any], tmp_path: Path, by_pages: list[bool]
) -> None:
    rows = make_rows()
    path = write(tmp_path / "p", rows, **options)
    plain = write(tmp_path / "plain", rows, page_index=False, **options)
    # Each filter, and each way to write, several times, and not all of them together.
    for place, where in enumerate(WHERE[number % 3 :: 3]):
        rows_per_unit = (1_000, 90)[place % 2]
        read = read_where(path, where, ALL, rows_per_unit)
        plainly = read_where(plain, where, ALL, rows_per_unit)
        # As texts, because NaN is unequal to itself.
        assert str(read) == str(plainly), where
        assert len(read.rows) + read.left_out == ROWS
    assert all(by_pages)
    assert len(by_pages) > 2


def write_polars(path: Path, rows: pa.Table) -> Path:
    frame = pl.from_arrow(rows)
    assert isinstance(frame, pl.DataFrame)
    frame.write_parquet(path, row_group_size=150, data_page_size=300, statistics="full")
    return path


def write_arrow_rs(path: Path, rows: pa.Table) -> Path:
    write_table(path, rows)
    (written,) = path.glob("*.parquet")
    # Elsewhere, as a table is not read without its log.
    return written.rename(path.with_name("written"))


def write_table(path: Path, rows: pa.Table) -> None:
    properties = deltalake.WriterProperties(
        data_page_row_count_limit=20,
        write_batch_size=10,
        max_row_group_size=150,
        default_column_properties=deltalake.ColumnProperties(dictionary_enabled=False),
    )
    deltalake.write_deltalake(path, rows, writer_properties=properties)


@pytest.mark.parametrize("writer", [write_polars, write_arrow_rs])
def test_other_writers_indices_are_read(
    writer: Callable[[Path, pa.Table], Path], tmp_path: Path, by_pages: list[bool]
) -> None:
    rows = make_rows().drop(["few_texts"])
    path = writer(tmp_path / "p", rows)
    plain = write(tmp_path / "plain", rows, page_index=False)
    for where in WHERE[::4]:
        assert str(read_where(path, where)) == str(read_where(plain, where)), where
    assert all(by_pages)
    assert by_pages


@pytest.mark.parametrize("seed", range(8))
def test_random_rows_in_random_pages_are_the_same_without_an_index(
    seed: int, tmp_path: Path
) -> None:
    rng = np.random.default_rng(seed)
    rows = make_rows()
    shuffled = rows.take(pa.array(np.lexsort([rng.random(ROWS), np.arange(ROWS) // 60])))
    options: dict[str, Any] = {
        "row_group_size": int(rng.integers(50, ROWS)),
        "data_page_size": int(rng.integers(50, 2_000)),
        "write_batch_size": int(rng.integers(1, 40)),
        "max_rows_per_page": int(rng.integers(5, 100)),
        "data_page_version": ("1.0", "2.0")[seed % 2],
    }
    path = write(tmp_path / "p", shuffled, **options)
    plain = write(tmp_path / "plain", shuffled, page_index=False, **options)
    for _ in range(2):
        low, more, nulls = rng.integers(0, ROWS, 3)
        where = f"x >= {low} and f < {(low + more % 90 - 200) / 4} or s is None and x > {nulls}"
        read = read_where(path, where, ALL)
        assert str(read) == str(read_where(plain, where, ALL)), (options, where)


def test_pages_that_cannot_match_are_not_read(tmp_path: Path) -> None:
    path = write(tmp_path / "p", make_rows())
    where = "x >= 215 and x < 233"
    kept = read_where(path, where)
    assert break_pages(path, ("x", "s", "list", "pair"), range(215, 233)) > 50
    assert read_where(path, where) == kept
    with pytest.raises(Exception, match="cannot be read from row 2"):
        read_where(path, "x >= 215 and x < 290")


def test_numbers_of_rows_count_all_of_the_file(tmp_path: Path) -> None:
    path = write(tmp_path / "p", make_rows())
    read = read_where(path, "x in [3, 160, 333]", rows_per_unit=40)
    assert read.numbers == [3, 160, 333]


def test_a_value_that_cannot_be_read_costs_its_row(tmp_path: Path, by_pages: list[bool]) -> None:
    rows = make_rows()
    lists = pa.array([None if n == 221 else [n, n] for n in range(ROWS)], pa.list_(pa.int64(), 2))
    path = write(tmp_path / "p", rows.append_column("fixed", lists))
    read = read_where(path, "x >= 215 and x < 233", ("x", "fixed"))
    assert read.rejected == [221]
    assert read.numbers == [n for n in range(215, 233) if n != 221]
    assert read.rows[0] == {"x": 215, "fixed": [215, 215]}
    assert all(by_pages)


def test_moments_of_96_bits_are_read_by_pages(tmp_path: Path, by_pages: list[bool]) -> None:
    path = write(tmp_path / "p", make_rows(), use_deprecated_int96_timestamps=True)
    read = read_where(path, "x == 217", ("x", "at"))
    assert read.rows == make_rows().select(["x", "at"]).slice(217, 1).to_pylist()
    assert all(by_pages)


def test_columns_whose_names_look_like_paths_are_read_as_without_an_index(
    tmp_path: Path, by_pages: list[bool]
) -> None:
    rows = make_rows().select(["x", "pair"]).rename_columns(["x", "a.b"])
    path = write(tmp_path / "p", rows)
    assert read_where(path, "x == 217", ("a.b",)).rows == rows.slice(217, 1).drop(["x"]).to_pylist()
    assert by_pages == []


def test_many_columns_of_different_pages_begin_where_all_of_them_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by_pages: list[bool]
) -> None:
    path = write(tmp_path / "p", make_rows())
    kept = read_where(path, "x == 217", ALL)
    monkeypatch.setattr(parquet_pages, "_MOST_FILES", 1)
    assert str(read_where(path, "x == 217", ALL)) == str(kept)
    assert all(by_pages)


def test_what_folders_tell_is_known_of_each_page(tmp_path: Path, by_pages: list[bool]) -> None:
    (tmp_path / "day=3").mkdir()
    path = write(tmp_path / "day=3/p", make_rows())
    form = PartitionedFormat(ParquetFormat(), ("day",))
    fields = pa.schema([("x", pa.int64()), ("day", pa.int64())])
    for where, kept in [("day == 3 and x == 217", [217]), ("day > x and x < 150", [0, 1, 2])]:
        filtered = FilteredFormat(form, where, fields)
        columns = [Column("x", None), Column("day", pa.int64())]
        shard, _ = form.inspect(describe_url(str(path)), columns)
        (piece,) = filtered.split(shard, 1_000)
        batches = filtered.read(make_unit(0, shard, piece), fields, 100, RowRecord())
        assert [x for batch in batches for x in batch.rows["x"].to_pylist()] == kept
    assert by_pages == [True]


def test_columns_of_a_table_are_found_in_the_pages_of_its_files(
    tmp_path: Path, by_pages: list[bool]
) -> None:
    rows = make_rows().drop(["few_texts", "list", "pair"])
    write_table(tmp_path / "t", rows)
    deltalake.DeltaTable(tmp_path / "t").alter.add_columns(
        [deltalake.Field("late", deltalake.schema.PrimitiveType("long"))]
    )
    snapshot = read_delta(str(tmp_path / "t"), Choice())
    (data_file,) = snapshot.files
    files_told = TableFiles(known={data_file.url: data_file})
    form = TableFormat(ParquetFormat(), snapshot.columns, files_told)
    read = read_where(data_file.url, "x == 217 and late is None", ("s", "late"), format=form)
    assert read.rows == [{"s": rows["s"][217].as_py(), "late": None}]
    assert read.numbers == [217]
    assert by_pages == [True]


def test_of_a_store_the_pages_alone_are_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by_pages: list[bool]
) -> None:
    path = write(tmp_path / "p", make_rows(2_000), row_group_size=2_000)
    url = "memory://pages/p.parquet"
    fsspec.filesystem("memory").pipe("/pages/p.parquet", path.read_bytes())
    monkeypatch.setattr("transforms.formats.parquet_given_file._NEAR_BYTES", 100)
    asked = []
    read_ranges = files.read_ranges

    def count(url: str, ranges: list[tuple[int, int]]) -> list[bytes]:
        asked.extend(ranges)
        return read_ranges(url, ranges)

    monkeypatch.setattr(files, "read_ranges", count)
    where = "x >= 1_510 and x < 1_520"
    read = read_where(url, where, ("x", "s"))
    # Before them the two indices of the filter's column, and two of the pages of both.
    fetched = asked[4:]
    assert read == read_where(path, where, ("x", "s"))
    assert all(by_pages)
    # Pages of both columns; there is no dictionary.
    assert len(fetched) == 2
    assert sum(stop - begin for begin, stop in fetched) < path.stat().st_size / 10
    fsspec.filesystem("memory").rm("/pages", recursive=True)


def test_where_pages_are_not_what_the_index_says_the_row_group_is_read_from_its_beginning(
    tmp_path: Path, by_pages: list[bool]
) -> None:
    path = write(tmp_path / "p", make_rows())
    kept = read_where(path, "few == 4", ("x",))
    # The page that begins with row 210 is said to begin one row later.
    change_index(path, PAGES, change_page(3, 3, 61))
    by_pages.clear()
    assert read_where(path, "few == 4", ("x",)) == kept
    assert by_pages == [False]


def test_a_given_file_is_read_anywhere(tmp_path: Path) -> None:
    path = tmp_path / "p"
    path.write_bytes(bytes(range(100)))
    with path.open("rb") as other:
        given = GivenFile(Source({0: other}, [0]), [Extent(10, 13), Extent(50, 52)], b"end")
        whole = b"PAR1" + bytes([10, 11, 12, 50, 51]) + b"end\x03\0\0\0PAR1"
        assert given.read(0) == b""
        assert given.read() == whole
        for place in range(len(whole) + 1):
            given.seek(place)
            assert given.read(4) == whole[place : place + 4]
        assert given.seek(-4, 2) == given.tell() == len(whole) - 4
        assert given.seek(-1, 1) == len(whole) - 5
        assert given.readable()
        assert given.seekable()
