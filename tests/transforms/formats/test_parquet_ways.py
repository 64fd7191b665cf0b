"""INT96 in several units against whole numbers of Python, and streams of one file that end their batches elsewhere."""

from collections.abc import Iterator
import io
from pathlib import Path
import time

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.builders import unit_of
from transforms.batches import RowRecord
from transforms.formats.parquet import ParquetFormat
from transforms.formats.parquet_int96 import INT96_UNIT, find_inexact
from transforms.formats.parquet_ways import (
    USUAL,
    Reading,
    align,
    declare_int96,
    list_int96,
    list_readings,
    open_for,
)
from transforms.logical_types import blank_out

PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def wrapped(number: int) -> int:
    """What is left of a number in 64 bits."""
    return (number + 2**63) % 2**64 - 2**63


def as_arrow_reads(moments: list[int | None], unit: str) -> pa.Array:
    """Nanoseconds of any size in a unit, rounded down and wrapped as Arrow does."""
    step = 10**9 // PER_SECOND[unit]
    numbers = [None if moment is None else wrapped(moment // step) for moment in moments]
    return pa.array(numbers, pa.int64()).cast(pa.timestamp(unit))


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_what_a_unit_does_not_hold_is_found(unit: str) -> None:
    """Julian days of 32 bits reach eleven million years."""
    rng = np.random.default_rng(1)
    days = rng.integers(-2_440_588, 2**32 - 2_440_588, 500).tolist()
    fractions = rng.integers(0, 86_400 * 10**9, 500).tolist()
    moments = [day * 86_400 * 10**9 + rest for day, rest in zip(days, fractions, strict=True)]
    rounded = [
        m // 10**power * 10**power for m, power in zip(moments, [0, 3, 6, 9] * 125, strict=True)
    ]
    edges = [sign * 2**63 + near for sign in (-1, 1) for near in (-1000, -1, 0, 1, 1000)]
    near_now = [10**9 * second for second in range(-2, 3)] + [1, -1, 1_000, 1_000_000, None]
    every = [*rounded, *edges, *near_now]
    readings = [as_arrow_reads(every, u) for u in (unit, "ns", "s")]
    step = 10**9 // PER_SECOND[unit]
    expected = [
        row
        for row, moment in enumerate(every)
        if moment is not None and (moment % step or not -(2**63) <= moment // step < 2**63)
    ]
    assert find_inexact(unit, *readings).tolist() == expected


def test_the_row_of_a_nested_value_is_found() -> None:
    def nest(unit: str) -> pa.Array:
        flat = as_arrow_reads([0, 1, 1_000, None, 1], unit)
        lists = pa.ListArray.from_arrays(pa.array([0, 2, None, 3, 5], pa.int32()), flat)
        maps = pa.MapArray.from_arrays(
            pa.array([0, 1, 2, 3, 4], pa.int32()), pa.array(list("abcd")), lists
        )
        usual = pa.array([1, 2, 3, 4], pa.timestamp("us"))
        return pa.StructArray.from_arrays([maps, usual], ["m", "t"])

    found = find_inexact("us", nest("us"), nest("ns"), nest("s"))
    assert found.tolist() == [0, 3]
    blank = blank_out(nest("us"), found)
    assert [value is None for value in blank.to_pylist()] == [True, False, False, True]


def test_only_int96_is_read_more_than_once(tmp_path: Path) -> None:
    at = pa.array([0, 1], pa.timestamp("us"))
    fixed = pa.array([[1], [2]], pa.list_(pa.int8(), 1))
    table = pa.table({"at": at, "x": [1, 2], "f": fixed})
    paths = {}
    for name, is_int96 in {"old": True, "new": False}.items():
        paths[name] = tmp_path / name
        pq.write_table(table, paths[name], use_deprecated_int96_timestamps=is_int96)
    found = {}
    for name, path in paths.items():
        with pq.ParquetFile(path, coerce_int96_timestamp_unit=INT96_UNIT) as file:
            found[name] = list_int96(str(path), file.metadata, file.schema_arrow)
            schema = file.schema_arrow
    assert found == {"old": {"at"}, "new": set()}
    assert list_readings(["at", "x"], schema, {}) == [Reading(("at", "x"))]
    assert list_readings(["at", "x", "f"], schema, {"at": "us"}) == [
        Reading(("at", "x")),
        Reading(("f",), stored=True),
        Reading(("at",), "ns"),
        Reading(("at",), "s"),
    ]
    assert USUAL.opens_as(Reading(("x",)))
    assert not USUAL.opens_as(Reading(("x",), stored=True))


def test_int96_columns_are_declared_in_their_units_wherever_they_stand(tmp_path: Path) -> None:
    moment = pa.array([0, 10**9], pa.timestamp("ns"))
    table = pa.table({"first": moment, "id": [1, 2], "last": moment, "free": moment})
    path = tmp_path / "a.parquet"
    pq.write_table(table, path, use_deprecated_int96_timestamps=True)
    with pq.ParquetFile(path, coerce_int96_timestamp_unit=INT96_UNIT) as file:
        schema, metadata = file.schema_arrow, file.metadata
    stated = {"first": pa.timestamp("s"), "last": pa.timestamp("ms", "UTC"), "free": None}
    declared = declare_int96(str(path), schema, metadata, {**stated, "id": pa.timestamp("s")})
    assert dict(zip(declared.names, declared.types, strict=True)) == {
        "first": pa.timestamp("s"),
        "id": pa.int64(),
        "last": pa.timestamp("ms"),
        "free": pa.timestamp(INT96_UNIT),
    }


def test_streams_are_aligned_whatever_their_batches() -> None:
    def stream(name: str, sizes: list[int]) -> Iterator[pa.RecordBatch]:
        start = 0
        for size in sizes:
            yield pa.record_batch({name: pa.array(range(start, start + size), pa.int64())})
            start += size

    streams = [stream("a", [3, 0, 4, 3]), stream("b", [10]), stream("c", [1, 9])]
    pairs = list(align(streams))
    assert all(len({batch.num_rows for batch in batches}) == 1 for batches in pairs)
    for number in range(3):
        values = [v for batches in pairs for v in batches[number].column(0).to_pylist()]
        assert values == list(range(10))


def test_pyarrow_still_wraps_int96_in_silence() -> None:
    """The reason for all of this; once it does not, it can go."""
    sink = io.BytesIO()
    far = pa.table({"t": pa.array([253_402_214_400_000_000], pa.timestamp("us"))})
    pq.write_table(far, sink, use_deprecated_int96_timestamps=True)
    (found,) = pq.read_table(sink)["t"].cast(pa.int64()).to_pylist()
    assert found == wrapped(253_402_214_400 * 10**9) < 0


def test_a_wide_file_is_read_in_linear_time(tmp_path: Path) -> None:
    """A file's schema is made anew whenever it is asked for: once for each of 4,000 columns takes minutes."""
    path = tmp_path / "in.parquet"
    wide = {f"column {number}": pa.array([0.5], pa.float32()) for number in range(4_000)}
    pq.write_table(pa.table(wide), path)
    schema = pa.schema([(name, pa.float32()) for name in wide])
    began = time.process_time()
    (batch,) = ParquetFormat().read(unit_of(path, 1), schema, 10, RowRecord())
    assert time.process_time() - began < 15
    assert batch.rows.schema.names == list(wide)


@pytest.mark.parametrize("stored", [True, False])
def test_files_of_a_store_are_opened_by_the_stores_own_client(stored: bool, tmp_path: Path) -> None:
    """Arrow has clients of its own for some stores, which know nothing of the job's."""
    table = pa.table({"a": pa.array([[1, 2], [3, 4]], pa.list_(pa.int64(), 2))})
    url = "memory://opened/a.parquet"
    with fsspec.open(url, "wb") as file:
        pq.write_table(table, file)
    pq.write_table(table, tmp_path / "a.parquet")
    reading = Reading(("a",), stored=stored)
    for place in (url, str(tmp_path / "a.parquet")):
        with open_for(place, reading) as opened:
            assert opened.read()["a"].to_pylist() == [[1, 2], [3, 4]]
