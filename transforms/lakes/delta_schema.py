"""A Delta table's columns, and which features of its protocol are read."""

from collections.abc import Sequence
import json
import re
from typing import Any

import pyarrow as pa
from pyarrow import DataType

from configs.errors import InputError
from transforms.lakes.counts import read_count
from transforms.lakes.delta_actions import Action
from transforms.lakes.snapshot import TableColumn

# What a reader must know of; those of types count where such a column is wanted.
READ_FEATURES = frozenset(
    {
        "columnMapping",
        "deletionVectors",
        "timestampNtz",
        "typeWidening",
        "typeWidening-preview",
        "v2Checkpoint",
        "vacuumProtocolCheck",
        "variantType",
        "variantType-preview",
        "variantShredding",
        "variantShredding-preview",
    }
)
_NEWEST_READER = 3
_PLAIN = {
    "string": pa.string(),
    "long": pa.int64(),
    "integer": pa.int32(),
    "short": pa.int16(),
    "byte": pa.int8(),
    "float": pa.float32(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "binary": pa.binary(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "timestamp_ntz": pa.timestamp("us"),
}
_DECIMAL = re.compile(r"decimal\((\d{1,2}),\s*(\d{1,2})\)")
# Types within types are read by calls within calls.
_DEEPEST = 50
_MAPPING = "delta.columnMapping.mode"
_PHYSICAL_NAME = "delta.columnMapping.physicalName"
_NUMBER = "delta.columnMapping.id"
_WIDENED = "delta.typeChanges"


def refuse_unknown_features(url: str, protocol: Action | None) -> None:
    """Refuse a table that asks a reader for what is not known here.

    Args:
        url: the table.
        protocol: its newest action of that kind.

    Raises:
        InputError: all that is unknown.
    """
    if protocol is None:
        raise InputError(f"{url}: its log names no protocol; restore the log")
    reader = protocol.get("minReaderVersion")
    if not isinstance(reader, int) or reader > _NEWEST_READER:
        raise InputError(
            f"{url}: asks for reader version {reader} of Delta, and the newest that is known here "
            f"is {_NEWEST_READER}; write its rows as Parquet, and score those"
        )
    features = protocol.get("readerFeatures") or []
    if not isinstance(features, list):
        raise InputError(f"{url}: its log holds no readable protocol; restore the log")
    needed = {str(name) for name in features}
    unknown = sorted(needed - READ_FEATURES)
    if unknown:
        names = ", ".join(unknown)
        raise InputError(
            f"{url}: needs what is not read here: {names}; drop it from the table "
            "(ALTER TABLE ... DROP FEATURE), or write its rows as Parquet, and score those"
        )


def list_columns(url: str, metadata: Action) -> tuple[TableColumn, ...]:
    """Return a table's columns.

    Args:
        url: the table.
        metadata: its newest action of that kind.

    Raises:
        InputError: its schema is not readable.
    """
    configuration = metadata.get("configuration") or {}
    mapping = configuration.get(_MAPPING, "none")
    if mapping not in ("none", "name", "id"):
        raise InputError(f"{url}: maps columns by {mapping!r}, which is not known here")
    try:
        schema = json.loads(metadata["schemaString"])
        columns = [_make_column(entry, mapping) for entry in schema["fields"]]
    # Whatever a stranger's text makes of it.
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"{url}: its log holds no readable schema; restore the log") from error
    return tuple(columns)


def _make_column(entry: Action, mapping: str) -> TableColumn:
    name = str(entry["name"])
    stored_name = name
    field_id = None
    if mapping != "none":
        stored_name = str(entry["metadata"][_PHYSICAL_NAME])
    if mapping == "id":
        field_id = read_count(entry["metadata"][_NUMBER])
    kind = entry["type"]
    is_mapped = mapping != "none"
    dtype = _find_type(kind, is_mapped, 0)
    # For errors alone, and a nested type is none of ours for one reason.
    word = kind if isinstance(kind, str) else f"a {kind['type']} that has renamed parts"
    described = entry.get("metadata") or {}
    return TableColumn(
        name,
        dtype,
        kind=word,
        stored_name=stored_name,
        field_id=field_id,
        is_widened=_WIDENED in described,
    )


def _find_type(kind: Any, is_mapped: bool, depth: int) -> DataType | None:
    """Return the Arrow type of a Delta type; None where there is none."""
    if depth > _DEEPEST:
        raise ValueError("nested too deeply")
    if isinstance(kind, str):
        return _find_plain_type(kind)
    deeper = depth + 1
    if kind["type"] == "array":
        inner = _find_type(kind["elementType"], is_mapped, deeper)
        if inner is None:
            return None
        # As files call it.
        element = pa.field("element", inner)
        return pa.list_(element)
    if kind["type"] == "map":
        key = _find_type(kind["keyType"], is_mapped, deeper)
        value = _find_type(kind["valueType"], is_mapped, deeper)
        if key is None or value is None:
            return None
        return pa.map_(key, value)
    if kind["type"] == "struct":
        return _find_struct_type(kind["fields"], is_mapped, deeper)
    # Of a newer protocol: a column of it cannot be asked for, and others can.
    return None


def _find_plain_type(kind: str) -> DataType | None:
    decimal = _DECIMAL.fullmatch(kind)
    if decimal is None:
        return _PLAIN.get(kind)
    precision = int(decimal[1])
    scale = int(decimal[2])
    return pa.decimal128(precision, scale)


def _find_struct_type(
    entries: Sequence[Action],
    is_mapped: bool,
    depth: int,
) -> DataType | None:
    fields = []
    for entry in entries:
        inner = _find_type(entry["type"], is_mapped, depth)
        name = str(entry["name"])
        # Files call a part of it otherwise, by which it would be taken for another one.
        is_renamed = is_mapped and entry["metadata"].get(_PHYSICAL_NAME, name) != name
        if inner is None or is_renamed:
            return None
        field = pa.field(name, inner)
        fields.append(field)
    return pa.struct(fields)
