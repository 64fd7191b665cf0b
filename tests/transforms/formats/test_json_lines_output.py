"""JSON lines that are written: read back by Python, Polars, DuckDB and scoring's own reader, to the last digit."""

import datetime
from decimal import Decimal
import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from configs.errors import PublishError
from tests.transforms.formats.lines import read
from transforms.formats.json_lines_output import JsonLinesOutput, count_lines
from transforms.formats.output import FileFormat

OUTPUT = JsonLinesOutput()


def write(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    look = FileFormat("jsonl", table.schema, (), (), 10)
    writer = OUTPUT.open_writer(pa.PythonFile(sink, mode="w"), look)
    for start in range(0, table.num_rows, 2):
        writer.write_table(table.slice(start, 2))
    writer.close()
    return sink.getvalue()


ROWS = pa.table(
    {
        "big": pa.array([2**63 - 1, None, -(2**63)], pa.int64()),
        "unsigned": pa.array([2**64 - 1, 0, 1], pa.uint64()),
        "x": [0.1, 1.0, -1e300],
        "f": pa.array([0.1, 16777216.0, None], pa.float32()),
        'n"\\\n': pa.array(['"\\\n\t\0\x1f', "\u2028\U0001f600\x7f", None]),
        "view": pa.array(["a", None, "b" * 40], pa.string_view()),
        "c": pa.array(["a", "b", "a"]).dictionary_encode(),
        "ok": [True, None, False],
        "m": pa.array([Decimal("12345678901234567890.123456789"), Decimal("-0.5"), None], pa.decimal128(38, 9)),
        "l": pa.array([[0.5, None], [], None], pa.list_(pa.float32())),
        "two": pa.array([[1, 2], [3, 4], [5, 6]], pa.list_(pa.int8(), 2)),
        "deep": pa.array([[["a"], []], None, [None, ['"']]], pa.list_(pa.list_(pa.string()))),
        "pair": pa.array([{"a": 1, "b": "x"}, None, {"a": None, "b": None}]),
        "nothing": pa.nulls(3),
        "h": pa.array(np.array([0.5, 2.0, 0.0], np.float16)),
    }
)  # fmt: skip


def test_every_value_comes_back_by_the_standard_library() -> None:
    content = write(ROWS)
    lines = content.decode().split("\n")
    assert lines.pop() == ""
    read_back = [json.loads(line, parse_float=Decimal) for line in lines]
    expected = ROWS.to_pylist()
    for row, wanted in zip(read_back, expected, strict=True):
        assert list(row) == ROWS.column_names
        for name in ("big", "unsigned", 'n"\\\n', "view", "c", "ok", "m", "two", "deep", "nothing"):
            assert row[name] == wanted[name]
        assert (None if row["x"] is None else float(row["x"])) == wanted["x"]
        assert (None if row["f"] is None else np.float32(row["f"])) == wanted["f"]
        assert float(row["h"]) == float(wanted["h"])
        assert row["pair"] == wanted["pair"]
    assert read_back[1]["x"] == Decimal("1.0")
    assert '"x":1.0' in lines[1]
    assert [item and float(item) for item in read_back[0]["l"]] == [0.5, None]


def test_moments_are_texts_as_csv_has_them(tmp_path: Path) -> None:
    rows = pa.table(
        {
            "d": pa.array([datetime.date(2024, 2, 29), None]),
            "t": pa.array([0, 1], pa.timestamp("us", "UTC")),
            "naive": pa.array([0, 1], pa.timestamp("ms")),
            "w": pa.array([1, None], pa.time32("s")),
            "for": pa.array([1, None], pa.duration("s")),
        }
    )
    path = tmp_path / "a.jsonl"
    path.write_bytes(write(rows))
    assert path.read_text().splitlines()[0] == (
        '{"d":"2024-02-29","t":"1970-01-01 00:00:00.000000Z","naive":"1970-01-01 00:00:00.000",'
        '"w":"00:00:01","for":1}'
    )
    (batch,) = read(path, rows.schema, key=None)
    assert pa.Table.from_batches([batch.rows]).equals(rows)


def test_floats_that_are_not_finite_are_written_as_python_writes_them(tmp_path: Path) -> None:
    rows = pa.table({"x": [math.nan, math.inf, -math.inf, None]})
    path = tmp_path / "a.jsonl"
    path.write_bytes(write(rows))
    expected = [json.dumps({"x": value}, separators=(",", ":")) for value in rows["x"].to_pylist()]
    assert path.read_text().splitlines() == expected
    (batch,) = read(path, rows.schema, key=None)
    assert repr(batch.rows.to_pylist()) == repr(rows.to_pylist())


def test_other_libraries_read_it(tmp_path: Path) -> None:
    polars = pytest.importorskip("polars")
    duckdb = pytest.importorskip("duckdb")
    rows = ROWS.select(["big", "x", "view", "ok", "deep"])
    path = tmp_path / "a.jsonl"
    path.write_bytes(write(rows))
    assert polars.read_ndjson(path).to_dicts() == rows.to_pylist()
    columns = "{big: 'BIGINT', x: 'DOUBLE', view: 'VARCHAR', ok: 'BOOLEAN', deep: 'VARCHAR[][]'}"
    found = duckdb.sql(f"SELECT * FROM read_json('{path}', columns={columns})")
    assert found.fetchall() == [tuple(row.values()) for row in rows.to_pylist()]


@pytest.mark.parametrize(
    ("dtype", "fits"),
    [
        (pa.binary(), False),
        (pa.list_(pa.binary()), False),
        (pa.map_(pa.string(), pa.int64()), False),
        (pa.list_(pa.date32()), False),
        (pa.month_day_nano_interval(), False),
        (pa.list_(pa.list_(pa.float16(), 2)), True),
        (pa.struct([("a", pa.int64())]), True),
        (pa.dictionary(pa.int8(), pa.binary()), False),
        (pa.timestamp("ns", "UTC"), True),
    ],
    ids=str,
)
def test_what_has_no_json_is_refused_by_name(dtype: pa.DataType, fits: bool) -> None:
    problem = OUTPUT.find_problem(pa.schema([("c", dtype)]), False)
    assert (problem is None) == fits
    if problem is not None:
        assert problem.startswith(f"sink.format jsonl cannot hold column 'c' of type {dtype}")
    assert "spreadsheets" in str(OUTPUT.find_problem(pa.schema([]), True))


def test_a_date_without_a_text_costs_its_row() -> None:
    rows = pa.record_batch({"d": pa.array([0, 2**30], pa.date32())})
    reasons = OUTPUT.find_unfit(rows, ["d"])
    assert {row: str(reason) for row, reason in reasons.items()} == {
        1: "column 'd': a date32[day] that JSON cannot hold"
    }


@pytest.mark.parametrize("counted_bytes", [1, 2, 5, 1 << 20])
def test_lines_are_counted_whatever_is_read_at_a_time(
    counted_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transforms.formats.json_lines_output._COUNTED_BYTES", counted_bytes)
    content = b'{"a":"}"}\n{}\n{"b":"\\n"}\n'
    assert count_lines("u", io.BytesIO(content)) == 3
    assert count_lines("u", io.BytesIO(b"")) == 0
    broken: list[Any] = [
        content[:-1],
        content[1:],
        b"\n" + content,
        content + b"{}",
        b"{}\nx{}\n",
        b"{\n}\n",
    ]
    for stored in broken:
        with pytest.raises(PublishError, match="u: cannot be read back"):
            count_lines("u", io.BytesIO(stored))
