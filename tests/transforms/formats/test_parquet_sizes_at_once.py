"""How many rows are read at once, to the byte, by what a footer says and a dictionary holds."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from transforms.formats.parquet_sizes import _find_longest, find_rows_at_once

ROWS = 600
# What a list, or a text, may be larger than the mean of its row group.
SKEW = 8
# What a list, or a text, takes beside its values.
OFFSET = 8
LONG = "y" * 5_000
PLAIN = {"use_dictionary": False}
DIFFERENCES = {"use_dictionary": False, "column_encoding": {"s": "DELTA_BYTE_ARRAY"}}


def write(path: Path, values: Any, **options: Any) -> Path:
    """Write a file of one column."""
    pq.write_table(pa.table({"s": values}), path, **options)
    return path


def find(
    path: Path, rows: int, most_bytes: int, groups: tuple[int, ...] = (0,), url: str = ""
) -> int:
    """Return how many rows of a file's only column are read at once."""
    with pq.ParquetFile(path) as file:
        return find_rows_at_once(url or str(path), file, groups, ["s"], rows, most_bytes)


@pytest.mark.parametrize(
    ("rows", "most_bytes", "expected"),
    [
        (64, 512, 64),
        (64, 511, 32),
        (64, 16, 2),
        (64, 15, 1),
        # One row is read, whatever it takes.
        (64, 0, 1),
        (1, 0, 1),
        (100, 25 * 8, 25),
        (100, 25 * 8 - 1, 12),
    ],
)
def test_numbers_are_read_in_halves_of_a_batch(
    rows: int, most_bytes: int, expected: int, tmp_path: Path
) -> None:
    path = write(tmp_path / "p", pa.array([0.5] * ROWS))
    assert find(path, rows, most_bytes) == expected


def check_edge(path: Path, rows: int, fitting_bytes: int, **more: Any) -> None:
    """Check that all of so many rows fit into these bytes, and into no fewer."""
    assert find(path, rows, fitting_bytes, **more) == rows
    assert find(path, rows, fitting_bytes - 1, **more) < rows


def test_lists_may_be_eight_times_their_mean_and_no_more_than_all_of_them(tmp_path: Path) -> None:
    path = write(tmp_path / "p", pa.array([[0.5] * 250] * ROWS))
    number_bytes = 8 + OFFSET
    check_edge(path, 64, 64 * 250 * SKEW * number_bytes)
    check_edge(path, ROWS, ROWS * 250 * number_bytes)
    parts = write(tmp_path / "parts", pa.array([[0.5] * 250] * ROWS), row_group_size=200)
    check_edge(parts, ROWS, ROWS * 250 * number_bytes, groups=(0, 1, 2))
    check_edge(parts, ROWS, 200 * 250 * number_bytes, groups=(1,))


def test_lists_of_one_value_are_as_numbers_are(tmp_path: Path) -> None:
    path = write(tmp_path / "p", pa.array([[0.5]] * ROWS))
    check_edge(path, 64, 64 * (8 + OFFSET))


def test_one_list_of_two_values_makes_all_lists_longer(tmp_path: Path) -> None:
    path = write(tmp_path / "p", pa.array([[0.5, 0.5], *[[0.5]] * (ROWS - 1)]))
    check_edge(path, 16, 16 * 2 * SKEW * (8 + OFFSET))


@pytest.mark.parametrize("texts", [["ten letter"] * ROWS, ["a", "b" * 200] * (ROWS // 2)])
def test_plain_texts_may_be_eight_times_their_mean(texts: list[str], tmp_path: Path) -> None:
    path = write(tmp_path / "p", texts, **PLAIN)
    chunk = pq.read_metadata(path).row_group(0).column(0)
    plain_bytes = chunk.total_uncompressed_size + ROWS * OFFSET
    mean_bytes = -(-plain_bytes // ROWS)
    check_edge(path, 64, 64 * SKEW * mean_bytes)
    check_edge(path, ROWS, plain_bytes)


def test_of_what_differs_from_the_value_before_64_rows_are_read(tmp_path: Path) -> None:
    path = write(tmp_path / "p", ["a"] * ROWS, **DIFFERENCES)
    check_edge(path, 64, 64 << 20)
    # In no row group is it known how many bytes all of them are.
    parts = write(tmp_path / "parts", ["a"] * ROWS, row_group_size=200, **DIFFERENCES)
    check_edge(parts, 128, 128 << 20, groups=(0, 1, 2))


def test_the_longest_value_of_a_dictionary_may_be_in_every_row(tmp_path: Path) -> None:
    path = write(tmp_path / "p", [LONG, *["a"] * (ROWS - 1)])
    check_edge(path, 32, 32 * (len(LONG) + OFFSET))
    assert find(path, 64, 32 * (len(LONG) + OFFSET)) == 32
    assert find(path, 64, 32 * (len(LONG) + OFFSET) - 1) == 16


def test_no_dictionary_is_read_where_one_value_of_all_its_bytes_would_fit(tmp_path: Path) -> None:
    path = write(tmp_path / "p", ["a", "b"] * (ROWS // 2))
    # There is nothing to be read under that name.
    assert find(path, 64, 1 << 20, url=str(tmp_path / "nowhere")) == 64
    with pytest.raises(FileNotFoundError):
        find(path, 64, 1, url=str(tmp_path / "nowhere"))


@pytest.mark.parametrize(
    ("groups", "longest"),
    [((0, 1, 2), 9), ((0,), 5), ((2,), 7), ((0, 2), 7), ((1, 2), 9), ((3,), 0), ((), 0)],
)
def test_the_longest_value_is_that_of_the_row_groups_that_are_read(
    groups: tuple[int, ...], longest: int, tmp_path: Path
) -> None:
    texts = ["a" * 5, "a", None, "b" * 9, "c" * 7, "", "", ""]
    path = write(tmp_path / "p", texts, row_group_size=2)
    metadata = pq.read_metadata(path)
    assert _find_longest(str(path), metadata, groups, [0]) == {0: longest}


def test_of_numbers_and_plain_texts_no_dictionary_is_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "p"
    rows = pa.table({"s": ["a" * 9] * 4, "number": [1] * 4, "text": ["b" * 5] * 4})
    pq.write_table(rows, path, use_dictionary=["number", "text"])
    found = _find_longest(str(path), pq.read_metadata(path), (0,), [0, 1, 2])
    assert found == {0: 0, 1: 0, 2: 5}
