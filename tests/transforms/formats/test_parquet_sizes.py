"""Texts that an encoding makes small in the file: no more of them are read at once than fit into the memory."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.builders import unit_of
from tests.support.sizes import count_letters, count_numbers
from transforms.batches import RowRecord
from transforms.formats import parquet, parquet_batches
from transforms.formats.parquet import ParquetFormat
from transforms.formats.parquet_sizes import find_rows_of_leaves, gather_batches
from transforms.row_sizes import count_decoded_bytes

ROWS = 600
MOST_BYTES = 200_000
LONG = "y" * 10_000
PREFIXED = [LONG + str(number % 7) for number in range(ROWS)]
ENCODED = {"use_dictionary": True}
PLAIN = {"use_dictionary": False}
DIFFERENCES = {"use_dictionary": False, "column_encoding": {"s": "DELTA_BYTE_ARRAY"}}


def short_then_long() -> list[str]:
    """Return texts of a few letters, with long ones at the end of each row group."""
    return ["a", "bc", "def"] * 150 + [LONG] * 150


def many_then_plain() -> list[str]:
    """Return long texts that are few, and then more short ones than a dictionary holds."""
    return [LONG] * 300 + [f"text {number}" for number in range(300)]


COLUMNS: dict[str, tuple[Callable[[], pa.Array], dict[str, Any]]] = {
    "one value": (lambda: pa.array([LONG] * ROWS), ENCODED),
    "missing first": (lambda: pa.array([None] * 250 + [LONG] * 350), ENCODED),
    "short then long": (lambda: pa.array(short_then_long()), ENCODED),
    "dictionary, then plain": (
        lambda: pa.array(many_then_plain()),
        {**ENCODED, "dictionary_pagesize_limit": 12_000},
    ),
    "differences": (lambda: pa.array(PREFIXED), DIFFERENCES),
    "plain": (lambda: pa.array(PREFIXED), PLAIN),
    "bytes": (lambda: pa.array([LONG.encode()] * ROWS), ENCODED),
    "large": (lambda: pa.array([LONG] * ROWS, pa.large_string()), ENCODED),
    "views": (lambda: pa.array([LONG] * ROWS, pa.string_view()), ENCODED),
    "dictionary": (lambda: pa.array([LONG] * ROWS).dictionary_encode(), ENCODED),
    "lists": (lambda: pa.array([[LONG, LONG], []] * 300), ENCODED),
    "structs": (lambda: pa.array([{"a": 1, "b": LONG}] * ROWS), ENCODED),
    "maps": (
        lambda: pa.array([[("k", LONG)]] * ROWS, pa.map_(pa.string(), pa.string())),
        ENCODED,
    ),
    "numbers in lists": (lambda: pa.array([[0.5] * 250] * ROWS), ENCODED),
    "lists of a fixed size": (
        lambda: pa.array([[0.5] * 250] * ROWS, pa.list_(pa.float64(), 250)),
        ENCODED,
    ),
}


@pytest.mark.parametrize("name", COLUMNS)
@pytest.mark.parametrize("group_rows", [ROWS, 250, 10])
def test_what_travels_is_bounded_however_it_is_encoded(
    name: str, group_rows: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, options = COLUMNS[name]
    rows = pa.table({"id": np.arange(ROWS), "s": make()})
    path = tmp_path / "p.parquet"
    pq.write_table(rows, path, row_group_size=group_rows, **options)
    groups = pq.read_metadata(path).num_row_groups
    monkeypatch.setattr(parquet, "_BATCH_BYTES", MOST_BYTES)
    read_at_once = watch_reads(monkeypatch)
    unit = unit_of(path, ROWS, span=(0, groups))
    schema = pq.read_schema(path)
    batches = list(ParquetFormat().read(unit, schema, ROWS, RowRecord()))

    values = [value for batch in batches for value in batch.rows.column("s").to_pylist()]
    assert values == rows.column("s").to_pylist()
    sizes = [count_letters(value) + 8 * count_numbers(value) for value in values]
    stops = np.cumsum([len(batch) for batch in batches]).tolist()
    starts = [0, *stops[:-1]]
    for start, stop in zip(starts, stops, strict=True):
        assert stop - start == 1 or sum(sizes[start:stop]) <= MOST_BYTES
    # No smaller than they need be: two neighbours would be too large, or end a row group.
    assert len(batches) <= 2 * groups + 2 * sum(sizes) // MOST_BYTES + 64
    # And not larger before they were cut; where nobody knows, 64 rows are read.
    mean_bytes = sum(sizes) // ROWS
    assert max(read_at_once) <= max(2 * MOST_BYTES // mean_bytes, 64)


def watch_reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Note of how many rows every read was that follows."""
    asked: list[int] = []
    original = parquet_batches.iterate_batches

    def note(file: Any, unit: Any, names: Any, rows_at_once: int) -> Any:
        asked.append(rows_at_once)
        return original(file, unit, names, rows_at_once)

    monkeypatch.setattr(parquet_batches, "iterate_batches", note)
    return asked


def test_short_texts_in_dictionaries_travel_as_the_plan_says(tmp_path: Path) -> None:
    """They are the usual case: read as they are, in one piece, and not put together."""
    texts = [f"country {number % 200}" for number in range(150_000)]
    rows = pa.table({"id": np.arange(150_000), "s": texts})
    path = tmp_path / "p.parquet"
    pq.write_table(rows, path)
    unit = unit_of(path, 150_000, span=(0, 1))
    batches = list(ParquetFormat().read(unit, rows.schema, 1 << 16, RowRecord()))
    assert [len(batch) for batch in batches] == [65_536, 65_536, 18_928]


def test_batches_that_were_read_in_steps_are_as_large_as_the_plan_says(tmp_path: Path) -> None:
    """A dictionary with one long text among short ones: 1,000 rows of it would be 100 MB, and are not."""
    texts = ["z" * 100_000] + [f"short {number % 50}" for number in range(99_999)]
    rows = pa.table({"id": np.arange(100_000), "s": texts})
    path = tmp_path / "p.parquet"
    pq.write_table(rows, path)
    unit = unit_of(path, 100_000, span=(0, 1))
    batches = list(ParquetFormat().read(unit, rows.schema, 30_000, RowRecord()))
    assert [len(batch) for batch in batches] == [30_000, 30_000, 30_000, 10_000]
    assert pa.Table.from_batches([batch.rows for batch in batches]).equals(rows)


@pytest.mark.parametrize(
    ("spare_bytes", "rows_per_batch", "sizes"),
    [
        # As many bytes as there may be are not too many.
        (0, 100, [8, 8]),
        (-1, 100, [4, 4, 4, 4]),
        (0, 8, [8, 8]),
        (0, 6, [6, 6, 4]),
        (1_000, 16, [16]),
        (1_000, 15, [15, 1]),
    ],
)
def test_what_was_read_in_small_steps_is_gathered(
    spare_bytes: int, rows_per_batch: int, sizes: list[int]
) -> None:
    rows = pa.record_batch({"a": range(16)})
    steps = [rows.slice(first, 4) for first in range(0, 16, 4)]
    most_bytes = sum(map(count_decoded_bytes, steps[:2])) + spare_bytes
    batches = list(gather_batches(iter(steps), rows_per_batch, most_bytes))
    assert [batch.num_rows for batch in batches] == sizes
    assert pa.Table.from_batches(batches)["a"].to_pylist() == list(range(16))


def test_rows_of_leaves_are_as_many_as_those_that_are_read_allow(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    wide = ["x" * 1_000] * 100
    structs = pa.StructArray.from_arrays([pa.array(range(100)), pa.array(wide)], ["n", "t"])
    # Each text by itself, and not once in a dictionary.
    pq.write_table(pa.table({"s": structs}), path, use_dictionary=False)
    with pq.ParquetFile(path) as file:
        narrow, both = (
            find_rows_of_leaves(str(path), file, paths, 100, 20_000)
            for paths in ({"s.n"}, {"s.n", "s.t"})
        )
    assert narrow == 100
    assert 0 < both < 25
