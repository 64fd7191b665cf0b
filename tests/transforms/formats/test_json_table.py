"""A file of JSON lines as a table, and the first rows of one as they are shown."""

import gzip
from pathlib import Path

import pyarrow as pa
import pytest

from configs.errors import InputError
from transforms.formats.json_preview import is_json_lines, read_first_lines
from transforms.formats.json_table import read_json_table

SCHEMA = pa.schema([("id", pa.int64()), ("d", pa.date32())])


def test_a_table_is_read_and_a_bad_line_refuses_it_by_its_row(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    lines = ['{"id":1,"d":"2024-02-29"}', '{"id":2}']
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    assert read_json_table(str(path), SCHEMA).to_pydict()["id"] == [1, 2]
    path.write_bytes(gzip.compress("\n".join([*lines, "", '{"id":"secret"}']).encode()))
    with pytest.raises(
        InputError, match="row 2: column 'id': not a valid int64; scoring would"
    ) as refused:
        read_json_table(str(path), SCHEMA)
    assert "secret" not in str(refused.value)


def test_first_rows_show_what_stands_there(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"id":9007199254740993,"x":1.50,"l":[1,null],"s":null}\n' * 200 + '{"id":')
    rows = read_first_lines(str(path))
    assert len(rows) == 100
    assert rows.slice(0, 1).to_pylist() == [
        {"id": "9007199254740993", "x": "1.50", "l": '["1", null]', "s": None}
    ]


def test_names_say_it() -> None:
    assert is_json_lines("A.NDJSON.zst")
    assert not is_json_lines("a.json")
