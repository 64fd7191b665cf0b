"""What malformed quoting costs: its own row, of one line or of several, and what is told of it.

`test_csv_blocks.py` has every other text, against a slow state machine.
"""

from pathlib import Path
from typing import TypeAlias

import pytest

from transforms.formats import csv_record_reader
from transforms.formats.csv_blocks import read_csv_blocks
from transforms.formats.csv_dialect import CsvDialect
from transforms.formats.csv_records import GLUED, LONE_ESCAPE, UNCLOSED

Books: TypeAlias = dict[int, list[bytes | None] | str]
GLUED_ROW = f"malformed quoting: {GLUED}"
UNCLOSED_ROW = f"malformed quoting: {UNCLOSED}"
SPARK = CsvDialect(escape="\\")


def read_books(path: Path, dialect: CsvDialect) -> Books:
    """Return by its number the fields of each row, or why it is rejected."""
    books: Books = {}
    for block in read_csv_blocks(str(path), ["a", "b", "c"], dialect):
        rows = [list(row.values()) for row in block.fields.to_pylist()]
        books |= dict(zip(block.row_numbers.tolist(), rows, strict=True))
        books |= {number: str(reason) for number, reason in block.broken.items()}
    return books


# The second of three rows: its text, its lines and what is wrong with it.
SEVERAL_LINES = [
    # Two that are not closed make a pair.
    (b'2,2,"b\n3,3,"c', 2, GLUED_ROW),
    (b'2,2,",\n"c"', 2, GLUED_ROW),
    (b'2,"\r\n\r\n"b,2', 3, GLUED_ROW),
    (b'2,2,"b\r\n\r\n",c', 3, "row has 4 fields, the header has 3"),
    (b'"2\r2"', 2, "row has 1 fields, the header has 3"),
    (b'2,2,"\\b\n"', 2, f"malformed quoting: {LONE_ESCAPE}"),
]


@pytest.mark.parametrize(("text", "lines", "reason"), SEVERAL_LINES)
@pytest.mark.parametrize("block_bytes", [1 << 20, 23])
def test_a_malformed_row_of_several_lines_costs_itself_and_tells_how_many(
    text: bytes,
    lines: int,
    reason: str,
    block_bytes: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(csv_record_reader, "_BLOCK_BYTES", block_bytes)
    path = tmp_path / "a.csv"
    path.write_bytes(b"a,b,c\n1,1,a\n" + text + b"\n4,4,d\n")
    told = f"{reason}, in a row of {lines} lines: is a quote left open?"
    expected: Books = {0: [b"1", b"1", b"a"], 1: told, 2: [b"4", b"4", b"d"]}
    assert read_books(path, SPARK) == expected


def test_a_quote_left_open_costs_its_line_where_no_value_holds_a_line_break(
    tmp_path: Path,
) -> None:
    """Whatever stands in the lines behind it, and at the end of the file too."""
    path = tmp_path / "a.csv"
    path.write_bytes(
        b'a,b,c\n1,1,"a\n2,2,"b"\n3,"3\n\n4,4,5"\n5,5,"e""\r\n6,6,"f"g\n7,7,"h\\"\n8,8,"'
    )
    assert read_books(path, CsvDialect(escape="\\", newlines_in_values=False)) == {
        0: UNCLOSED_ROW,
        1: [b"2", b"2", b"b"],
        2: UNCLOSED_ROW,
        3: [b"4", b"4", b'5"'],
        4: UNCLOSED_ROW,
        5: GLUED_ROW,
        6: UNCLOSED_ROW,
        7: UNCLOSED_ROW,
    }


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("longest", [60, 1_000])
def test_a_row_of_too_many_bytes_costs_itself_whatever_its_quotes_hold(
    end: bytes, longest: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its end is found although its start is in memory no more, wherever blocks end."""
    monkeypatch.setattr(csv_record_reader, "_BLOCK_BYTES", longest)
    plain = b"x" * 2_500
    texts = [
        plain,
        b'5"' * 1_000,
        b'"%s"' % plain,
        b'"%s"' % (b'a""b,' * 500),
        b'"%s"' % (b"a,b%s" % end * 500),
        b'"%s"' % (end * 1_500),
        b'"%s"z' % (b'\\"\\\\,' * 500),
        b"y," * 2_000,
    ]
    path = tmp_path / "a.csv"
    expected: Books = {1: "row has more than 8,388,608 bytes: is each quote closed?"}
    expected |= {0: [b"1", b"1", b"1"], 2: [b"3", b"3", None]}
    for text in texts:
        for before in range(3):
            lines = [b"a,b,c", b"1,1,1", b"2," + b"0" * before + b"," + text, b"3,3,"]
            path.write_bytes(end.join(lines) + end)
            assert read_books(path, SPARK) == expected


@pytest.mark.parametrize("pairs", range(1, 6))
def test_of_each_pair_of_escapes_one_is_left(pairs: int, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    escapes = b"\\" * 2 * pairs
    path.write_bytes(b'a,b,c\n"' + escapes + b'x",2,3\n')
    expected: Books = {0: [b"\\" * pairs + b"x", b"2", b"3"]}
    assert read_books(path, SPARK) == expected
