"""Delta's types as Arrow's, by the protocol's list, and tables that need what is not read."""

import json
from typing import Any

import pyarrow as pa
import pytest

from configs.errors import InputError
from transforms.lakes.delta_schema import list_columns, refuse_unknown_features

DEEPEST = 50


def columns_of(*fields: dict[str, Any], mapping: str | None = None) -> Any:
    metadata: dict[str, Any] = {"schemaString": json.dumps({"type": "struct", "fields": fields})}
    if mapping is not None:
        metadata["configuration"] = {"delta.columnMapping.mode": mapping}
    return list_columns("/t", metadata)


def field(kind: Any, name: str = "a", **metadata: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, "nullable": True, "metadata": metadata}


def array(element: Any) -> dict[str, Any]:
    return {"type": "array", "elementType": element, "containsNull": True}


def map_of(key: Any, value: Any) -> dict[str, Any]:
    return {"type": "map", "keyType": key, "valueType": value, "valueContainsNull": True}


def struct(*fields: dict[str, Any]) -> dict[str, Any]:
    return {"type": "struct", "fields": list(fields)}


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [
        ("long", pa.int64()),
        ("byte", pa.int8()),
        ("timestamp", pa.timestamp("us", "UTC")),
        ("decimal(10,2)", pa.decimal128(10, 2)),
        ("decimal(38, 0)", pa.decimal128(38, 0)),
        ("decimal", None),
        ("variant", None),
        (array("long"), pa.list_(pa.field("element", pa.int64()))),
        (array("variant"), None),
        (map_of("string", "long"), pa.map_(pa.string(), pa.int64())),
        (map_of("variant", "long"), None),
        (map_of("string", "variant"), None),
        (struct(field("long", "x")), pa.struct([("x", pa.int64())])),
        (struct(field("long", "x"), field("variant", "y")), None),
        ({"type": "odd"}, None),
    ],
)
def test_types_are_arrows(kind: Any, dtype: pa.DataType | None) -> None:
    (column,) = columns_of(field(kind))
    assert column.type == dtype
    assert (column.name, column.stored_name, column.field_id) == ("a", "a", None)
    if isinstance(kind, str):
        assert column.kind == kind


def nest(depth: int) -> Any:
    kind: Any = "long"
    for _ in range(depth):
        kind = array(kind)
    return kind


@pytest.mark.parametrize("wrap", [array, lambda kind: map_of("string", kind)])
def test_types_are_nested_as_deep_as_is_said(wrap: Any) -> None:
    (column,) = columns_of(field(wrap(nest(DEEPEST - 1))))
    assert column.type is not None
    with pytest.raises(InputError, match="holds no readable schema"):
        columns_of(field(wrap(nest(DEEPEST))))


def test_keys_and_parts_of_a_struct_count_as_deep() -> None:
    for wrap in (lambda kind: map_of(kind, "long"), lambda kind: struct(field(kind))):
        (column,) = columns_of(field(wrap(nest(DEEPEST - 1))))
        assert column.type is not None
        with pytest.raises(InputError, match="no readable schema"):
            columns_of(field(wrap(nest(DEEPEST))))


PHYSICAL = {"delta.columnMapping.physicalName": "col-7", "delta.columnMapping.id": 7}


@pytest.mark.parametrize(
    ("mapping", "stored", "number"),
    [(None, "a", None), ("none", "a", None), ("name", "col-7", None), ("id", "col-7", 7)],
)
def test_columns_are_found_by_the_name_or_number_of_files(
    mapping: str | None, stored: str, number: int | None
) -> None:
    (column,) = columns_of(field("long", **PHYSICAL), mapping=mapping)
    assert (column.name, column.stored_name, column.field_id) == ("a", stored, number)


@pytest.mark.parametrize(
    ("mapping", "inner", "is_read"),
    [
        (None, PHYSICAL, True),
        ("name", PHYSICAL, False),
        ("name", {"delta.columnMapping.physicalName": "x"}, True),
        ("name", {}, True),
    ],
)
@pytest.mark.parametrize("wrap", [lambda k: k, array, lambda k: map_of(k, "long"), struct])
def test_a_part_that_files_call_otherwise_is_not_taken_for_another(
    mapping: str | None, inner: dict[str, Any], is_read: bool, wrap: Any
) -> None:
    parts = struct(field("long", "x", **inner))
    kind = wrap(field(parts, "y")) if wrap is struct else wrap(parts)
    (column,) = columns_of(field(kind, **PHYSICAL), mapping=mapping)
    assert (column.type is not None) is is_read
    assert column.kind == f"a {kind['type']} that has renamed parts"


def test_what_maps_otherwise_is_refused() -> None:
    with pytest.raises(InputError, match=r"/t: maps columns by 'odd', which is not known"):
        columns_of(field("long"), mapping="odd")


@pytest.mark.parametrize(
    ("protocol", "why"),
    [
        (None, "names no protocol"),
        ({}, "asks for reader version None"),
        ({"minReaderVersion": "3"}, "asks for reader version 3 of"),
        ({"minReaderVersion": 4}, "asks for reader version 4 of Delta, and the newest .* is 3;"),
        (
            {"minReaderVersion": 3, "readerFeatures": ["z", "deletionVectors", "b"]},
            "needs what is not read here: b, z; drop",
        ),
    ],
)
def test_a_table_that_needs_more_is_refused(protocol: Any, why: str) -> None:
    with pytest.raises(InputError, match=f"^/t: .*{why}"):
        refuse_unknown_features("/t", protocol)


@pytest.mark.parametrize(
    "protocol",
    [
        {"minReaderVersion": 1},
        {"minReaderVersion": 3},
        {"minReaderVersion": 3, "readerFeatures": ["deletionVectors", "columnMapping"]},
    ],
)
def test_known_tables_are_read(protocol: Any) -> None:
    refuse_unknown_features("/t", protocol)
