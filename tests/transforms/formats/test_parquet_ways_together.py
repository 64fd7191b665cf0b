"""Columns that were read in several ways are put together by name, and what no unit holds is null."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from transforms.formats.parquet_int96 import INT96_UNIT
from transforms.formats.parquet_ways import (
    USUAL,
    Reading,
    align,
    declare_int96,
    holds_nested_dictionary,
    list_int96,
    list_readings,
    put_together,
)

FIXED = pa.list_(pa.int8(), 1)
SCHEMA = pa.schema([("at", pa.timestamp("us")), ("x", pa.int64()), ("f", FIXED)])


@pytest.mark.parametrize(
    ("other", "answer"),
    [
        (Reading(("x",)), True),
        (Reading(("x",), unit=INT96_UNIT), True),
        (Reading(("x",), unit="ns"), False),
        (Reading(("x",), stored=True), False),
        (Reading(("x",), unit="s", stored=True), False),
    ],
)
def test_one_open_file_serves_readings_of_one_unit_and_one_schema(
    other: Reading, answer: bool
) -> None:
    assert USUAL.opens_as(other) is answer
    assert other.opens_as(USUAL) is answer


@pytest.mark.parametrize(
    ("units", "expected"),
    [
        ({}, [Reading(("at", "x")), Reading(("f",), stored=True)]),
        (
            {"at": "ns"},
            [
                Reading(("at", "x")),
                Reading(("f",), stored=True),
                Reading(("at",), "ns"),
                Reading(("at",), "s"),
            ],
        ),
        (
            {"f": "ms"},
            [
                Reading(("at", "x")),
                Reading(("f",), stored=True),
                Reading(("f",), "ms", stored=True),
                Reading(("f",), "ns", stored=True),
                Reading(("f",), "s", stored=True),
            ],
        ),
    ],
)
def test_columns_are_read_once_for_each_unit_that_tells(
    units: dict[str, str], expected: list[Reading]
) -> None:
    assert list_readings(["at", "x", "f"], SCHEMA, units) == expected


def test_one_way_without_units_gives_its_own_rows() -> None:
    rows = pa.record_batch({"x": [1, 2]})
    together = put_together({Reading(("x",)): rows}, rows.schema, {})
    assert together.rows is rows
    assert together.reasons == {}


def test_two_ways_give_columns_in_the_order_of_the_schema() -> None:
    usual = pa.record_batch({"x": [1, 2]})
    stored = pa.record_batch({"f": [[1], [2]]})
    batches = {Reading(("x",)): usual, Reading(("f",), stored=True): stored}
    schema = pa.schema([("f", pa.list_(pa.int64())), ("x", pa.int64())])
    together = put_together(batches, schema, {})
    assert together.rows.to_pydict() == {"f": [[1], [2]], "x": [1, 2]}
    assert together.reasons == {}


def moments(unit: str, *numbers: int | None) -> pa.RecordBatch:
    """Return a column of moments, by numbers of their unit."""
    return pa.record_batch({"at": pa.array(numbers, pa.int64()).cast(pa.timestamp(unit))})


def test_a_moment_that_its_unit_rounds_is_null_and_explained() -> None:
    # The second one has a nanosecond.
    batches = {
        Reading(("at",)): moments("us", 1_000_000, 1_000_000, None),
        Reading(("at",), "ns"): moments("ns", 1_000_000_000, 1_000_000_001, None),
        Reading(("at",), "s"): moments("s", 1, 1, None),
    }
    schema = pa.schema([("at", pa.timestamp("us"))])
    together = put_together(batches, schema, {"at": "us"})
    numbers = together.rows["at"].cast(pa.int64())
    assert numbers.to_pylist() == [1_000_000, None, None]
    assert list(together.reasons) == [1]
    assert "'at': an INT96 timestamp that timestamp[us] cannot hold" in str(together.reasons[1])


def test_moments_that_their_unit_holds_stay() -> None:
    batches = {
        Reading(("at",)): moments("us", 2_000_000),
        Reading(("at",), "ns"): moments("ns", 2_000_000_000),
        Reading(("at",), "s"): moments("s", 2),
    }
    schema = pa.schema([("at", pa.timestamp("us"))])
    together = put_together(batches, schema, {"at": "us"})
    assert together.rows["at"].cast(pa.int64()).to_pylist() == [2_000_000]
    assert together.reasons == {}


@pytest.mark.parametrize(
    ("dtype", "answer"),
    [
        (pa.list_(pa.dictionary(pa.int8(), pa.string())), True),
        (pa.struct([("a", pa.dictionary(pa.int8(), pa.string()))]), True),
        (pa.dictionary(pa.int8(), pa.string()), False),
        (pa.list_(pa.string()), False),
        (pa.int8(), False),
    ],
)
def test_a_dictionary_inside_a_type_is_found(dtype: pa.DataType, answer: bool) -> None:
    assert holds_nested_dictionary(dtype) is answer


def test_nested_int96_is_found_and_keeps_its_unit(tmp_path: Path) -> None:
    at = pa.array([0, 1], pa.timestamp("us"))
    lists = pa.array([[0], [1]], pa.list_(pa.timestamp("us")))
    table = pa.table({"at": at, "lists": lists, "twice": at, "x": [1, 2]})
    table = pa.table([*table.columns, at], names=[*table.column_names, "twice"])
    path = str(tmp_path / "p")
    pq.write_table(table, path, use_deprecated_int96_timestamps=True)
    with pq.ParquetFile(path, coerce_int96_timestamp_unit=INT96_UNIT) as file:
        schema, metadata = file.schema_arrow, file.metadata
    assert list_int96(path, metadata, schema) == {"at", "lists", "twice"}
    seconds = pa.timestamp("s")
    wanted = {"lists": seconds, "twice": seconds, "x": seconds, "gone": seconds}
    assert declare_int96(path, schema, metadata, wanted) == schema
    # A moment that is wanted as something else stays one.
    assert declare_int96(path, schema, metadata, {"at": pa.string()}) == schema
    declared = declare_int96(path, schema, metadata, {"at": seconds})
    # The first column, at position 0.
    assert declared.types == [seconds, *schema.types[1:]]


def test_no_stream_is_read_beyond_the_shortest() -> None:
    long = iter([pa.record_batch({"a": [1, 2]}), pa.record_batch({"a": [3]})])
    short = iter([pa.record_batch({"b": [1]}), pa.record_batch({"b": [2]})])
    pairs = [[batch.num_rows for batch in batches] for batches in align([long, short])]
    assert pairs == [[1, 1], [1, 1]]
