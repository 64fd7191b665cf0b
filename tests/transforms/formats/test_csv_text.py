"""Text as it is looked at: encodings, archives, bombs, and pieces of a file."""

import bz2
from collections.abc import Callable
import gzip
import io
import lzma
from pathlib import Path
import zipfile

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
import numpy as np
import pytest
import zstandard

from configs.errors import InputError
from transforms.formats import csv_text
from transforms.formats.csv_bytes import CsvFile, CsvPiece
from transforms.formats.csv_dialect import CsvDialect
from transforms.formats.csv_text import CsvText

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
    with CsvFile(url) as opened:
        text = CsvText(url, csv, opened)
        return b"".join(iter(lambda: text.read(size), b""))


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.binary(max_size=30), size=st.integers(1, 9))
def test_text_comes_as_it_is_however_much_is_asked_for(file: File, text: bytes, size: int) -> None:
    content = b"a,b\n" + text
    assert read(file(content), size=size) == content


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"id,x", b"id,x"),
        (b"id,x\n", b"id,x\n"),
        (b"id,x\n1,2", b"id,x\n1,2"),
        (b"", b""),
        (b"\xef\xbb\xbfid\n\xef\xbb\xbf", b"id\n\xef\xbb\xbf"),
        (b"\xef\xbb\xbfid", b"id"),
        (b"\xef\xbb\xbf", b""),
        (b"id\n1\0\n", b"id\n1\0\n"),
    ],
)
def test_a_mark_goes(file: File, content: bytes, text: bytes) -> None:
    assert read(file(content)) == text


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


@pytest.mark.parametrize(
    ("written", "declared"),
    [("utf-8-sig", "cp1252"), ("utf-16", "cp1252"), ("utf-8-sig", "utf-16")],
)
def test_a_mark_of_another_encoding_than_the_declared_one_is_refused(
    file: File, written: str, declared: str
) -> None:
    url = file("name,x\nZ\u00fcrich,2\n".encode(written))
    encoding = written.removesuffix("-sig")
    with pytest.raises(InputError, match=f"begins with the mark of {encoding}, .*={encoding}$"):
        read(url, CsvDialect(encoding=declared))
    assert read(url, CsvDialect(encoding=encoding)).decode() == "name,x\nZ\u00fcrich,2\n"


ENCODED = "id,x\n1,\u00e9\n2,\u20ac\n"


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp1252", "UTF8", "cp858"]
)
@pytest.mark.parametrize("size", [1, 3, 1 << 20])
def test_every_encoding_becomes_utf8(file: File, encoding: str, size: int) -> None:
    url = file(ENCODED.encode(encoding))
    with CsvFile(url) as opened:
        text = CsvText(url, CsvDialect(encoding=encoding), opened)
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
        assert read(file(content, "a.csv.gz"), CsvDialect(max_expansion=declared)) == content
        with pytest.raises(InputError, match=f"unpacks to more than {times - 1} times its"):
            read(file(content, "a.csv.gz"), CsvDialect(max_expansion=times - 1))
    content = b"x" * 200_000
    with pytest.raises(InputError, match="unpacks to more than 200 times its"):
        read(file(content, "a.csv.gz"))
    assert read(file(content)) == content


@pytest.mark.parametrize(("name", "compress"), [("a.bz2", bz2.compress), ("a.xz", lzma.compress)])
def test_a_bomb_of_any_kind_is_refused(
    file: File,
    name: str,
    compress: Callable[[bytes], bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(csv_text, "_BOMB_BYTES", 1 << 20)
    with pytest.raises(InputError, match="unpacks to more than 200 times its"):
        read(file(compress(b"x" * (4 << 20)), name))


def test_what_unpacks_to_little_is_no_bomb(file: File, monkeypatch: pytest.MonkeyPatch) -> None:
    assert csv_text._BOMB_BYTES >= 1 << 28
    content = b"x" * 50_000
    monkeypatch.setattr(csv_text, "_BOMB_BYTES", 50_000)
    assert read(file(content, "a.csv.gz"), CsvDialect(max_expansion=1)) == content
    with pytest.raises(InputError, match="unpacks to more than 1 times"):
        read(file(content + b"x", "a.csv.gz"), CsvDialect(max_expansion=1))


def test_a_piece_is_header_and_rows(file: File) -> None:
    url = file(b"id;x\n1;a\n2;b\n3;c\n")
    piece = CsvPiece(5, first_byte=9, bytes=8, first_row=1, rows=2)
    with CsvFile(url, piece) as opened:
        text = CsvText(url, CsvDialect(delimiter=";"), opened)
        assert text.read(3) + text.read(100) + text.read(100) == b"id;x\n2;b\n3;c\n"


@pytest.mark.parametrize("end", [b"\n", b"\r"])
def test_a_zero_byte_in_a_row_makes_no_utf16_of_a_text(file: File, end: bytes) -> None:
    content = end.join([b"id,x", b"1,\0"])
    assert read(file(content)) == content


ROW = b"id,x\n1,2\n"


def zip_of(content: bytes) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a.csv", content)
    return archive.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        (
            "a.csv",
            gzip.compress(ROW, mtime=0),
            r"is gzip and not plain CSV; let its name end in \.gz",
        ),
        ("a.csv", bz2.compress(ROW), r"is bzip2 and not plain CSV; let its name end in \.bz2"),
        ("a.csv", lzma.compress(ROW), r"is xz and not plain CSV; let its name end in \.xz"),
        ("a.csv", zstandard.compress(ROW), r"is zstandard and not plain CSV; .* \.zst"),
        ("a.csv.zip", zip_of(ROW), "is a ZIP archive and not plain CSV; unpack it first"),
        (
            "a.csv.GZ",
            gzip.compress(ROW, mtime=0),
            "holds gzip once it is unpacked; compress it only once",
        ),
        ("a.csv.gz", zip_of(ROW), "holds a ZIP archive once it is unpacked"),
        ("a.csv.gz", bz2.compress(ROW), "holds bzip2 once it is unpacked"),
    ],
)
def test_an_archive_is_named_for_what_it_is(
    file: File, name: str, content: bytes, words: str
) -> None:
    """Those that end in `.gz` are compressed once more."""
    if name.endswith(".GZ"):
        content = gzip.compress(content)
    with pytest.raises(InputError, match=words):
        read(file(content, name))


@pytest.mark.parametrize("header", [b"BZh1,x\n", b"PK,x\n", b"Rar!,x\n", b"BZh91AY,x\n"])
def test_a_header_that_looks_like_an_archive_is_none(file: File, header: bytes) -> None:
    assert read(file(header)) == header


@pytest.mark.parametrize("compress", [bz2.compress, lzma.compress, gzip.compress])
@pytest.mark.parametrize("kept", [0.3, 0.9])
def test_an_archive_that_was_cut_is_refused(
    file: File, compress: Callable[[bytes], bytes], kept: float
) -> None:
    names = {bz2.compress: "a.bz2", lzma.compress: "a.xz", gzip.compress: "a.GZ"}
    content = compress(np.random.default_rng(1).bytes(50_000))
    with pytest.raises(InputError, match="check that the file is whole, and its compression"):
        read(file(content[: int(len(content) * kept)], names[compress]))


@pytest.mark.parametrize("place", [1, 2, 3, 900])
def test_a_nul_byte_in_the_first_line_looks_like_utf16_and_of_json_in_its_first_two(
    place: int, file: File
) -> None:
    url = file(b"a" * place + b"\0,b\n1,2\n")
    with pytest.raises(InputError, match="looks like UTF-16; write --set source"):
        read(url)
    with CsvFile(url) as opened:
        text = CsvText(url, PLAIN, opened, kind="JSON lines")
        if place < 2:
            with pytest.raises(InputError, match="looks like UTF-16; write it in UTF-8"):
                text.read(100)
            return
        assert text.read(2) == b"aa"


def test_a_nul_byte_behind_the_first_line_is_a_letter(file: File) -> None:
    content = b"a,b\n1,\0\n"
    assert read(file(content)) == content
