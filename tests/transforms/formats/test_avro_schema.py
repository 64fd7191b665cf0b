"""What a schema's types are as columns, under which names they are found, and how many of them there may be."""

import json
from typing import Any

import pyarrow as pa
import pytest

from configs.errors import InputError
from transforms.formats import avro_schema
from transforms.formats.avro_schema import read_schema
from transforms.formats.avro_types import AvroField

ENUM = {"type": "enum", "name": "e", "symbols": ["A"]}
INNER = {"type": "record", "name": "p", "fields": [{"name": "x", "type": "long"}]}


def read(*types: Any, **record: Any) -> tuple[AvroField, ...]:
    fields = [{"name": f"c{number}", "type": type_} for number, type_ in enumerate(types)]
    schema = {"type": "record", "name": "r", "fields": fields, **record}
    return read_schema("/t.avro", json.dumps(schema).encode())


@pytest.mark.parametrize(
    ("type_", "arrow", "least_bytes"),
    [
        ("int", pa.int32(), 1),
        ("double", pa.float64(), 8),
        ({"type": {"type": "long"}}, pa.int64(), 1),
        (["null", "float"], pa.float32(), 1),
        (["double"], pa.float64(), 9),
        (["null"], pa.null(), 1),
        (["int", "long"], pa.int64(), 2),
        (["null", "float", "double"], pa.float64(), 1),
        (ENUM, pa.string(), 1),
        ({"type": "fixed", "name": "f", "size": 16}, pa.binary(16), 16),
        ({"type": "fixed", "name": "f", "size": 0}, pa.binary(0), 0),
        ({"type": "array", "items": "int"}, pa.list_(pa.int32()), 1),
        ({"type": "array", "items": ["null", "int"]}, pa.list_(pa.int32()), 1),
    ],
    ids=str,
)
def test_a_type_is_a_column_of_so_many_bytes_at_least(
    type_: Any, arrow: pa.DataType, least_bytes: int
) -> None:
    (field,) = read(type_)
    found = field.type
    assert (found.arrow, found.least_bytes, found.problem) == (arrow, least_bytes, "")


@pytest.mark.parametrize(
    ("type_", "problem", "least_bytes"),
    [
        (["int", "string"], "is a union of int, string", 0),
        (["int", {"type": "long", "logicalType": "timestamp-millis"}], "is a union of", 0),
        (INNER, "is a record", 1),
        ({**INNER, "fields": []}, "is a record", 0),
        ({"type": "map", "values": "int"}, "is a map", 1),
        ({"type": "array", "items": INNER}, "is an array whose item is a record", 1),
    ],
    ids=str,
)
def test_what_is_no_column_says_why(type_: Any, problem: str, least_bytes: int) -> None:
    (field,) = read(type_)
    assert field.type.problem.startswith(problem)
    assert field.type.least_bytes >= least_bytes


@pytest.mark.parametrize(
    "type_",
    [
        [],
        "nothing",
        7,
        {"type": "enum", "name": "e", "symbols": ["A", 7]},
        {"type": "enum", "name": "e"},
        {"type": "enum", "symbols": ["A"]},
        {"type": "fixed", "name": "f", "size": -1},
        {"type": "fixed", "name": "f", "size": 2**31},
        {"type": "fixed", "name": "f", "size": "16"},
        {"type": "array", "items": "null"},
        {"type": "array", "items": {**INNER, "fields": []}},
        {"type": "record", "name": "p", "fields": {}},
        {"type": "record", "name": "p", "fields": [7]},
        {"type": "record", "name": "p", "fields": [{"type": "int"}]},
        {"type": "record", "name": "r", "fields": [{"name": "x", "type": "r"}]},
    ],
    ids=str,
)
def test_what_is_no_type_is_refused(type_: Any) -> None:
    with pytest.raises(InputError, match=r"^/t\.avro: "):
        read(type_)


@pytest.mark.parametrize(
    ("own", "inside", "name"),
    [
        ({}, {}, "e"),
        ({"namespace": "n"}, {}, "e"),
        ({"namespace": "n"}, {}, "n.e"),
        ({"namespace": "n"}, {"namespace": "m"}, "m.e"),
        ({"namespace": "n"}, {"name": "m.e"}, "m.e"),
        ({"namespace": "n"}, {"name": "m.e", "namespace": "k"}, "m.e"),
        ({"namespace": "n"}, {"namespace": ""}, "e"),
        ({"name": "n.r"}, {}, "n.e"),
        ({"namespace": 7}, {}, "e"),
    ],
    ids=str,
)
def test_a_type_is_found_by_its_full_name_and_in_its_namespace(
    own: dict[str, Any], inside: dict[str, Any], name: str
) -> None:
    first, second = read({**ENUM, **inside}, name, **own)
    assert second.type == first.type


@pytest.mark.parametrize(
    ("own", "inside", "name"),
    [
        ({"namespace": "n"}, {"namespace": "m"}, "e"),
        ({"namespace": "n"}, {}, "m.e"),
        ({}, {"namespace": "n"}, "e"),
    ],
    ids=str,
)
def test_a_type_of_another_namespace_is_none(
    own: dict[str, Any], inside: dict[str, Any], name: str
) -> None:
    with pytest.raises(InputError, match="has no type"):
        read({**ENUM, **inside}, name, **own)


@pytest.mark.parametrize("levels", [31, 32])
def test_types_are_nested_32_levels_deep_at_most(levels: int) -> None:
    type_: Any = "int"
    for _ in range(levels):
        type_ = {"type": "array", "items": type_}
    if levels < 32:
        assert len(read(type_)) == 1
        return
    with pytest.raises(InputError, match="nested deeper than 32 levels"):
        read(type_)


def test_types_are_counted_wherever_they_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    # The enum, what refers to it, a list and its items.
    types = [ENUM, "e", {"type": "array", "items": "int"}]
    monkeypatch.setattr(avro_schema, "_MOST_TYPES", 5)
    assert len(read(*types)) == 3
    monkeypatch.setattr(avro_schema, "_MOST_TYPES", 4)
    with pytest.raises(InputError, match="more than 4 of them"):
        read(*types)
