"""Every record of a CSV text is in the books with its own number: against a state machine that goes byte by byte.

Under any dialect, whatever bytes there are, in blocks of any size, whole and cut into pieces.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
import re

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
import pytest

from configs.errors import InputError
from tests.faults.counts import full_or
from tests.support.builders import unit_of
from tests.support.csv_books import cut_file, read_entries
from tests.support.csv_machine import REJECTED, Refused, Row, read_books
from transforms.batches import WorkUnit
from transforms.formats import csv_blocks, csv_record_reader, csv_split
from transforms.formats.csv_dialect import CsvDialect

REFUSED = "refused"
NAMES = ["a", "b", "c"]


def books_of(units: tuple[WorkUnit, ...], names: list[str], dialect: CsvDialect) -> list[Row] | str:
    """By its number, each row of the units: its fields, or that it is rejected."""
    try:
        entries = read_entries(units, names, dialect)
    except InputError:
        return REFUSED
    return [REJECTED if isinstance(entry, str) else entry for entry in entries]


def expected_of(text: bytes, dialect: CsvDialect, longest: int = 1 << 20) -> list[Row] | str:
    try:
        return read_books(text, dialect, longest)
    except Refused:
        return REFUSED


DIALECTS = st.builds(
    CsvDialect,
    delimiter=st.sampled_from(",;\x01"),
    quote=st.sampled_from(['"', "'", None]),
    escape=st.sampled_from([None, "\\", "^"]),
    double_quote=st.booleans(),
    newlines_in_values=st.booleans(),
).map(lambda dialect: dialect if dialect.quote else replace(dialect, escape=None))
# d, q and e stand for delimiter, quote and escape of the dialect.
LETTERS = st.sampled_from(
    [*"dddqqqeexy", "\n", "\n", "\r", "\r\n", "\0", "\xff", "\\", "qq", "eq", "dq", "qd", "q\n"]
)
ROW = st.sampled_from(
    ["xdydz\n", "qxqdyqdqzq\n", "qxqqyqdydz\n", "qxeqyqdydz\n", "qxqydydz\n", "xqdydz\n", "xdy\n"]
)
TEXTS = st.lists(LETTERS | ROW | st.just("x" * 60), max_size=40).map("".join)


def translate(text: str, dialect: CsvDialect) -> bytes:
    letters = {"d": dialect.delimiter, "q": dialect.quote or '"', "e": dialect.escape or "\\"}
    return "".join(letters.get(letter, letter) for letter in text).encode("latin-1")


@pytest.mark.slow
@settings(
    max_examples=full_or(150, 20_000),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    dialect=DIALECTS,
    width=st.sampled_from([1, 3]),
    body=TEXTS,
    block_bytes=st.integers(8, 200),
    piece_bytes=st.integers(1, 60),
)
@example(CsvDialect(), 3, "xdydqzqq\n", 8, 10)
@example(CsvDialect(escape="\\"), 3, "qxeeqdydz\n", 8, 10)
@example(CsvDialect(double_quote=False, escape="\\"), 3, "qxeqqdydz\nqqqdydz\n", 8, 10)
@example(CsvDialect(), 1, "\n\nx\n\r\n\r\r\n", 8, 10)
@example(CsvDialect(), 1, "\rxdydz\n\n", 8, 10)
@example(CsvDialect(newlines_in_values=False), 3, "xdydz\nqx\nyqdydz\n", 100, 10)
@example(CsvDialect(), 3, "xdyd", 8, 10)
@example(CsvDialect(newlines_in_values=False), 3, "xdydz\r\n" * 9 + "xdydq\n", 8, 20)
def test_the_books_are_those_of_a_slow_machine(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    dialect: CsvDialect,
    width: int,
    body: str,
    block_bytes: int,
    piece_bytes: int,
) -> None:
    names = NAMES[:width]
    text = translate("d".join(names) + "\n" + body, dialect)
    path = tmp_path / "a.csv"
    path.write_bytes(text)
    # A block of nothing but quotes and escapes is refused.
    meaningful = f"{dialect.quote or ''}{dialect.escape or ''}"
    runs = re.findall(rb"[%s]+" % re.escape(meaningful).encode(), text) if meaningful else []
    longest_run = max(map(len, runs), default=0)
    block_bytes = max(block_bytes, longest_run + 1)
    monkeypatch.setattr(csv_record_reader, "_BLOCK_BYTES", block_bytes)
    monkeypatch.setattr(csv_split, "PIECE_BYTES", piece_bytes)
    # Blocks of many records come in several.
    monkeypatch.setattr(csv_record_reader, "_MOST_RECORDS", piece_bytes % 5 + 1)

    expected = expected_of(text, dialect, block_bytes)
    assert books_of((unit_of(path, None),), names, dialect) == expected
    assert books_of(cut_file(path, names, dialect), names, dialect) == expected


@pytest.fixture
def file(tmp_path: Path) -> Callable[[bytes], Path]:
    def write(content: bytes) -> Path:
        (tmp_path / "a.csv").write_bytes(content)
        return tmp_path / "a.csv"

    return write


@pytest.mark.parametrize(
    "end", [b"\n", *(pytest.param(end, marks=pytest.mark.slow) for end in (b"\r\n", b"\r"))]
)
def test_nul_bytes_among_long_texts_lose_no_row(file: Callable[[bytes], Path], end: bytes) -> None:
    """pyarrow's fast path, behind some ten thousand long values, lost rows around them and gave the others wrong numbers."""
    texts = [b"\xc3\xa9" * 50 + b"x" * (i % 7) + b"\0" * (i % 50 == 49) for i in range(40_000)]
    lines = [b"%d,%s,\0" % (i, text) for i, text in enumerate(texts)]
    path = file(end.join([b"a,b,c", *lines]))
    expected = [[b"%d" % i, text, b"\0"] for i, text in enumerate(texts)]
    assert books_of((unit_of(path, None),), NAMES, CsvDialect()) == expected


def test_a_row_of_every_byte_is_rejected_alone(file: Callable[[bytes], Path]) -> None:
    """A NUL is read under another name, and there is none left for it; two rows that share the bytes are read."""
    meaningful = b'\0\n\r,"'
    every = bytes(code for code in range(256) if code not in meaningful)
    rows = [b"0,x,\0", b"1,%s,\0" % every, b"2,%s,\0" % every[:100], b"3,%s,\0" % every[100:]]
    path = file(b"\n".join([b"a,b,c", *rows]))
    assert books_of((unit_of(path, None),), NAMES, CsvDialect()) == [
        [b"0", b"x", b"\0"],
        REJECTED,
        [b"2", every[:100], b"\0"],
        [b"3", every[100:], b"\0"],
    ]


@pytest.mark.parametrize("extra", [0, 1])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b""])
def test_a_record_may_be_as_long_as_a_block_wherever_it_stands(
    file: Callable[[bytes], Path], monkeypatch: pytest.MonkeyPatch, extra: int, end: bytes
) -> None:
    monkeypatch.setattr(csv_record_reader, "_BLOCK_BYTES", 50)
    long = b"1,2," + b"x" * (46 + extra)
    # At each place of a block, and of the next one.
    for before in range(60):
        path = file(b"a,b,c\n" + b"\n" * before + long + end)
        books = books_of((unit_of(path, None),), NAMES, CsvDialect())
        assert books == ([REJECTED] if extra else [[b"1", b"2", long[4:]]])


@pytest.mark.parametrize("words", ["cannot be parsed", "found 1 rows in 2 records"])
def test_a_parser_that_finds_other_rows_ends_the_run(
    words: str, file: Callable[[bytes], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = csv_blocks.FieldParser._parse_text
    monkeypatch.setattr(
        csv_blocks.FieldParser, "_parse_text", lambda *told: real(*told).slice(0, 1)
    )
    path = file(b"a,b,c\n1,2,3\n4,5,6\n")
    with pytest.raises(InputError, match=words):
        list(csv_blocks.read_csv_blocks(str(path), NAMES, CsvDialect()))


@pytest.mark.parametrize("row", [b"1\n", b"1,2\n", b'"",\r\n'])
def test_of_very_short_rows_some_come_at_a_time(
    row: bytes, file: Callable[[bytes], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of them may be rejected, and a record of why is larger than such a row."""
    monkeypatch.setattr(csv_record_reader, "_MOST_RECORDS", 300)
    path = file(b"a,b\n" + row * 1_000)
    blocks = list(csv_blocks.read_csv_blocks(str(path), ["a", "b"], CsvDialect()))
    counts = [len(block.row_numbers) + len(block.broken) for block in blocks]
    assert counts == [300, 300, 300, 100]
    numbers = [n for block in blocks for n in (*block.row_numbers.tolist(), *block.broken)]
    assert numbers == list(range(1_000))
