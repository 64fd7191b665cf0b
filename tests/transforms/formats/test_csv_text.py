"""Text as a parser takes it: line ends and quotes against counting by hand, encodings, bombs, and pieces of a file."""

from collections.abc import Callable
import gzip
from itertools import pairwise
from pathlib import Path
import re

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
import pytest

from configs.errors import InputError
from transforms.formats import csv_text
from transforms.formats.csv_bytes import CsvPiece
from transforms.formats.csv_dialect import CsvDialect
from transforms.formats.csv_quotes import LineCount, QuoteCheck
from transforms.formats.csv_text import CsvText, refuse_misplaced_quotes

PLAIN = CsvDialect()
File = Callable[..., str]


@pytest.fixture
def file(tmp_path: Path) -> File:
    def write(content: bytes, name: str = "a.csv") -> str:
        (tmp_path / name).write_bytes(
            gzip.compress(content, mtime=0) if name.endswith(".gz") else content
        )
        return str(tmp_path / name)

    return write


def read(url: str, csv: CsvDialect = PLAIN, size: int = 1 << 20) -> bytes:
    with CsvText(url, csv) as text:
        content = b"".join(iter(lambda: text.read(size), b""))
        assert not text.closed
    assert text.closed
    return content


def cuts(text: bytes, sizes: list[int]) -> list[bytes]:
    """The text in pieces of these sizes, over and over."""
    pieces, number = [], 0
    while text:
        size = sizes[number % len(sizes)]
        pieces, text, number = [*pieces, text[:size]], text[size:], number + 1
    return pieces


SIZES = st.lists(st.integers(1, 5), min_size=1, max_size=3)
BYTES = st.text(st.sampled_from('ab,"\n\r'), max_size=30).map(str.encode)


@given(text=BYTES, sizes=SIZES)
def test_lines_are_counted_however_the_text_is_cut(text: bytes, sizes: list[int]) -> None:
    lines = LineCount()
    for piece in cuts(text, sizes):
        lines.add(piece)
    assert lines.total == len(re.findall(rb"\r\n|\r|\n", text))
    assert lines.has_ended is text.endswith((b"\r", b"\n"))


def quotes_fit(text: str) -> bool:
    """Go from quote to quote: the first opens, the next closes, and so on; look at what stands before and behind."""
    opens = True
    for place in (place for place, letter in enumerate(text) if letter == '"'):
        beside = text[place - 1 : place] if opens else text[place + 1 : place + 2]
        if beside not in ("", "\r", "\n", '"', ","):
            return False
        opens = not opens
    return opens


@settings(max_examples=300)
@given(text=BYTES, sizes=SIZES)
def test_quotes_stand_around_fields_however_the_text_is_cut(text: bytes, sizes: list[int]) -> None:
    quotes = QuoteCheck(",")
    fits = [quotes.fits(piece) for piece in [*cuts(text, sizes), b""]]
    assert all(fits) is quotes_fit(text.decode())


def test_another_delimiter_may_stand_beside_a_quote_and_no_comma() -> None:
    assert QuoteCheck(";").fits(b'"a";"b"\n')
    assert not QuoteCheck(";").fits(b'"a","b"\n')
    assert QuoteCheck("\u00b6").fits('"a"\u00b6"b"\n'.encode())


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=BYTES, size=st.integers(4, 9))
def test_text_comes_whole_and_no_line_end_is_cut(file: File, text: bytes, size: int) -> None:
    content = b"a,b\n" + text
    with CsvText(file(content), PLAIN) as reader:
        blocks = list(iter(lambda: reader.read(size), b""))
    assert b"".join(blocks) == content
    assert not any(
        one.endswith(b"\r") and other.startswith(b"\n")
        for one, other in pairwise(blocks)
        if len(one) > 1
    )


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"id,x", b"id,x\n"),
        (b"id,x\n", b"id,x\n"),
        (b"id,x\n1,2", b"id,x\n1,2"),
        (b"", b""),
        (b"\xef\xbb\xbfid\n\xef\xbb\xbf", b"id\n\xef\xbb\xbf"),
        (b"\xef\xbb\xbfid", b"id\n"),
        (b"id\n1\0\n", b"id\n1\0\n"),
    ],
)
def test_a_header_alone_gets_a_line_end_and_a_mark_goes(
    file: File, content: bytes, text: bytes
) -> None:
    assert read(file(content)) == text


def test_a_header_that_comes_in_two_reads_gets_no_line_end_in_its_middle(file: File) -> None:
    assert read(file(b"identity,x\n1,2\n"), size=6) == b"identity,x\n1,2\n"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("text", ["id,x\n1,2\n", "\u4e00\u4e01\n\u4e02\n"])
def test_text_in_utf16_that_nobody_declared_is_told_from_utf8(
    file: File, encoding: str, text: str
) -> None:
    marked = text.encode(encoding) if encoding == "utf-16" else f"\ufeff{text}".encode(encoding)
    with pytest.raises(
        InputError, match=r"looks like UTF-16; write --set source\.csv\.encoding=utf-16"
    ):
        read(file(marked))
    if text.isascii():  # else nothing tells them apart
        with pytest.raises(InputError, match="looks like UTF-16"):
            read(file(text.encode("utf-16-le")))


ENCODED = "id,x\n1,\u00e9\n2,\u20ac\n"


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp1252", "UTF8", "cp858"]
)
@pytest.mark.parametrize("size", [1, 3, 1 << 20])
def test_every_encoding_becomes_utf8(file: File, encoding: str, size: int) -> None:
    with CsvText(file(ENCODED.encode(encoding)), CsvDialect(encoding=encoding)) as text:
        first = text.read(1 << 20)
        rest = b"".join(iter(lambda: text.read(size), b""))
    assert (first + rest).decode() == ENCODED


@pytest.mark.parametrize(
    ("encoding", "utf8"),
    [("utf-8", True), ("U8", True), ("utf-8-sig", True), ("utf-16", False), ("latin-1", False)],
)
def test_which_text_needs_no_decoding(encoding: str, utf8: bool) -> None:
    assert CsvDialect(encoding=encoding).is_utf8 is utf8


@pytest.mark.parametrize(
    ("encoding", "content"),
    [
        ("utf-16", ENCODED.encode("utf-16")[:-1]),  # half a character at the end
        ("ascii", ENCODED.encode()),
        ("shift_jis", b"id\n\x83"),
    ],
)
def test_text_that_is_not_in_its_encoding_is_refused(
    file: File, encoding: str, content: bytes
) -> None:
    with pytest.raises(
        InputError, match=f"is not text in {encoding}, which source.csv.encoding says"
    ):
        read(file(content), CsvDialect(encoding=encoding))


def stored_times(times: int) -> tuple[bytes, int]:
    """A content that is exactly so many times as long as its archive, and its length."""
    length = next(
        n
        for n in range(30 * times, 80 * times)
        if len(gzip.compress(b"x" * n, mtime=0)) * times == n
    )
    return b"x" * length, length


def test_a_bomb_is_what_unpacks_to_more_than_so_many_times_its_size(
    file: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_text, "_BOMB_BYTES", 0)
    for times, declared in ((200, None), (100, 100)):
        content, _ = stored_times(times)
        assert (
            read(file(content, "a.csv.gz"), CsvDialect(max_expansion=declared)) == content + b"\n"
        )
        with pytest.raises(InputError, match=f"unpacks to more than {times - 1} times its"):
            read(file(content, "a.csv.gz"), CsvDialect(max_expansion=times - 1))
    content = b"x" * 200_000
    with pytest.raises(InputError, match="unpacks to more than 200 times its"):
        read(file(content, "a.csv.gz"))
    assert read(file(content)) == content + b"\n"


def test_what_unpacks_to_little_is_no_bomb(file: File, monkeypatch: pytest.MonkeyPatch) -> None:
    assert csv_text._BOMB_BYTES >= 1 << 28
    content = b"x" * 50_000
    monkeypatch.setattr(csv_text, "_BOMB_BYTES", 50_000)
    assert read(file(content, "a.csv.gz"), CsvDialect(max_expansion=1)) == content + b"\n"
    with pytest.raises(InputError, match="unpacks to more than 1 times"):
        read(file(content + b"x", "a.csv.gz"), CsvDialect(max_expansion=1))


def test_a_piece_is_header_and_rows_and_a_row_that_no_header_fits(file: File) -> None:
    url = file(b"id;x\n1;a\n2;b\n3;c\n")
    piece = CsvPiece(5, first_byte=9, bytes=8, first_row=1, rows=2)
    with CsvText(url, CsvDialect(delimiter=";"), piece) as text:
        assert text.read(3) + text.read(100) + text.read(100) == b"id;x\n2;b\n3;c\n\n;;;;;\n"


@pytest.mark.parametrize(
    ("rows", "found", "quoted", "fits"),
    [
        (2, 4, False, True),  # the header, two rows, and the one that fits no header
        (2, 3, False, False),
        (2, 5, True, False),
        (2, 4, True, True),
        (2, None, False, True),  # a parser gave up for a reason that is no quote
        (2, None, True, False),
        (0, 2, False, True),
        (0, 3, False, False),
    ],
)
def test_a_piece_in_which_a_value_holds_a_line_break_is_refused(
    file: File, rows: int, found: int | None, quoted: bool, fits: bool
) -> None:
    value = b'"a"' if quoted else b"aaa"
    url = file(b"id,x\n1,%b\n2,%b\n" % (value, value))
    piece = CsvPiece(5, first_byte=5, bytes=12, first_row=7, rows=rows)
    with CsvText(url, PLAIN, piece) as text:
        while text.read(100):
            pass
        if fits:
            text.refuse_lost_rows(found)
            return
        with pytest.raises(InputError, match="from row 7 on, a value holds a line break, but"):
            text.refuse_lost_rows(found)


@pytest.mark.parametrize(
    ("content", "where"),
    [
        (b'id,x\n\n1,"a\n', "row 0"),
        (b'id,x\n1,a\n\n\n2,b"c\n3,"d\n', "row 2"),
        (b'id,"x\n1,a\n', "the header"),
        (b'id,x\n1,"a"b\n2,c\n', "row 0"),
    ],
)
@pytest.mark.parametrize("read_bytes", [3, 1 << 20])
def test_the_row_of_a_misplaced_quote_is_told(
    file: File, content: bytes, where: str, read_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_text, "_READ_BYTES", read_bytes)
    with pytest.raises(InputError, match=f": {where}: a quote opens a field"):
        refuse_misplaced_quotes(file(content), PLAIN)


def test_quotes_that_look_odd_to_us_and_not_to_python_pass(file: File) -> None:
    refuse_misplaced_quotes(file(b'id,x\n1,5" pipe\n2,6" pipe"\n'), PLAIN)


def test_a_line_without_end_is_no_csv(file: File, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_text, "_READ_BYTES", 10)
    monkeypatch.setattr(csv_text, "BLOCK_BYTES", 50)
    longest = b'a"' + b"x" * 48
    refuse_misplaced_quotes(file(longest), PLAIN)
    with pytest.raises(InputError, match="has a line of more than 50 bytes; is it CSV"):
        refuse_misplaced_quotes(file(longest + b"x"), PLAIN)


@pytest.fixture
def looked_again(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that are read a second time, for their quotes."""
    seen = list[str]()
    monkeypatch.setattr(csv_text, "refuse_misplaced_quotes", lambda url, csv: seen.append(url))
    return seen


@pytest.mark.parametrize(
    ("content", "rows", "again"),
    [
        (b"id,x\n1,a\n2,b\n", 3, False),
        (b"id,x\n1,a\n2,b\n", 2, False),  # without a quote no row is lost to one
        (b"id,x\n1,a\n2,b\n", None, False),
        (b'id,x\n1,"a"\n2,b\n', 3, False),
        (b'id,x\r\n1,"a"\r\n2,b\r\n', 3, False),
        (b'id,x\r1,"a"\r2,b\r', 3, False),
        (b'id,x\n1,"a\n2,b\n', 2, True),
        (b'id,x\n1,"a"\n2,b\n', None, True),
        (b'id,x\n1,"a"\n2,b', 2, True),  # as many as there are line ends, and one line has none
        (b'id,x\n1,a\n2,"b"\n', 3, True),  # a quote that comes late: nobody has counted
    ],
)
def test_a_file_is_read_again_only_where_a_quote_may_have_taken_rows(
    file: File, content: bytes, rows: int | None, again: bool, looked_again: list[str]
) -> None:
    url = file(content)
    with CsvText(url, PLAIN) as text:
        while text.read(9):
            pass
        text.refuse_lost_rows(rows)
    assert looked_again == [url] * again
