"""The bytes of a CSV file as a parser takes them: decompressed, in UTF-8, without a byte-order mark, and every quote in its place.

What a parser would swallow in silence is refused here: an archive that unpacks without end, a text in another encoding, and a quote
that is not closed, which turns the rows behind it into one field.
"""

import codecs
from collections.abc import Iterator
import csv as standard_csv
from dataclasses import dataclass

import numpy as np

from configs.errors import InputError
from transforms.batches import WorkUnit
from transforms.csv_bytes import PieceBytes, StoredBytes, decompressed, is_compressed

BLOCK_BYTES = 8 << 20
_BOMB_BYTES = 256 << 20
_MAX_EXPANSION = 200
_PIECE_BYTES = 1 << 20
_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_QUOTE = ord('"')


@dataclass(frozen=True)
class CsvFormat:
    """What a file holds, in bytes and in words: the field separator, unquoted texts that stand for null, the text's encoding.

    Attributes:
        max_expansion: how many times its stored size a file may hold, decoded, before it is refused as a bomb; None for 200 (Parquet
            files, for which only this counts: 1 000).
        newlines_in_values: whether a quoted value may hold a line break; where none does, a file may be cut at any line.
    """

    delimiter: str = ","
    null_values: tuple[str, ...] = ("",)
    encoding: str = "utf-8"
    max_expansion: int | None = None
    newlines_in_values: bool = True

    @property
    def is_utf8(self) -> bool:
        """Whether text needs no decoding; malformed texts are then found value by value, and cost their rows only."""
        return codecs.lookup(self.encoding).name in ("utf-8", "utf-8-sig")


class CsvText:
    """A CSV file open for reading from the start, once; enough of a file for pyarrow.

    Of a piece it is the file's header and the piece's rows, and behind them a row that no header fits. A parser that finds this row, and
    before it as many as the piece has lines that are not blank, has taken no line break for a part of a value.
    """

    closed = False

    def __init__(self, url: str, csv: CsvFormat, piece: WorkUnit | None = None) -> None:
        self._url, self._csv, self._piece = url, csv, piece
        self._stored = StoredBytes(url, ahead=piece is None)
        self._compressed = is_compressed(url)
        self._stream = decompressed(url, self._stored) if piece is None else PieceBytes(self._stored, piece)
        self._last_row = f"\n{csv.delimiter * piece.header_bytes}\n".encode() if piece is not None else b""
        self._decoder = None if csv.is_utf8 else codecs.getincrementaldecoder(csv.encoding)("strict")
        self._bytes = 0
        self._at_start = True
        self._return = b""
        self._lines: _Lines | None = None
        self._quoted = False

    def __enter__(self) -> "CsvText":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        self._stored.close()
        self.closed = True

    def read(self, size: int = -1) -> bytes:
        """The next bytes, about as many as asked for; none at the end.

        Raises:
            InputError: what this module refuses.
        """
        text = self._with_its_line_feed(size)
        if self._at_start:
            self._at_start = False
            text = self._without_mark(text)
            if text and b"\n" not in text and b"\r" not in text:  # a header alone, which pyarrow takes for none without a line end
                text += self._following(size) or b"\n"
            self._lines = _Lines() if b'"' in text and self._piece is None else None
        if self._lines is not None:
            self._lines.count(text)
        self._quoted = self._quoted or b'"' in text
        return text

    def refuse_lost_rows(self, rows: int | None) -> None:
        """At the end: look for a quote that is not closed, unless a parser found as many rows as there are lines.

        Args:
            rows: how many rows it found, with the header, and the last row of a piece; None when it gave up.
        """
        if self._piece is not None:
            self._refuse_line_breaks(self._piece, rows)
        elif self._quoted and (self._lines is None or self._lines.total != rows or not self._lines.ended):
            refuse_misplaced_quotes(self._url, self._csv)

    def _refuse_line_breaks(self, piece: WorkUnit, rows: int | None) -> None:
        if (rows is None and not self._quoted) or rows == 2 + (piece.rows or 0):
            return
        refuse_misplaced_quotes(self._url, self._csv)
        raise InputError(
            f"{self._url}: from row {piece.first_row} on, a value holds a line break, but source.csv.newlines_in_values is false; set "
            "it to true"
        )

    def _with_its_line_feed(self, size: int) -> bytes:
        r"""The next bytes, not cut between \r and \n: pyarrow leaves out a \n at the start of a block, inside a quoted field, too."""
        text = self._return + self._following(size - len(self._return))
        self._return = b"\r" if text.endswith(b"\r") and len(text) > 1 else b""
        return text[: len(text) - len(self._return)]

    def _following(self, size: int) -> bytes:
        while True:
            stored = self._stream.read(size)
            self._refuse_bomb(len(stored))
            text = self._decoded(stored)
            if not stored:
                text, self._last_row = text + self._last_row, b""
            if text or not stored:
                return text

    def _refuse_bomb(self, more: int) -> None:
        self._bytes += more
        limit = self._csv.max_expansion or _MAX_EXPANSION
        if self._compressed and self._bytes > _BOMB_BYTES and self._bytes > limit * self._stored.size:
            raise InputError(
                f"{self._url}: unpacks to more than {limit} times its {self._stored.size:,} bytes, so it may be a bomb; if it is not, "
                "raise source.max_expansion"
            )

    def _decoded(self, stored: bytes) -> bytes:
        if self._decoder is None:
            return stored
        try:
            return self._decoder.decode(stored, final=not stored).encode()
        except UnicodeError as error:
            raise InputError(
                f"{self._url}: is not text in {self._csv.encoding}, which source.csv.encoding says; name its encoding there"
            ) from error

    def _without_mark(self, text: bytes) -> bytes:
        if self._decoder is None and (text.startswith(_UTF16_MARKS) or b"\0" in text.partition(b"\n")[0]):
            raise InputError(f"{self._url}: is not UTF-8 but looks like UTF-16; write --set source.csv.encoding=utf-16")
        return text.removeprefix(codecs.BOM_UTF8)


class _Lines:
    """How many lines there are, whatever ends them; counted only where the text has quotes from its first piece on."""

    def __init__(self) -> None:
        self.total = 0
        self._last = b""

    def count(self, text: bytes) -> None:
        self.total += text.count(b"\n") - (self._last == b"\r" and text.startswith(b"\n"))
        if b"\r" in text:
            self.total += text.count(b"\r") - text.count(b"\r\n")
        self._last = text[-1:] or self._last

    @property
    def ended(self) -> bool:
        """Whether the last line has its end: a file that was cut has not."""
        return self._last in (b"\n", b"\r")


class _Quotes:
    """Whether each quote, piece by piece of a text, stands where RFC 4180 has it: around a field, or doubled inside one.

    Then no parser can take it in another way; counting alone would not see that two quotes which are not closed make a pair.
    """

    def __init__(self, delimiter: str) -> None:
        self._neighbours = np.zeros(256, dtype=bool)
        self._neighbours[list(f'\r\n"{delimiter}'.encode())] = True
        self._open = 0
        self._before = b"\n"  # the last two bytes: the second one waits for the byte that follows it

    def fit(self, piece: bytes) -> bool:
        """Look at one more piece; none means the end. False when a quote so far stands elsewhere."""
        text = self._before + (piece or b"\n")
        self._before = text[-2:]
        codes = np.frombuffer(text, dtype=np.uint8)
        quotes = np.flatnonzero(codes[1:-1] == _QUOTE) + 1
        opening, closing = quotes[self._open :: 2], quotes[1 - self._open :: 2]
        self._open = (self._open + len(quotes)) % 2
        fits = bool(self._neighbours[codes[opening - 1]].all() and self._neighbours[codes[closing + 1]].all())
        return fits and (bool(piece) or not self._open)


def refuse_misplaced_quotes(url: str, csv: CsvFormat) -> None:
    """Read the file again; where its quotes look odd, with Python's parser, which says where one is not closed, or has text behind it.

    Raises:
        InputError: the row whose quote takes others with it.
    """
    if _quotes_fit(url, csv):
        return
    standard_csv.field_size_limit(max(BLOCK_BYTES, standard_csv.field_size_limit()))
    row = -1
    with CsvText(url, csv) as text:
        try:
            for fields in standard_csv.reader(_lines(url, text), delimiter=csv.delimiter, strict=True):
                row += bool(fields)
        except standard_csv.Error as error:
            where = f"row {row}" if row >= 0 else "the header"
            raise InputError(
                f"{url}: {where}: a quote opens a field and does not close it, so that rows behind it would be lost; double a quote "
                "inside a quoted field, and close each one"
            ) from error


def _quotes_fit(url: str, csv: CsvFormat) -> bool:
    quotes = _Quotes(csv.delimiter)
    with CsvText(url, csv) as text:
        while piece := text.read(_PIECE_BYTES):
            if not quotes.fit(piece):
                return False
    return quotes.fit(b"")


def _lines(url: str, text: CsvText) -> Iterator[str]:
    rest = b""
    while piece := text.read(_PIECE_BYTES):
        *lines, rest = (rest + piece).splitlines(keepends=True)
        if len(rest) > BLOCK_BYTES:
            raise InputError(f"{url}: has a line of more than {BLOCK_BYTES:,} bytes; is it CSV?")
        yield from (line.decode("latin-1") for line in lines)
    yield rest.decode("latin-1")
