"""Where a CSV file may be cut, against counting its lines one after the other; `tests/pipelines/test_csv_split.py` scores pieces."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from storage.input_file import InputFile
from transforms.formats import csv_split
from transforms.formats.csv_bytes import CsvPiece
from transforms.formats.csv_dialect import CsvDialect
from transforms.formats.csv_split import (
    _ends_lines_with_one_byte,
    _may_be_cut,
    cut_lines,
    cut_lines_for_sample,
    split_csv,
    split_for_sample,
)

PLAIN = CsvDialect(newlines_in_values=False)
HEADER = b"id,x\n"


def write(folder: Path, content: bytes, name: str = "a.csv") -> InputFile:
    path = folder / name
    path.write_bytes(content)
    return InputFile(str(path), len(content), "v")


def split(file: InputFile, dialect: CsvDialect = PLAIN) -> tuple[CsvPiece, ...]:
    return split_csv(file, ["id", "x"], dialect)


def count_rows(text: bytes) -> int:
    r"""Count lines that are not blank, whichever of \n, \r and \r\n ends them."""
    return sum(bool(line) for line in text.replace(b"\r", b"\n").split(b"\n"))


def check(content: bytes, header_bytes: int, pieces: Sequence[CsvPiece]) -> None:
    """Compare pieces with the text that they stand for."""
    position = header_bytes
    rows = 0
    for number, piece in enumerate(pieces):
        assert piece.first_byte == position
        assert piece.first_row == rows
        assert piece.header_bytes == header_bytes
        # Each but the first starts behind a line feed.
        assert number == 0 or content[position - 1 : position] == b"\n"
        text = content[position : position + piece.bytes]
        assert piece.rows == count_rows(text)
        position += piece.bytes
        rows += piece.rows
    assert position == len(content)
    assert rows == count_rows(content[header_bytes:])


LINES = [b"1,2\n", b"1,2\r\n", b"\n", b"\r\n", b"333,4\r", b"\r\r", b"5,\n", b"12345678,9\n"]


@pytest.mark.parametrize("counted", [1, 2, 3, 1 << 17])
@pytest.mark.parametrize("seed", range(4))
def test_pieces_hold_the_rows_that_start_in_them(
    tmp_path: Path, seed: int, counted: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_split, "_COUNTED_BYTES", counted)
    random = np.random.default_rng(seed)
    lines = [LINES[number] for number in random.integers(0, len(LINES), 12)]
    content = HEADER + b"".join(lines) + random.choice([b"", b"9,9"])
    file = write(tmp_path, content)
    for piece_bytes in (1, 4, 7, 30):
        monkeypatch.setattr(csv_split, "PIECE_BYTES", piece_bytes)
        for read_bytes in (5, 8 << 20):
            monkeypatch.setattr(csv_split, "_READ_BYTES", read_bytes)
            pieces = split(file)
            if pieces:
                assert len(pieces) > 1
                check(content, len(HEADER), pieces)
    sampled = split_for_sample(file, ["id", "x"], PLAIN)
    check(content, len(HEADER), sampled)
    assert 1 <= len(sampled) <= 16


def test_a_file_is_cut_once_it_is_larger_than_a_piece(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert csv_split.PIECE_BYTES == 32 * 1024**2
    content = HEADER + b"1,2\n" * 10
    file = write(tmp_path, content)
    for piece_bytes, count in ((len(content), 0), (40, 0), (39, 2), (20, 2), (19, 3)):
        monkeypatch.setattr(csv_split, "PIECE_BYTES", piece_bytes)
        pieces = split(file)
        assert len(pieces) == count
        # Without a header, all of it counts.
        assert bool(cut_lines(file)) is (piece_bytes < len(content))
    monkeypatch.setattr(csv_split, "PIECE_BYTES", 4)
    # One line alone stays whole.
    assert split(write(tmp_path, HEADER + b"1,2345678901234\n", "b.csv")) == ()


def test_files_that_may_not_be_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_split, "PIECE_BYTES", 8)
    content = HEADER + b"1,2\n" * 10
    file = write(tmp_path, content)
    assert len(split(file)) > 1
    assert split_csv(file, ["id"], PLAIN) == ()
    assert split(file, CsvDialect(newlines_in_values=False, encoding="utf-16")) == ()
    packed = write(tmp_path, content, "a.csv.gz")
    assert not _may_be_cut(packed, PLAIN)
    small = InputFile(file.url, 8, "v")
    assert not _may_be_cut(small, PLAIN)
    assert _may_be_cut(InputFile(file.url, 9, "v"), PLAIN)


@pytest.mark.parametrize(
    ("text", "dialect", "is_cut"),
    [
        (b"1,2\n", CsvDialect(), True),
        (b'1,"2"\n', CsvDialect(), False),
        (b"1,'2'\n", CsvDialect(), True),
        (b"1,'2'\n", CsvDialect(quote="'"), False),
        (b'1,"2"\n', CsvDialect(quote=None), True),
        (b'1,"2"\n', PLAIN, True),
    ],
)
def test_without_a_word_of_the_job_a_file_without_quotes_is_cut(
    tmp_path: Path, text: bytes, dialect: CsvDialect, is_cut: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One quote at the very end is enough: what stands before it could be a value."""
    assert CsvDialect().newlines_in_values
    monkeypatch.setattr(csv_split, "PIECE_BYTES", 8)
    monkeypatch.setattr(csv_split, "_LOOKED_THROUGH_BYTES", 8)
    content = b'"id",x\n' + b"1,2\n" * 10 + text
    pieces = split_csv(write(tmp_path, content), ["id", "x"], dialect)
    assert bool(pieces) is is_cut
    if pieces:
        check(content, len(b'"id",x\n'), pieces)


@pytest.mark.parametrize(("dialect", "may_be_cut"), [(CsvDialect(), False), (PLAIN, True), (CsvDialect(quote=None), True)])  # fmt: skip
def test_of_a_store_or_a_smaller_file_nothing_is_read_only_to_look_for_quotes(
    dialect: CsvDialect, may_be_cut: bool
) -> None:
    stored = InputFile("s3://bucket/a.csv", 1 << 30, "v")
    assert _may_be_cut(stored, dialect) is may_be_cut
    smaller = InputFile("/in/a.csv", 128 << 20, "v")
    assert _may_be_cut(smaller, dialect) is may_be_cut
    assert _may_be_cut(InputFile("/in/a.csv", (128 << 20) + 1, "v"), dialect)


@pytest.mark.parametrize(
    ("encoding", "is_one_byte"),
    [
        ("utf-8", True),
        ("latin-1", True),
        ("cp1252", True),
        ("utf-16", False),
        ("utf-32", False),
        ("shift_jis", False),
        # Of old machines, with a line feed of another code.
        ("cp037", False),
        ("cp500", False),
    ],
)
def test_line_feeds_are_one_byte_in_some_encodings(encoding: str, is_one_byte: bool) -> None:
    assert _ends_lines_with_one_byte(CsvDialect(encoding=encoding)) is is_one_byte


@pytest.mark.parametrize(
    ("header", "names"),
    [
        (b"id,x\n", ["id", "x"]),
        (b"id,x\r\n", ["id", "x"]),
        (b"id,x\r", ["id", "x"]),
        (b"\xef\xbb\xbfid,x\n", ["id", "x"]),
        (b"\n\r\nid,x\n", ["id", "x"]),
        (b'"a\nb",x\n', ["a\nb", "x"]),
        (b'"a\n\nb",x\n', ["a\n\nb", "x"]),
        (b'"\na","",x\n', ["\na", "", "x"]),
    ],
)
def test_a_header_ends_with_its_last_line(
    tmp_path: Path, header: bytes, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_split, "PIECE_BYTES", 8)
    content = header + b"1,2\n" * 20
    pieces = split_csv(write(tmp_path, content), names, PLAIN)
    assert len(pieces) > 1
    check(content, len(header), pieces)


@pytest.mark.parametrize(
    ("dialect", "text", "is_cut"),
    [
        (PLAIN, b'1,"2"\n', True),
        (CsvDialect(newlines_in_values=True), b"1,2\n", True),
        # Behind a quote, a line break may be of a value.
        (CsvDialect(newlines_in_values=True), b'1,"2"\n', False),
        (CsvDialect(newlines_in_values=True, quote=None), b'1,"2"\n', True),
        (CsvDialect(encoding="utf-16"), b"1,2\n", False),
    ],
)
def test_rows_are_looked_at_where_it_is_safe_to_cut(
    tmp_path: Path, dialect: CsvDialect, text: bytes, is_cut: bool
) -> None:
    content = HEADER + text * 40
    pieces = split_for_sample(write(tmp_path, content), ["id", "x"], dialect)
    assert len(pieces) == (16 if is_cut else 0)
    if is_cut:
        check(content, len(HEADER), pieces)


def test_a_quote_in_the_header_is_none_of_a_row(tmp_path: Path) -> None:
    content = b'"id",x\n' + b"1,2\n" * 40
    dialect = CsvDialect(newlines_in_values=True)
    assert len(split_for_sample(write(tmp_path, content), ["id", "x"], dialect)) == 16


@pytest.mark.parametrize(
    ("name", "size", "is_looked_at"),
    [
        ("a.jsonl", 256 << 20, True),
        ("a.jsonl", (256 << 20) + 1, False),
        ("a.jsonl.gz", 10, False),
        ("s3://b/a.jsonl", 32 << 20, True),
        ("s3://b/a.jsonl", (32 << 20) + 1, False),
    ],
)
def test_what_is_looked_at_is_no_more_than_takes_a_moment(
    name: str, size: int, is_looked_at: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_split, "_cut_for_sample", lambda *_: ("cut",))
    url = name if "://" in name else f"/in/{name}"
    expected = ("cut",) if is_looked_at else ()
    assert cut_lines_for_sample(InputFile(url, size, "v")) == expected


def test_files_of_a_few_bytes_have_as_many_ranges(tmp_path: Path) -> None:
    assert cut_lines_for_sample(write(tmp_path, b"")) == ()
    assert cut_lines_for_sample(write(tmp_path, b"ab"), header_bytes=2) == ()
    (piece,) = cut_lines_for_sample(write(tmp_path, b"1"))
    assert (piece.rows, piece.bytes) == (1, 1)
    pieces = cut_lines_for_sample(write(tmp_path, b"1\n2\n3\n"))
    check(b"1\n2\n3\n", 0, pieces)
    assert len(pieces) == 3
