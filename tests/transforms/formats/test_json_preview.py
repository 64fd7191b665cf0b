"""What is shown of the first rows of a file of JSON lines: each value as it stands there."""

from pathlib import Path

import pytest

from transforms.formats.json_preview import is_json_lines, read_first_lines


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("a.jsonl", True),
        ("a.NDJSON", True),
        ("a.jsonl.gz", True),
        ("a.ndjson.zst", True),
        ("a.json", False),
        ("a.jsonl.zip", False),
        ("a.parquet", False),
    ],
)
def test_a_name_says_what_a_file_is(name: str, is_one: bool) -> None:
    assert is_json_lines(name) is is_one


def test_values_are_shown_as_their_texts(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(
        '{"n":1.10,"t":"a","m":null,"b":true,"l":[1,"x"]}\n{"n":NaN,"t":"","b":false,"l":[]}\n'
    )
    rows = read_first_lines(str(path)).to_pylist()
    assert rows == [
        {"n": "1.10", "t": "a", "m": None, "b": "true", "l": '["1", "x"]'},
        {"n": "NaN", "t": "", "m": None, "b": "false", "l": "[]"},
    ]


@pytest.mark.parametrize(("lines", "shown"), [(0, 0), (1, 1), (100, 100), (101, 100)])
def test_a_hundred_rows_are_shown_at_most(lines: int, shown: int, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("".join(f'{{"n":{number}}}\n' for number in range(lines)))
    assert read_first_lines(str(path)).num_rows == shown


def test_of_a_line_that_is_cut_nothing_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"n":1}\n{"n":2}')
    assert read_first_lines(str(path)).to_pydict() == {"n": ["1"]}
