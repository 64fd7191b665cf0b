"""Tables with structs, maps and lists of them that no job uses: the other columns are scored as if there were none."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.support.iceberg_tables import open_catalog, place
from tests.support.jobs import Outcome, small_table

Score = Callable[..., Outcome]
STRUCT = pa.struct({"x": pa.int32(), "inner": pa.struct({"a": pa.string()})})
NESTED: dict[str, Any] = {
    "s": pa.array([{"x": 1, "inner": {"a": "p"}}, None, {"x": None, "inner": None}], STRUCT),
    "m": pa.array([[("k", 1)], None, []], pa.map_(pa.string(), pa.int64())),
    "ls": pa.array([[{"x": 1, "inner": None}], [], None], pa.list_(STRUCT)),
    "ms": pa.array([[("k", {"x": 1, "inner": None})], None, []], pa.map_(pa.string(), STRUCT)),
    "l": pa.array([[1.5], None, []], pa.list_(pa.float64())),
}


def make_rows() -> pa.Table:
    rows = small_table(3, **NESTED)
    # First, so that a file's first column is one of them.
    return rows.select([*NESTED, *(name for name in rows.column_names if name not in NESTED)])


def test_iceberg(score_it: Score, tmp_path: Path) -> None:
    pytest.importorskip("pyiceberg")
    pytest.importorskip("sqlalchemy")
    with open_catalog(tmp_path) as catalog:
        rows = make_rows()
        table = catalog.create_table("db.t", rows.schema)
        table.append(rows)
        with table.update_schema() as change:
            change.rename_column(("s", "x"), "y")
        settings = {"source.format": "iceberg"}
        outcome = score_it(place(table), settings=settings)
        assert outcome.rows()["id"].to_pylist() == [0, 1, 2]
        filtered = score_it(place(table), settings=settings | {"source.where": "id > 1"})
        assert filtered.rows()["id"].to_pylist() == [2]
        for name in ("s", "m", "ls", "ms"):
            told = score_it(place(table), settings=settings | {"source.passthrough": [name]})
            told.refused(f"column {name!r} of its table is", "which is not read")
        for where in ("s == 1", "s is None", "m is not None", "ls in [1]"):
            told = score_it(place(table), settings=settings | {"source.where": where})
            told.refused("which is not read")


def test_delta(score_it: Score, tmp_path: Path) -> None:
    deltalake = pytest.importorskip("deltalake")
    table = tmp_path / "t"
    deltalake.write_deltalake(str(table), make_rows())
    settings = {"source.format": "delta"}
    outcome = score_it(table, settings=settings)
    assert outcome.rows()["id"].to_pylist() == [0, 1, 2]
    filtered = score_it(table, settings=settings | {"source.where": "id > 1"})
    assert filtered.rows()["id"].to_pylist() == [2]
    carried = score_it(table, settings=settings | {"source.passthrough": ["l", "s"]})
    assert carried.rows()["l"].to_pylist() == NESTED["l"].to_pylist()
    assert carried.rows()["s"].to_pylist() == NESTED["s"].to_pylist()
    nothing = score_it(table, settings=settings | {"source.where": "s is None"})
    assert nothing.rows()["id"].to_pylist() == [1]
