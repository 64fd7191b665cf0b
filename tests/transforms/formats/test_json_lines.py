"""Files of JSON lines, by rows: against the standard library's parser, and as other libraries write them."""

import bz2
from collections.abc import Callable
from decimal import Decimal
import gzip
import json
import lzma
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import zstandard

from configs.errors import InputError
from storage.input_file import InputFile
from tests.support.builders import unit_of
from tests.transforms.formats.lines import SCHEMA, read, rejected_of, rows_of
from transforms.batches import RowRecord
from transforms.formats import csv_record_reader, csv_split
from transforms.formats.column import Column
from transforms.formats.format import make_unit
from transforms.formats.json_lines import JsonLinesFormat
from transforms.read_unit import read_unit

GOOD = '{"id":1,"x":1.5,"s":"a"}\n{"s":"b","id":2,"x":2}\n'
ROWS = [{"id": 1, "x": 1.5, "s": "a"}, {"id": 2, "x": 2.0, "s": "b"}]


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., Path]:
    def write(text: str | bytes, name: str = "a.jsonl") -> Path:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def inspect(path: Path, schema: pa.Schema = SCHEMA, **options: Any) -> Any:
    described = InputFile(str(path), path.stat().st_size, unit_of(path, None).version)
    columns = [Column(field.name, field.type) for field in schema]
    return JsonLinesFormat(**options).inspect(described, columns)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("final", [True, False])
def test_line_ends_blank_lines_and_byte_order_marks(
    file: Callable[..., Path], end: str, mark: bytes, final: bool
) -> None:
    lines = GOOD.splitlines()
    text = end.join(["", lines[0], "", "", f" \t{lines[1]} "]) + (end if final else "")
    path = file(mark + text.encode())
    assert rows_of(read(path)) == ROWS
    assert inspect(path)[1].names == ["id", "x", "s"]


@pytest.mark.parametrize(
    ("ending", "pack"),
    [
        (".gz", gzip.compress),
        (".zst", zstandard.compress),
        (".bz2", bz2.compress),
        (".xz", lzma.compress),
    ],
)
def test_packed_files(
    file: Callable[..., Path], ending: str, pack: Callable[[bytes], bytes]
) -> None:
    path = file(pack(GOOD.encode()), f"a.jsonl{ending}")
    assert rows_of(read(path)) == ROWS
    assert inspect(path)[0].rows is None


def test_numbers_and_moments_are_exact(file: Callable[..., Path]) -> None:
    schema = pa.schema(
        [
            ("big", pa.int64()),
            ("unsigned", pa.uint64()),
            ("m", pa.decimal128(38, 9)),
            ("d", pa.date32()),
            ("t", pa.timestamp("us", "UTC")),
            ("l", pa.list_(pa.float32(), 2)),
            ("h", pa.float16()),
            ("c", pa.dictionary(pa.int32(), pa.string())),
            ("w", pa.time64("us")),
            ("n", pa.list_(pa.large_list(pa.int8()))),
        ]
    )
    path = file(
        '{"big":-9223372036854775808,"unsigned":18446744073709551615,"m":12345678901234567890123456789.123456789,'
        '"d":"2024-02-29","t":"2024-02-29T12:00:00.000001+01:00","l":[1,2.5],"h":0.5,"c":"red","w":"12:00:00.5",'
        '"n":[[1],null,[]]}\n{"big":9007199254740993,"m":"0.1","l":[0,-0.0]}\n'
    )
    (batch,) = read(path, schema, key=None)
    first, second = batch.rows.select(["big", "unsigned", "m", "l", "h", "c", "n"]).to_pylist()
    assert not batch.rejected
    assert batch.rows.schema == schema
    assert first == {
        "big": -(2**63),
        "unsigned": 2**64 - 1,
        "m": Decimal("12345678901234567890123456789.123456789"),
        "l": [1.0, 2.5],
        "h": 0.5,
        "c": "red",
        "n": [[1], None, []],
    }
    assert (second["big"], second["m"], second["n"]) == (2**53 + 1, Decimal("0.1"), None)
    moments = batch.rows.select(["d", "t", "w"]).slice(0, 1)
    assert [str(column.cast(pa.string())[0]) for column in moments.columns] == [
        "2024-02-29",
        "2024-02-29 11:00:00.000001Z",
        "12:00:00.500000",
    ]


BAD = {
    "nothing": ("   ", "line is no JSON object"),
    "an array": ("[1]", "line is no JSON object"),
    "null": ("null", "line is no JSON object"),
    "cut": ('{"id":7,"x":1', "line is no JSON object"),
    "cut behind a brace": ('{"id":7,"x":{}', "line is no JSON: Expecting ',' delimiter at character 14"),
    "two": ('{"id":7}{"id":8}', "line holds several JSON values"),
    "two, one of them null": ('{"id":7} null {"id":8}', "line holds several JSON values"),
    "a name twice": ('{"id":7,"x":1,"x":2}', "column 'x': stands 2 times in the line"),
    "a name twice, escaped": ('{"id":7,"x":1,"\\u0078":2}', "column 'x': stands 2 times"),
    "a text for a number": ('{"id":7,"x":"secret"}', "column 'x': not a valid double"),
    "a number for a text": ('{"id":7,"s":12345}', "column 's': not a valid string"),
    "a list for a text": ('{"id":7,"s":["secret"]}', "column 's': not a valid string"),
    "too large": ('{"id":9223372036854775808}', "column 'id': not a valid int64"),
    "no whole number": ('{"id":1.0}', "column 'id': not a valid int64"),
    "too large a double": ('{"id":7,"x":1e400}', "line holds a number that no double holds"),
    "half a surrogate pair": ('{"id":7,"s":"\\ud800"}', "line holds a number that no double holds, or half a"),
    "a line break in a text": ('{"id":7,"s":"a\tb"}', "line is no JSON: Invalid control character"),
    "a comment": ('{"id":7} // {}', "line holds several JSON values"),
    "a trailing comma": ('{"id":7,}', "line is no JSON: "),
    "no UTF-8": (b'{"id":7,"s":"\xff"}', "line is not UTF-8"),
    "no UTF-8 in another column": (b'{"id":7,"t":"\xff"}', "line is not UTF-8"),
    "a NUL byte": ('{"id":7,"s":"a\0b"}', "line holds a NUL byte"),
    "deep, and cut": ('{"id":7,"t":' + "[" * 100_000 + "}", "line is JSON of too many levels, or none"),
    "a value of an unread column that is none": ('{"id":7,"t":tru}', "line is no JSON: Expecting value"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_a_bad_line_is_one_rejected_row(case: str, file: Callable[..., Path]) -> None:
    line, why = BAD[case]
    encoded = line if isinstance(line, bytes) else line.encode()
    first, second = GOOD.encode().splitlines()
    path = file(b"\n".join([first, b"", encoded, second]))
    batches = read(path)
    assert rows_of(batches) == ROWS
    ((number, (key, message)),) = rejected_of(batches).items()
    assert number == 1
    assert message.startswith(why)
    assert "secret" not in message
    assert "12345" not in message
    assert key in (None, 7)
    assert rows_of(read(file(encoded, "alone.jsonl"))) == []


def test_what_is_good_is_read_whatever_stands_around_it(file: Callable[..., Path]) -> None:
    lines = [
        '{"id":1,"t":{"deep":[[[{}]]]},"x":NaN,"t":1}',
        '{"id":2,"s":"} null {"}',
        "{}",
        '{"id":3,"s":"\\u0000\\ud83d\\ude00","x":null}',
        '{"id":4,"x":1e-400,"s":"' + "x" * 100_000 + '"}',
        '{"id":5,"t":' + "[" * 50_000 + "]" * 50_000 + "}",
    ]
    (batch,) = read(file("\n".join(lines)))
    assert not batch.rejected
    rows = batch.rows.to_pylist()
    assert [row["id"] for row in rows] == [1, 2, None, 3, 4, 5]
    assert np.isnan(rows[0]["x"])
    assert rows[1]["s"] == "} null {"
    assert rows[3]["s"] == "\0\U0001f600"


def test_a_row_that_is_rejected_keeps_its_other_values(file: Callable[..., Path]) -> None:
    path = file('{"id":7,"x":"bad","s":"kept"}\n{"id":"bad","x":1}\n[]\n{"id":8,"x":1,"s":"a"}\n')
    (batch,) = read(path, values=True)
    (records,) = batch.rejected
    assert records.rows["values"].to_pylist() == [
        {"id": 7, "x": None, "s": "kept"},
        {"id": None, "x": 1.0, "s": None},
        {"id": None, "x": None, "s": None},
    ]


def test_a_float_that_overflows_rejects_its_row_and_an_infinite_one_does_not(
    file: Callable[..., Path],
) -> None:
    schema = pa.schema([("id", pa.int64()), ("f", pa.float32()), ("l", pa.list_(pa.float32()))])
    path = file(
        '{"id":1,"f":1e39}\n{"id":2,"f":-Infinity,"l":[1e38,Infinity]}\n{"id":3,"l":[0,1e39]}\n'
        '{"id":4,"f":1e38}\n'
    )
    batches = read(path, schema)
    assert [row["id"] for row in rows_of(batches)] == [2, 4]
    assert {row: why for row, (_, why) in rejected_of(batches).items()} == {
        0: "column 'f': not a valid float",
        2: "column 'l': not a valid list<item: float>",
    }


def test_lists_of_another_length_reject_their_row(file: Callable[..., Path]) -> None:
    schema = pa.schema([("id", pa.int64()), ("l", pa.list_(pa.float32(), 2))])
    path = file('{"id":1,"l":[1,2]}\n{"id":2,"l":[1]}\n{"id":3,"l":[[1,2]]}\n{"id":4,"l":[3,4]}\n')
    batches = read(path, schema)
    assert rows_of(batches) == [{"id": 1, "l": [1.0, 2.0]}, {"id": 4, "l": [3.0, 4.0]}]
    assert sorted(rejected_of(batches)) == [1, 2]


def test_an_overlong_line_is_one_rejected_row(
    file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_record_reader, "_BLOCK_BYTES", 100)
    first, second = GOOD.splitlines()
    for size in (100, 101, 200, 555, 10_000):
        path = file(f"{first}\n" + '{"s":"' + "x" * size + '"}\n' + second)
        batches = read(path)
        assert rows_of(batches) == ROWS
        ((number, (key, message)),) = rejected_of(batches).items()
        assert (number, key) == (1, None)
        assert message == "line has more than 8,388,608 bytes"


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("piece_bytes", [50, 333, 4_000])
def test_pieces_have_the_rows_of_the_whole_file(
    file: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    piece_bytes: int,
    mark: bytes,
) -> None:
    random = np.random.default_rng(piece_bytes)
    lines = []
    for number in range(200):
        line = json.dumps({"id": number, "x": number / 7, "s": "z" * int(random.integers(0, 90))})
        lines.append(line if random.random() < 0.9 else "[no object]")
        lines += [""] * int(random.integers(0, 3))
    path = file(mark + "\n".join(["", *lines]).encode())
    whole = read(path)
    monkeypatch.setattr(csv_split, "PIECE_BYTES", piece_bytes)
    shard, _ = inspect(path)
    pieces = JsonLinesFormat().split(shard, 10)
    assert (len(pieces) > 1) == (piece_bytes < path.stat().st_size)
    units = [make_unit(number, shard, piece) for number, piece in enumerate(pieces)]
    batches = [
        batch
        for unit in units
        for batch in read_unit(unit, SCHEMA, JsonLinesFormat(), 7, RowRecord("id"))
    ]
    assert rows_of(batches) == rows_of(whole)
    assert rejected_of(batches) == rejected_of(whole)
    assert np.concatenate([batch.row_numbers for batch in batches]).tolist() == (
        whole[0].row_numbers.tolist()
    )


def test_batches_have_as_many_rows_as_are_wanted_at_most(file: Callable[..., Path]) -> None:
    path = file("".join(f'{{"id":{row}}}\n' if row % 3 else "x\n" for row in range(100)))
    batches = read(path, rows_per_batch=7)
    assert [batch.rows_in for batch in batches] == [7] * 14 + [2]
    assert [row["id"] for row in rows_of(batches)] == [row for row in range(100) if row % 3]
    assert sorted(rejected_of(batches)) == list(range(0, 100, 3))


def test_a_file_of_no_rows_gives_one_batch_without_rows(file: Callable[..., Path]) -> None:
    path = file("\n\r\n\n")
    (batch,) = read(path)
    assert (len(batch), batch.rejected) == (0, ())
    assert inspect(path)[1] == SCHEMA


def test_as_other_libraries_write_it(tmp_path: Path) -> None:
    polars = pytest.importorskip("polars")
    duckdb = pytest.importorskip("duckdb")
    rows = pa.table(
        {
            "id": pa.array([2**53 + 1, 2, 3]),
            "x": [0.1, None, 1e300],
            "s": ['"\\\n', None, "\u00e9\U0001f600\u2028"],
        }
    )
    frame = rows.to_pandas()
    frame.to_json(tmp_path / "pandas.jsonl", orient="records", lines=True, double_precision=15)
    polars.from_arrow(rows).write_ndjson(tmp_path / "polars.jsonl")
    duckdb.sql(f"copy (from rows) to '{tmp_path}/duckdb.jsonl' (format json)")
    for name in ("pandas", "polars", "duckdb"):
        (batch,) = read(tmp_path / f"{name}.jsonl")
        assert not batch.rejected
        assert batch.rows.to_pylist() == rows.to_pylist(), name


def test_a_piece_of_a_file_that_lost_rows_is_refused(file: Callable[..., Path]) -> None:
    path = file(GOOD)
    unit = unit_of(path, 3, span=(0,), bytes=path.stat().st_size)
    with pytest.raises(InputError, match="has 2 lines from row 0 on where 3 were counted"):
        list(JsonLinesFormat().read(unit, SCHEMA, 10, RowRecord()))
