"""Whatever stands in the schema of an Avro file, in any place, it is read or refused in one line."""

import json
from typing import Any

import pytest

from configs.errors import InputError
from tests.support.odd_values import ODD, list_places, spoil
from transforms.formats.avro_rows import Decoder
from transforms.formats.avro_schema import read_schema
from transforms.formats.avro_types import make_schema

DECIMAL = {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}
SCHEMA = {
    "type": "record",
    "name": "r",
    "namespace": "n",
    "fields": [
        {"name": "id", "type": "long"},
        {"name": "day", "type": ["null", {"type": "int", "logicalType": "date"}]},
        {"name": "sign", "type": {"type": "enum", "name": "e", "symbols": ["A", "B"]}},
        {"name": "same", "type": "n.e"},
        {"name": "price", "type": DECIMAL},
        {"name": "hash", "type": {"type": "fixed", "name": "f", "size": 16}},
        {"name": "items", "type": {"type": "array", "items": "int"}},
        {"name": "lists", "type": {"type": "array", "items": {"type": "array", "items": "int"}}},
        {"name": "both", "type": ["int", "long"]},
        {"name": "words", "type": {"type": "map", "values": "string"}},
        {"name": "part", "type": {"type": "record", "name": "p", "fields": []}},
    ],
}


def read(schema: Any) -> str:
    """Return what a schema is, or how it is refused."""
    try:
        fields = read_schema("/t.avro", json.dumps(schema).encode())
    except InputError as error:
        lines = str(error).splitlines()
        return "refused" if len(lines) == 1 else "told in several lines"
    make_schema(fields)
    Decoder(fields, [field.name for field in fields if not field.type.problem])
    return "read"


def test_a_schema_that_is_whole_is_read() -> None:
    assert read(SCHEMA) == "read"


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: repr(odd)[:12])
def test_an_odd_value_anywhere_is_read_or_refused(odd: Any) -> None:
    outcomes = {read(spoil(SCHEMA, place, odd)) for place in list_places(SCHEMA)}
    assert "refused" in outcomes
    assert outcomes <= {"read", "refused"}


@pytest.mark.parametrize("half", ["\ud800", "a\udfff"])
def test_halves_of_letters_are_no_names_and_no_symbols(half: str) -> None:
    for place in (("fields", 0, "name"), ("fields", 2, "type", "symbols", 0)):
        assert read(spoil(SCHEMA, place, half)) == "refused"
