"""The bytes of a CSV file as a parser takes them.

Decompressed, in UTF-8, without a byte-order mark, and every quote in its place. What a parser would
swallow in silence is refused here: an archive that unpacks without end, a text in another encoding,
and a quote that is not closed, which turns the rows behind it into one field.
"""

import codecs
from collections.abc import Iterator
import csv as standard_csv

from configs.errors import InputError
from transforms.formats.csv_bytes import (
    CsvPiece,
    PieceBytes,
    StoredBytes,
    is_compressed,
    open_decompressed,
)
from transforms.formats.csv_dialect import BLOCK_BYTES, CsvDialect
from transforms.formats.csv_quotes import LineCount, QuoteCheck

# A smaller one is no danger, however well it is compressed.
_BOMB_BYTES = 256 << 20
# Tables of numbers come to 10, of zeros alone to 1 000.
_MAX_EXPANSION = 200
_READ_BYTES = 1 << 20
_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class CsvText:
    """A CSV file open for reading from the start, once; enough of a file for pyarrow.

    Of a piece it is the file's header and the piece's rows, and behind them a row that no header
    fits. A parser that finds this row, and before it as many as the piece has lines that are not
    blank, has taken no line break for a part of a value.
    """

    # pyarrow asks before every read, and refuses a closed file.
    closed = False

    def __init__(self, url: str, dialect: CsvDialect, piece: CsvPiece | None = None) -> None:
        self._url = url
        self._dialect = dialect
        self._piece = piece
        self._stored = StoredBytes(url, ahead=piece is None)
        self._compressed = is_compressed(url)
        self._last_row = b""
        if piece is None:
            self._stream = open_decompressed(url, self._stored)
        else:
            self._stream = PieceBytes(self._stored, piece)
            # More fields than a header of so many bytes can have.
            delimiters = dialect.delimiter * piece.header_bytes
            self._last_row = f"\n{delimiters}\n".encode()
        self._decoder: codecs.IncrementalDecoder | None = None
        if not dialect.is_utf8:
            self._decoder = codecs.getincrementaldecoder(dialect.encoding)("strict")
        self._bytes = 0
        self._at_start = True
        self._return = b""
        self._lines: LineCount | None = None
        self._quoted = False

    def __enter__(self) -> "CsvText":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        self._stored.close()
        self.closed = True

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes, about as many as asked for; none at the end.

        Raises:
            InputError: what this module refuses.
        """
        text = self._read_whole_line_ends(size)
        if self._at_start:
            self._at_start = False
            text = self._begin(text, size)
        if self._lines is not None:
            self._lines.add(text)
        self._quoted = self._quoted or b'"' in text
        return text

    def refuse_lost_rows(self, rows: int | None) -> None:
        """Look for a quote that is not closed, at the end, unless no row was lost.

        Args:
            rows: how many rows a parser found, with the header, and the last row of a piece; None
                when it gave up.

        Raises:
            InputError: the row whose quote takes others with it, or a line break in a piece's
                value.
        """
        if self._piece is not None:
            self._refuse_line_breaks(self._piece, rows)
            return
        if self._quoted and not self._has_as_many_lines(rows):
            refuse_misplaced_quotes(self._url, self._dialect)

    def _has_as_many_lines(self, rows: int | None) -> bool:
        """Tell whether there are as many lines as rows: then no quote took a line break with it."""
        if self._lines is None:
            return False
        return self._lines.total == rows and self._lines.has_ended

    def _refuse_line_breaks(self, piece: CsvPiece, rows: int | None) -> None:
        # A parser that gave up where there are no quotes says itself what is wrong.
        gave_up = rows is None and not self._quoted
        # With the header, and the last row.
        is_complete = rows == 2 + (piece.rows or 0)
        if gave_up or is_complete:
            return
        refuse_misplaced_quotes(self._url, self._dialect)
        raise InputError(
            f"{self._url}: from row {piece.first_row} on, a value holds a line break, "
            "but source.csv.newlines_in_values is false; set it to true"
        )

    def _begin(self, text: bytes, size: int) -> bytes:
        """Return the first bytes as a parser takes them."""
        text = self._take_mark_off(text)
        has_line_end = b"\n" in text or b"\r" in text
        # A header alone, which pyarrow takes for none without a line end.
        if text and not has_line_end:
            text += self._read_decoded(size) or b"\n"
        # Counting takes time, and is of use only where there are quotes.
        if b'"' in text and self._piece is None:
            self._lines = LineCount()
        return text

    def _read_whole_line_ends(self, size: int) -> bytes:
        r"""Return the next bytes, not cut between \r and \n.

        pyarrow leaves out a \n at the start of a block, inside a quoted field, too.
        """
        more = self._read_decoded(size - len(self._return))
        text = self._return + more
        ends_with_return = text.endswith(b"\r") and len(text) > 1
        if not ends_with_return:
            self._return = b""
            return text
        self._return = b"\r"
        return text[:-1]

    def _read_decoded(self, size: int) -> bytes:
        while True:
            stored = self._stream.read(size)
            self._refuse_bomb(len(stored))
            text = self._decode(stored)
            if not stored:
                text += self._last_row
                self._last_row = b""
                return text
            # Some bytes of a long character may make no text yet, and none means the end.
            if text:
                return text

    def _refuse_bomb(self, more: int) -> None:
        self._bytes += more
        if not self._compressed or self._bytes <= _BOMB_BYTES:
            return
        limit = self._dialect.max_expansion or _MAX_EXPANSION
        if self._bytes > limit * self._stored.size:
            raise InputError(
                f"{self._url}: unpacks to more than {limit} times its {self._stored.size:,} bytes, "
                "so it may be a bomb; if it is not, raise source.max_expansion"
            )

    def _decode(self, stored: bytes) -> bytes:
        if self._decoder is None:
            return stored
        try:
            text = self._decoder.decode(stored, final=not stored)
            return text.encode()
        except UnicodeError as error:
            raise InputError(
                f"{self._url}: is not text in {self._dialect.encoding}, "
                "which source.csv.encoding says; name its encoding there"
            ) from error

    def _take_mark_off(self, text: bytes) -> bytes:
        first_line = text.partition(b"\n")[0]
        # UTF-16 without a mark has a zero byte in every ASCII character.
        looks_like_utf16 = text.startswith(_UTF16_MARKS) or b"\0" in first_line
        if self._decoder is None and looks_like_utf16:
            raise InputError(
                f"{self._url}: is not UTF-8 but looks like UTF-16; "
                "write --set source.csv.encoding=utf-16"
            )
        return text.removeprefix(codecs.BOM_UTF8)


def refuse_misplaced_quotes(url: str, dialect: CsvDialect) -> None:
    """Read a file again, and refuse it where a quote is not closed, or has text behind it.

    Args:
        url: the file.
        dialect: what its text means.

    Raises:
        InputError: the row whose quote takes others with it.
    """
    # Quick; Python's parser is slow, and says where.
    if _quotes_fit(url, dialect):
        return
    # By default it refuses long fields, in all of the process.
    standard_csv.field_size_limit(max(BLOCK_BYTES, standard_csv.field_size_limit()))
    row = -1
    with CsvText(url, dialect) as text:
        lines = _read_lines(url, text)
        try:
            for fields in standard_csv.reader(lines, delimiter=dialect.delimiter, strict=True):
                # A blank line is no row.
                row += bool(fields)
        except standard_csv.Error as error:
            place = f"row {row}" if row >= 0 else "the header"
            raise InputError(
                f"{url}: {place}: a quote opens a field and does not close it, "
                "so that rows behind it would be lost; "
                "double a quote inside a quoted field, and close each one"
            ) from error


def _quotes_fit(url: str, dialect: CsvDialect) -> bool:
    quotes = QuoteCheck(dialect.delimiter)
    with CsvText(url, dialect) as text:
        while True:
            read = text.read(_READ_BYTES)
            if not quotes.fits(read):
                return False
            if not read:
                return True


def _read_lines(url: str, text: CsvText) -> Iterator[str]:
    rest = b""
    while True:
        read = text.read(_READ_BYTES)
        if not read:
            break
        text_so_far = rest + read
        *lines, rest = text_so_far.splitlines(keepends=True)
        # As long as a block of the parser, which takes no longer ones either.
        if len(rest) > BLOCK_BYTES:
            raise InputError(f"{url}: has a line of more than {BLOCK_BYTES:,} bytes; is it CSV?")
        # Every byte is a character of it, and only quotes and delimiters matter.
        for line in lines:
            yield line.decode("latin-1")
    yield rest.decode("latin-1")
