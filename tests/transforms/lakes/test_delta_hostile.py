"""Whatever stands in a Delta log, in any place, a table is read or refused in one line."""

from copy import deepcopy
import json
from pathlib import Path
from typing import Any

import pytest

from configs.errors import Refusal
from tests.support.odd_values import ODD, list_places, spoil
from transforms.lakes.choice import Choice
from transforms.lakes.delta import read_delta

SCHEMA = {
    "type": "struct",
    "fields": [
        {"name": "id", "type": "long", "nullable": True, "metadata": {}},
        {"name": "price", "type": "decimal(30,2)", "nullable": True, "metadata": {}},
        {"name": "at", "type": "timestamp", "nullable": True, "metadata": {}},
        {"name": "day", "type": "date", "nullable": True, "metadata": {}},
    ],
}
STATISTICS = {
    "numRecords": 3,
    "minValues": {"id": 1, "price": 1.5, "at": "2026-01-01T00:00:00Z"},
    "maxValues": {"id": 9, "price": 9.5, "at": "2026-01-02T00:00:00Z"},
    "nullCount": {"id": 0, "price": 0, "at": 0},
}
ACTIONS = [
    {"commitInfo": {"inCommitTimestamp": 5, "operation": "WRITE"}},
    {"protocol": {"minReaderVersion": 3, "readerFeatures": ["deletionVectors", "columnMapping"]}},
    {"metaData": {"id": "x", "schemaString": "", "configuration": {"a": "b"}}},
    {
        "add": {
            "path": "a.parquet",
            "partitionValues": {"day": "2026-01-01"},
            "stats": "",
            "deletionVector": {
                "storageType": "u",
                "pathOrInlineDv": "vBn[lx{q8@P<9BNH/isA",
                "offset": 1,
                "sizeInBytes": 36,
                "cardinality": 2,
            },
        }
    },
    {"remove": {"path": "b.parquet", "deletionTimestamp": 1}},
]
COLUMNS = ("id", "price", "at", "day")


def write_log(table: Path, actions: list[Any], schema: Any, statistics: Any) -> None:
    actions = deepcopy(actions)
    for action in actions:
        metadata = action.get("metaData") if isinstance(action, dict) else None
        if isinstance(metadata, dict) and metadata.get("schemaString") == "":
            metadata["schemaString"] = json.dumps(schema)
        added = action.get("add") if isinstance(action, dict) else None
        if isinstance(added, dict) and added.get("stats") == "":
            added["stats"] = json.dumps(statistics)
    path = table / "_delta_log" / f"{0:020}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(map(json.dumps, actions)))


def read(table: Path) -> str:
    """Return what a table is, or how it is refused."""
    try:
        read_delta(str(table), Choice(where="id > 0", filtered_by=COLUMNS))
    except Refusal as error:
        lines = str(error).splitlines()
        return "refused" if len(lines) == 1 else "told in several lines"
    return "read"


def test_a_table_that_is_whole_is_read(tmp_path: Path) -> None:
    write_log(tmp_path, ACTIONS, SCHEMA, STATISTICS)
    snapshot = read_delta(str(tmp_path), Choice(where="id > 0", filtered_by=COLUMNS))
    (file,) = snapshot.files
    assert set(file.bounds) == set(COLUMNS)
    assert file.deletions[0].rows == 2


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: repr(odd)[:12])
def test_an_odd_value_anywhere_is_read_or_refused(odd: Any, tmp_path: Path) -> None:
    outcomes = set()
    whole = {"actions": ACTIONS, "schema": SCHEMA, "statistics": STATISTICS}
    for place in list_places(whole):
        spoilt = spoil(whole, place, odd)
        if len(place) == 1:
            continue
        write_log(tmp_path, **spoilt)
        outcomes.add(read(tmp_path))
    assert outcomes == {"read", "refused"}
