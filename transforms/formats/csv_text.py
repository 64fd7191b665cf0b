"""The bytes of a CSV file as text in UTF-8: decompressed, decoded, without a byte-order mark.

What a parser would swallow in silence is refused here: an archive that unpacks without end, one
inside another or of a kind that is not unpacked, and a text in another encoding.
"""

import codecs
import re

import pyarrow as pa

from configs.errors import InputError
from transforms.formats.csv_bytes import (
    CsvPiece,
    PieceBytes,
    StoredBytes,
    find_archive,
    is_compressed,
    open_decompressed,
)
from transforms.formats.csv_dialect import CsvDialect

# A smaller one is no danger, however well it is compressed.
_BOMB_BYTES = 256 << 20
# Tables of numbers come to 10, of zeros alone to 1 000.
_MAX_EXPANSION = 200
_FIRST_LINE = re.compile(rb"[^\r\n]*")
# So much of the first line tells whether its characters have zero bytes.
_MARKED_BYTES = 1 << 10
_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class CsvText:
    """A CSV file open for reading from the start, once; of a piece, its header and its rows.

    Args:
        url: the file.
        dialect: what its text means.
        piece: which rows of it; None for all.
    """

    def __init__(self, url: str, dialect: CsvDialect, piece: CsvPiece | None = None) -> None:
        self._url = url
        self._dialect = dialect
        self._stored = StoredBytes(url, ahead=piece is None)
        self._compressed = is_compressed(url)
        if piece is None:
            self._stream = open_decompressed(url, self._stored)
        else:
            self._stream = PieceBytes(self._stored, piece)
        self._decoder: codecs.IncrementalDecoder | None = None
        if not dialect.is_utf8:
            self._decoder = codecs.getincrementaldecoder(dialect.encoding)("strict")
        self._bytes = 0
        self._at_start = True

    def __enter__(self) -> "CsvText":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        self._stored.close()

    def read(self, size: int) -> bytes:
        """Return the next bytes, about as many as asked for; none at the end.

        Raises:
            InputError: what this module refuses; or the file cannot be read or unpacked.
        """
        while True:
            stored = self._read_stored(size)
            self._refuse_bomb(len(stored))
            if self._at_start:
                self._refuse_archive(stored)
            text = self._decode(stored)
            # Some bytes of a long character may make no text yet, and none means the end.
            if text or not stored:
                break
        if self._at_start:
            self._at_start = False
            text = self._take_mark_off(text)
            # A mark alone: the end is still to come.
            if stored and not text:
                return self.read(size)
        return text

    def _read_stored(self, size: int) -> bytes:
        try:
            stored: bytes = self._stream.read(size)
        except (pa.ArrowInvalid, OSError) as error:
            where = "cannot be read as CSV" if self._at_start else "stops being CSV on the way"
            raise InputError(
                f"{self._url}: {where}: {type(error).__name__}: {str(error)[:200]}; "
                "check that the file is whole, and its compression"
            ) from error
        return stored

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

    def _refuse_archive(self, stored: bytes) -> None:
        """Refuse what is packed in another way than its name says, or once more."""
        archive = find_archive(stored)
        if archive is None:
            return
        if self._compressed:
            raise InputError(
                f"{self._url}: holds {archive.name} once it is unpacked; compress it only once"
            )
        fix = "unpack it first"
        if archive.ending is not None:
            fix = f"let its name end in {archive.ending}, or unpack it first"
        raise InputError(f"{self._url}: is {archive.name} and not plain CSV; {fix}")

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
        first_line = _FIRST_LINE.findall(text, 0, _MARKED_BYTES)[0]
        # UTF-16 without a mark has a zero byte in every ASCII character.
        looks_like_utf16 = text.startswith(_UTF16_MARKS) or b"\0" in first_line
        if self._decoder is None and looks_like_utf16:
            raise InputError(
                f"{self._url}: is not UTF-8 but looks like UTF-16; "
                "write --set source.csv.encoding=utf-16"
            )
        return text.removeprefix(codecs.BOM_UTF8)
