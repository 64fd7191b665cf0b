"""The bytes of a file, whole and in pieces, from a disk that fails now and then."""

import bz2
from collections.abc import Callable
import errno
import gzip
import lzma
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
import pytest
import zstandard

from configs.errors import InputError
from storage import files, retries
from transforms.formats import csv_bytes
from transforms.formats.csv_bytes import (
    CsvPiece,
    PieceBytes,
    StoredBytes,
    open_decompressed,
)

CONTENT = bytes(range(256)) * 3


@pytest.fixture
def url(tmp_path: Path) -> str:
    (tmp_path / "a.csv").write_bytes(CONTENT)
    return str(tmp_path / "a.csv")


def test_a_file_is_read_from_its_start_as_far_as_asked(url: str) -> None:
    stored = StoredBytes(url)
    assert (stored.size, stored.closed) == (768, False)
    assert stored.read(10) == CONTENT[:10]
    assert stored.read(0) == b""
    assert stored.read() == CONTENT[10:]
    assert stored.read(5) == b""
    stored.close()


def test_a_store_is_read_ahead_unless_somebody_says_no(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, real = list[bool](), files.open_read

    def open_read(url: str, ahead: bool) -> Any:
        asked.append(ahead)
        return real(url, ahead)

    monkeypatch.setattr(files, "open_read", open_read)
    StoredBytes(url)
    StoredBytes(url, ahead=False)
    assert asked == [True, False]


def test_a_file_that_was_closed_goes_on_where_it_was(url: str) -> None:
    stored = StoredBytes(url)
    stored.read(300)
    stored.close()
    stored.close()
    assert stored.read(5) == CONTENT[300:305]


def test_any_place_can_be_read_and_none_behind_the_end(url: str) -> None:
    stored = StoredBytes(url)
    for position, size in ((700, 10), (710, 5), (0, 3), (767, 100)):
        assert stored.read_at(position, size) == CONTENT[position : position + size]
    for position in (768, 9_000):
        with pytest.raises(InputError, match="became shorter after the run was planned"):
            stored.read_at(position, 1)


class Flaky:
    """A file that fails at the first read after each opening but the last."""

    def __init__(self, file: Any, fails: bool) -> None:
        self.file, self.fails = file, fails

    def read(self, size: int) -> bytes:
        if self.fails:
            raise OSError(errno.EIO, "Input/output error")
        return self.file.read(size)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)


@pytest.mark.parametrize("failures", [1, 3])
def test_a_read_that_fails_for_a_moment_is_mended_at_the_same_place(
    failures: int, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored, real, opened = StoredBytes(url), files.open_read, list[Flaky]()
    assert stored.read(100) == CONTENT[:100]

    def open_read(url: str, ahead: bool) -> Flaky:
        opened.append(Flaky(real(url, ahead), len(opened) < failures - 1))
        return opened[-1]

    monkeypatch.setattr(retries, "pause", lambda _: None)
    monkeypatch.setattr(files, "open_read", open_read)
    stored._file = Flaky(stored._file, fails=True)
    assert stored.read(100) == CONTENT[100:200]
    assert len(opened) == failures
    assert [flaky.file.closed for flaky in opened] == [True] * (failures - 1) + [False]


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    header=st.integers(1, 40),
    gap=st.integers(0, 300),
    length=st.integers(1, 400),
    sizes=st.lists(st.integers(1, 90), min_size=1, max_size=4),
)
def test_a_piece_is_the_header_and_its_own_bytes_whatever_is_asked_for(
    url: str, header: int, gap: int, length: int, sizes: list[int]
) -> None:
    piece = CsvPiece(header, header + gap, length, first_row=0, rows=1)
    reader, content, asked = PieceBytes(StoredBytes(url), piece), b"", 0
    while more := reader.read(size := sizes[asked % len(sizes)]):
        assert len(more) <= size
        content, asked = content + more, asked + 1
    assert content == CONTENT[:header] + CONTENT[header + gap : header + gap + length]


def test_as_much_as_is_asked_for_comes_at_once_over_the_end_of_the_header(url: str) -> None:
    piece = CsvPiece(4, 100, 6, first_row=0, rows=1)
    assert PieceBytes(StoredBytes(url), piece).read(7) == CONTENT[:4] + CONTENT[100:103]
    assert PieceBytes(StoredBytes(url), piece).read(1_000) == CONTENT[:4] + CONTENT[100:106]


def test_a_piece_of_a_file_that_became_shorter_is_refused(url: str) -> None:
    piece = PieceBytes(StoredBytes(url), CsvPiece(4, 760, 9, first_row=0, rows=1))
    with pytest.raises(InputError, match="became shorter"):
        piece.read(100)


@pytest.mark.parametrize("capitals", [False, True])
def test_what_is_compressed_is_unpacked_and_anything_else_is_read_as_it_is(
    tmp_path: Path, capitals: bool
) -> None:
    """Also where several members follow each other, as parallel programs write them."""
    write: dict[str, Callable[[bytes], bytes]] = {
        "a.csv.gz": gzip.compress,
        "a.csv.bz2": bz2.compress,
        "a.csv.xz": lzma.compress,
        "a.csv.zst": zstandard.compress,
        "a.csv": bytes,
    }
    for name, change in write.items():
        path = tmp_path / (name.upper() if capitals else name)
        path.write_bytes(change(CONTENT) + change(CONTENT))
        reader = open_decompressed(str(path), StoredBytes(str(path)))
        blocks = [reader.read(1_000) for _ in range(4)]
        assert b"".join(blocks) == CONTENT * 2


def _read_xz(folder: Path, content: bytes) -> bytes:
    path = folder / "a.csv.xz"
    path.write_bytes(content)
    reader = open_decompressed(str(path), StoredBytes(str(path)))
    blocks = [reader.read(1_000) for _ in range(4)]
    assert all(len(block) == 1_000 for block in blocks[: len(b"".join(blocks)) // 1_000])
    return b"".join(blocks)


@pytest.mark.parametrize("buffer_bytes", [7, 1 << 20])
def test_streams_of_an_xz_file_are_read_behind_padding(
    tmp_path: Path, buffer_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`xz` itself reads on behind it, where Python's own reader ends."""
    monkeypatch.setattr(csv_bytes, "_BUFFER_BYTES", buffer_bytes)
    packed, empty = lzma.compress(CONTENT), lzma.compress(b"")
    padded = packed + bytes(40) + empty + bytes(4) + packed + bytes(8)
    assert _read_xz(tmp_path, padded) == CONTENT * 2
    alone = lzma.compress(CONTENT, format=lzma.FORMAT_ALONE)
    assert _read_xz(tmp_path, alone) == CONTENT


@pytest.mark.parametrize(
    "behind",
    [bytes(3), b"garbage", bytes(4) + b"garbage", lzma.compress(CONTENT)[1:], b"\xfd7zX"],
)
def test_what_is_no_stream_behind_one_of_an_xz_file_is_not_taken_for_its_end(
    tmp_path: Path, behind: bytes
) -> None:
    with pytest.raises(OSError, match=r"padding|format|ends inside"):
        _read_xz(tmp_path, lzma.compress(CONTENT) + behind)


def test_an_xz_file_that_was_cut_is_not_taken_for_whole(tmp_path: Path) -> None:
    packed = lzma.compress(CONTENT)
    with pytest.raises(OSError, match="the file ends inside a stream"):
        _read_xz(tmp_path, packed + packed[:-1])
