"""Iceberg's types as Arrow's, and how files know a column."""

from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from transforms.lakes.iceberg_schema import find_type, list_columns, write_value


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [
        ("long", pa.int64()),
        ("timestamptz_ns", pa.timestamp("ns", "UTC")),
        ("decimal(9, 2)", pa.decimal128(9, 2)),
        ("decimal(38,0)", pa.decimal128(38, 0)),
        ("list<int>", pa.list_(pa.field("element", pa.int32()))),
        ("list<variant>", None),
        ("map<string, int>", None),
        ("uuid", None),
    ],
)
def test_types_are_arrows(kind: str, dtype: pa.DataType | None) -> None:
    assert find_type(kind) == dtype


def test_columns_are_known_by_their_numbers_and_by_the_names_that_are_mapped() -> None:
    fields: list[Any] = [
        SimpleNamespace(name="a", field_id=7, field_type="int"),
        SimpleNamespace(name="b", field_id=8, field_type="uuid"),
    ]
    first, second = list_columns(fields, {7: ["a", "old"], 9: ["other"]})
    assert (first.name, first.stored_name, first.field_id) == ("a", "a", 7)
    assert (first.type, first.kind, first.names) == (pa.int32(), "int", ("a", "old"))
    assert (second.type, second.kind, second.names) == (None, "uuid", ())
    assert not first.is_widened


@pytest.mark.parametrize(
    ("value", "dtype", "text"),
    [
        (None, pa.int64(), None),
        (True, pa.int64(), "true"),
        (False, None, "false"),
        (7, None, "7"),
        (7, pa.int64(), "7"),
        (7, pa.float64(), "7.0"),
        (0.1, None, "0.1"),
        (1, pa.date32(), "1970-01-02"),
        (1, pa.timestamp("us", "UTC"), "1970-01-01 00:00:00.000001"),
        (b"\xff", pa.binary(), "\udcff"),
    ],
)
def test_a_value_is_written_as_it_is_read(value: Any, dtype: Any, text: str | None) -> None:
    assert write_value(value, dtype) == text
