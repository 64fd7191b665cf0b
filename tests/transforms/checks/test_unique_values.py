"""Repeated values, against Python's own sets: of every type, in any cut, and range by range."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from functools import reduce
from pathlib import Path
import tracemalloc
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from transforms.checks import unique_values
from transforms.checks.column_check import ColumnCheck
from transforms.checks.unique_values import UniqueValues
from transforms.checks.value_digests import digest_values

CHECK = ColumnCheck("c", "unique", True, "hold")
UNIQUE = UniqueValues(CHECK, 0)
RANDOM = np.random.default_rng(3)
COLUMNS: dict[str, pa.Array] = {
    "int64": pa.array([1, -1, 1, None, 2**63 - 1, None]),
    "uint64": pa.array([2**64 - 1, 1, 2**64 - 1], pa.uint64()),
    "int8": pa.array([-1, 1, -1, 0], pa.int8()),
    "float": pa.array([0.0, -0.0, 1.5, 1.25], pa.float32()),
    "half": pa.array([0.5, 0.5, 1.0], pa.float16()),
    "date": pa.array([date(2026, 1, 1), date(2026, 1, 2), date(2026, 1, 1)]),
    "moment": pa.array([1, 2, 2, None], pa.timestamp("ns", tz="UTC")),
    "boolean": pa.array([True, False, True]),
    "text": pa.array(["a", "b", "", None, "a", ""]),
    "coded": pa.array(["a", "b", "a"]).dictionary_encode(),
    "view": pa.array(["a", "b", "a"]).cast(pa.string_view()),
    "bytes": pa.array([b"\xff", b"\xfe", b"\xff"]),
    "decimal": pa.array([Decimal("1.10"), Decimal("1.20"), Decimal("1.10")]),
}


def write(folder: Path, name: str, state: Any) -> str:
    table = UNIQUE.write(state)
    path = folder / f"{name}.parquet"
    with pq.ParquetWriter(path, table.schema) as writer:
        for chunk in table.to_batches():
            writer.write_batch(chunk)
    return str(path)


def told(urls: list[str]) -> tuple[int, int]:
    (record,) = UNIQUE.merge_stored(urls).to_pylist()
    assert (record["column"], record["rule"]) == ("c", "unique")
    return record["rows"], record["repeated"]


@pytest.mark.parametrize("name", COLUMNS)
def test_repeated_values_are_those_of_a_set(name: str, tmp_path: Path) -> None:
    column = COLUMNS[name]
    values = [value for value in column.to_pylist() if value is not None]
    pieces = [UNIQUE.of("input", {"c": column.slice(first, 2)}) for first in range(0, 6, 2)]
    urls = [write(tmp_path, str(number), piece) for number, piece in enumerate(pieces)]
    assert told(urls) == (len(values), len(values) - len(set(values)))
    assert told([write(tmp_path, "whole", reduce(UNIQUE.merge, pieces))]) == told(urls)


@pytest.mark.parametrize("at_once", [1 << 21, 5_000, 300])
def test_ranges_of_files_find_what_all_together_hold(
    at_once: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unique_values, "_AT_ONCE", at_once)
    monkeypatch.setattr(unique_values, "_GROUP_ROWS", 64)
    values = RANDOM.integers(0, 5_000, 3_000)
    texts = pa.array(values).cast(pa.string())
    for column in (pa.array(values), texts):
        pieces = [
            UNIQUE.of("input", {"c": column.slice(first, 700)}) for first in range(0, 3_000, 700)
        ]
        urls = [write(tmp_path, str(number), piece) for number, piece in enumerate(pieces)]
        assert pq.ParquetFile(urls[0]).num_row_groups == 11
        assert told(urls) == (3_000, 3_000 - len(set(values.tolist())))
        assert told(urls[::-1]) == told(urls)


def test_no_more_than_a_range_is_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unique_values, "_AT_ONCE", 2_000)
    monkeypatch.setattr(unique_values, "_GROUP_ROWS", 256)
    count = 40_000
    values = pa.array(np.arange(count))
    pieces = [
        UNIQUE.of("input", {"c": values.slice(first, 10_000)}) for first in range(0, count, 10_000)
    ]
    urls = [write(tmp_path, str(number), piece) for number, piece in enumerate(pieces)]
    tracemalloc.start()
    try:
        assert told(urls) == (count, 0)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # All digests alone would be twice as many bytes.
    assert peak < count * 16 // 2


def test_no_values_are_all_different(tmp_path: Path) -> None:
    nothing = UNIQUE.of("score", {})
    assert told([write(tmp_path, "nothing", nothing)]) == (0, 0)
    assert told([]) == (0, 0)


def test_a_unit_of_which_no_row_could_be_read_has_no_value(tmp_path: Path) -> None:
    """Its file has a row group without rows, of which Parquet keeps no least and largest digest."""
    some = write(tmp_path, "some", UNIQUE.of("input", {"c": pa.array([1, 2, 1])}))
    none = tmp_path / "none.parquet"
    pq.write_table(UNIQUE.write(()), none)
    assert pq.read_metadata(none).num_row_groups == 1
    assert told([some, str(none)]) == (3, 1)


def test_the_order_of_batches_changes_no_byte(tmp_path: Path) -> None:
    pieces = [UNIQUE.of("input", {"c": COLUMNS["text"].slice(first, 2)}) for first in (0, 2, 4)]
    whole = UNIQUE.write(reduce(UNIQUE.merge, pieces))
    assert UNIQUE.write(reduce(UNIQUE.merge, pieces[::-1])).equals(whole)
    again = UNIQUE.read(whole)
    assert UNIQUE.write(again).equals(whole)
    with pytest.raises(ValueError, match="other columns"):
        UNIQUE.read(pa.table({"a": [1]}))


@pytest.mark.parametrize("make", [lambda: pa.array([[1]]), lambda: pa.array([{"a": 1}])])
def test_lists_and_structs_are_refused(make: Callable[[], pa.Array]) -> None:
    with pytest.raises(pa.ArrowNotImplementedError, match="cannot be compared"):
        digest_values(make())


def test_digests_lie_evenly() -> None:
    digests = digest_values(pa.array(np.arange(64_000)))
    counts = np.bincount((digests[:, 0] >> np.uint64(58)).astype(np.int64))
    assert len(counts) == 64
    assert counts.min() > 800


@pytest.mark.parametrize(
    ("least", "most", "overlaps"),
    [(0, 9, False), (0, 10, True), (10, 10, True), (15, 17, True), (20, 30, True), (21, 30, False)],
)
def test_row_groups_are_read_whose_digests_are_between_both_ends(
    least: int, most: int, overlaps: bool, tmp_path: Path
) -> None:
    digests = np.array([[least, 0], [most, 0]], np.uint64)
    url = write(tmp_path, "a", [digests])
    group = pq.read_metadata(url).row_group(0)
    assert unique_values._overlaps(group, 10, 20) is overlaps
