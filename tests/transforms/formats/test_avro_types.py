"""Avro's types as Arrow's, at the ends of what the specification and Arrow allow."""

from typing import Any

import pyarrow as pa
import pytest

from transforms.formats.avro_types import (
    AvroField,
    AvroType,
    count_row_bytes,
    holds_items,
    make_primitive,
    read_logical,
)


def fixed(size: int) -> AvroType:
    return AvroType("fixed", {}, size, pa.binary(size))


def decimal(**told: Any) -> AvroType:
    return read_logical(make_primitive("bytes"), {"logicalType": "decimal", **told})


@pytest.mark.parametrize(
    ("told", "arrow"),
    [
        ({"precision": 1}, pa.decimal128(1, 0)),
        ({"precision": 1, "scale": 1}, pa.decimal128(1, 1)),
        ({"precision": 38, "scale": 38}, pa.decimal128(38, 38)),
        ({"precision": 39}, pa.decimal256(39, 0)),
        ({"precision": 76, "scale": 76}, pa.decimal256(76, 76)),
    ],
)
def test_decimals_have_1_to_76_digits(told: dict[str, int], arrow: pa.DataType) -> None:
    found = decimal(**told)
    assert (found.arrow, found.conversion, found.problem) == (arrow, "decimal", "")


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"precision": 0},
        {"precision": 77},
        {"precision": 5, "scale": 6},
        {"precision": 5, "scale": -1},
        {"precision": "5"},
        {"precision": 5, "scale": "0"},
    ],
)
def test_what_is_no_decimal_is_no_column(told: dict[str, Any]) -> None:
    found = decimal(**told)
    assert found.arrow == pa.null()
    assert "a precision of 1 to 76 digits" in found.problem


def test_of_other_types_decimal_says_nothing() -> None:
    plain = make_primitive("long")
    assert read_logical(plain, {"logicalType": "decimal", "precision": 5}) == plain
    assert read_logical(fixed(4), {"logicalType": "decimal", "precision": 5}).problem == ""


@pytest.mark.parametrize(("size", "is_uuid"), [(15, False), (16, True), (17, False)])
def test_a_uuid_has_16_bytes(size: int, is_uuid: bool) -> None:
    found = read_logical(fixed(size), {"logicalType": "uuid"})
    assert (found.arrow == pa.string()) is is_uuid
    assert (found.conversion == "uuid") is is_uuid


def test_a_duration_is_no_column_and_an_unknown_word_says_nothing() -> None:
    assert "is a duration" in read_logical(fixed(12), {"logicalType": "duration"}).problem
    plain = make_primitive("int")
    assert read_logical(plain, {"logicalType": "timestamp-millis"}) == plain
    assert read_logical(plain, {}) == plain


@pytest.mark.parametrize(
    ("names", "least_bytes"),
    [
        ([], 1),
        (["null"], 1),
        (["null", "boolean"], 1),
        (["int", "long", "string", "bytes"], 4),
        (["float", "double"], 12),
    ],
)
def test_a_row_takes_a_byte_at_least(names: list[str], least_bytes: int) -> None:
    fields = [AvroField(name, make_primitive(name)) for name in names]
    assert count_row_bytes(fields) == least_bytes


RECORD = {"type": "record", "name": "r", "fields": [{"name": "a", "type": "long"}]}
ARRAY = {"type": "array", "items": "long"}


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("long", False),
        (["null", "long"], False),
        (RECORD, False),
        ({"type": "fixed", "size": 4}, False),
        (ARRAY, True),
        ({"type": "map", "values": "long"}, True),
        (["null", ARRAY], True),
        ({**RECORD, "fields": [*RECORD["fields"], {"name": "b", "type": ARRAY}]}, True),
    ],
)
def test_values_that_hold_any_number_of_others(raw: Any, expected: bool) -> None:
    assert holds_items(raw) is expected


@pytest.mark.parametrize(
    ("name", "raw", "conversion"),
    [("string", "bytes", "text"), ("bytes", "bytes", "plain"), ("long", "long", "plain")],
)
def test_a_text_is_decoded_later(name: str, raw: str, conversion: str) -> None:
    made = make_primitive(name)
    assert (made.raw, made.conversion) == (raw, conversion)
