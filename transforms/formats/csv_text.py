"""The bytes of a CSV file as text in UTF-8: decompressed, decoded, without a byte-order mark.

What a parser would swallow in silence is refused here: an archive that unpacks without end, one
inside another or of a kind that is not unpacked, and a text in another encoding.
"""

import codecs
import re
from typing import Protocol

import pyarrow as pa

from configs.errors import InputError
from transforms.formats.csv_archives import find_archive
from transforms.formats.csv_dialect import CsvDialect

# A smaller one is no danger, however well it is compressed.
_BOMB_BYTES = 256 << 20
# Tables of numbers come to 10, of zeros alone to 1 000.
_MAX_EXPANSION = 200
_FIRST_LINE = re.compile(rb"[^\r\n]*")
# So much of the first line tells whether its characters have zero bytes.
_MARKED_BYTES = 1 << 10
_MARKED_BYTES_OF_BRACE = 2
_SHOWN_CHARACTERS = 200
_CSV = "CSV"
_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# By encoding, what its texts may begin with.
_MARKS = {"utf-8": (codecs.BOM_UTF8,), "utf-16": _UTF16_MARKS}


class Unpacked(Protocol):
    """An open file of which nothing was read yet; `csv_bytes.CsvFile` is one."""

    @property
    def size(self) -> int:
        """Return its size as it is stored, in bytes."""

    @property
    def is_compressed(self) -> bool:
        """Tell whether what is read was unpacked."""

    def read(self, size: int) -> bytes:
        """Return the next bytes, at most so many; none at the end."""


class CsvText:
    """The text of a CSV file, for reading from the start, once.

    Args:
        url: the file, for errors.
        dialect: what its text means.
        file: its bytes.
        kind: what it is called in errors.
        from_start: whether the bytes are from the file's start on, which tells how it is packed.
    """

    def __init__(
        self,
        url: str,
        dialect: CsvDialect,
        file: Unpacked,
        kind: str = _CSV,
        from_start: bool = True,
    ) -> None:
        self._url = url
        self._dialect = dialect
        self._file = file
        self._kind = kind
        self._decoder: codecs.IncrementalDecoder | None = None
        if not dialect.is_utf8:
            self._decoder = codecs.getincrementaldecoder(dialect.encoding)("strict")
        self._bytes = 0
        self._at_start = from_start

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
                self._refuse_other_mark(stored)
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
            return self._file.read(size)
        except (pa.ArrowInvalid, OSError) as error:
            where = f"stops being {self._kind} on the way"
            if self._at_start:
                where = f"cannot be read as {self._kind}"
            kind = type(error).__name__
            reason = str(error)[:_SHOWN_CHARACTERS]
            raise InputError(
                f"{self._url}: {where}: {kind}: {reason}; "
                "check that the file is whole, and its compression"
            ) from error

    def _refuse_bomb(self, more: int) -> None:
        self._bytes += more
        if not self._file.is_compressed or self._bytes <= _BOMB_BYTES:
            return
        limit = self._dialect.max_expansion or _MAX_EXPANSION
        if self._bytes > limit * self._file.size:
            raise InputError(
                f"{self._url}: unpacks to more than {limit} times its {self._file.size:,} bytes, "
                "so it may be a bomb; if it is not, raise source.max_expansion"
            )

    def _refuse_archive(self, stored: bytes) -> None:
        """Refuse what is packed in another way than its name says, or once more."""
        archive = find_archive(stored)
        if archive is None:
            return
        if self._file.is_compressed:
            raise InputError(
                f"{self._url}: holds {archive.name} once it is unpacked; compress it only once"
            )
        fix = "unpack it first"
        if archive.ending is not None:
            fix = f"let its name end in {archive.ending}, or unpack it first"
        raise InputError(f"{self._url}: is {archive.name} and not plain {self._kind}; {fix}")

    def _refuse_other_mark(self, stored: bytes) -> None:
        """Refuse a text that says itself what it is written in, where the job says another encoding.

        In most of them any bytes are letters, so that names and values would be others without a word.
        """
        if self._decoder is None:
            return
        declared = codecs.lookup(self._dialect.encoding).name
        for encoding, mark in _MARKS.items():
            # The mark of UTF-32 begins as that of UTF-16.
            if stored.startswith(mark) and not declared.startswith((encoding, "utf-32")):
                raise InputError(
                    f"{self._url}: begins with the mark of {encoding}, but source.csv.encoding says "
                    f"{self._dialect.encoding}; write --set source.csv.encoding={encoding}"
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
        looked_at = _MARKED_BYTES
        # Of JSON already the brace has one, and other lines may be bad rows.
        if self._kind != _CSV:
            looked_at = _MARKED_BYTES_OF_BRACE
        first_line = _FIRST_LINE.findall(text, 0, looked_at)[0]
        # UTF-16 without a mark has a zero byte in every ASCII character.
        looks_like_utf16 = text.startswith(_UTF16_MARKS) or b"\0" in first_line
        if self._decoder is None and looks_like_utf16:
            fix = "write it in UTF-8"
            if self._kind == _CSV:
                fix = "write --set source.csv.encoding=utf-16"
            raise InputError(f"{self._url}: is not UTF-8 but looks like UTF-16; {fix}")
        return text.removeprefix(codecs.BOM_UTF8)
